//! Texts of messages: inline, or a key of a ConfigMap, which may include other keys of it.

use std::collections::BTreeMap;

use super::super::{ObjectKind, Sources};
use super::report::Report;
use super::scope::missing;
use crate::api::ConfigMapKeySource;
use crate::domain::expression::{Scope, Severity, nearest};
use crate::domain::render::{Escaping, Samples, Template, TemplateError, TemplateFinding};

/// What the texts of one message are compiled with.
pub(super) struct Contents<'s, 'r, 'p> {
    pub sources: &'s Sources,
    pub scope: &'s Scope,
    /// What calls and customers may hold.
    pub samples: &'s Samples,
    pub report: &'r mut Report<'p>,
}

/// Where a text stands: the message's path, its member and the field.
pub(super) struct Place<'a> {
    pub path: &'a str,
    pub member: &'static str,
    pub field: &'static str,
    pub escaping: Escaping,
}

impl Contents<'_, '_, '_> {
    /// A text that must be there, inline or from a ConfigMap.
    pub fn one(
        &mut self,
        place: &Place<'_>,
        inline: Option<&str>,
        from: Option<&ConfigMapKeySource>,
    ) -> Option<Template> {
        match self.optional(place, inline, from)? {
            Some(template) => Some(template),
            None => {
                let Place { path, member, field, .. } = place;
                let message = format!("exactly one of {field} and {field}From must be set");
                self.report.refuse(format!("{path}.{member}"), message)
            }
        }
    }

    /// A text that may be left out: `Some(None)`. `None` if it cannot be used.
    pub fn optional(
        &mut self,
        place: &Place<'_>,
        inline: Option<&str>,
        from: Option<&ConfigMapKeySource>,
    ) -> Option<Option<Template>> {
        let Place { path, member, field, escaping } = place;
        match (inline, from) {
            (Some(_), Some(_)) => {
                let message = format!("at most one of {field} and {field}From may be set");
                self.report.refuse(format!("{path}.{member}"), message)
            }
            (Some(text), None) => self.inline(&format!("{path}.{member}.{field}"), text, *escaping).map(Some),
            (None, Some(from)) => {
                self.referred(&format!("{path}.{member}.{field}From"), from, *escaping).map(Some)
            }
            (None, None) => Some(None),
        }
    }

    /// Compiles a text and proves it with samples; with what deserves a warning.
    fn proved(
        &mut self,
        text: &str,
        escaping: Escaping,
        texts: &BTreeMap<String, String>,
    ) -> Result<(Template, Vec<TemplateFinding>), TemplateError> {
        let template = Template::compile(text, escaping, self.scope, texts)?;
        let mut findings = template.warnings().to_vec();
        findings.extend(template.prove(self.samples, texts, &mut self.report.renderings_left));
        match findings.iter().any(|finding| finding.problem.severity == Severity::Error) {
            true => Err(TemplateError { findings }),
            false => Ok((template, findings)),
        }
    }

    /// A text in the manifest.
    pub fn inline(&mut self, path: &str, text: &str, escaping: Escaping) -> Option<Template> {
        match self.proved(text, escaping, &BTreeMap::new()) {
            Ok((template, warnings)) => {
                warnings.iter().for_each(|finding| self.report.found(path, &finding.problem));
                Some(template)
            }
            Err(TemplateError { findings }) => {
                findings.iter().for_each(|finding| self.report.found(path, &finding.problem));
                None
            }
        }
    }

    /// A text of a ConfigMap. What is wrong with it is said of the ConfigMap, with its place, and of the scenario.
    fn referred(&mut self, path: &str, from: &ConfigMapKeySource, escaping: Escaping) -> Option<Template> {
        let (name, key) = (&from.config_map_key_ref.name, &from.config_map_key_ref.key);
        let path = format!("{path}.configMapKeyRef");
        let Some(texts) = self.sources.texts_of(self.report.name(), name) else {
            let message = missing(
                self.sources,
                ObjectKind::ConfigMap,
                name,
                self.sources.texts.keys().map(String::as_str),
            );
            return self.report.refuse(format!("{path}.name"), message);
        };
        let Some(text) = texts.get(key) else {
            let remedy = match nearest(key, texts.keys().map(String::as_str)) {
                Some(near) => format!("did you mean {near}?"),
                None => "add it, or correct the key".to_owned(),
            };
            return self
                .report
                .refuse(format!("{path}.key"), format!("the ConfigMap {name} has no key {key}; {remedy}"));
        };
        match self.proved(text, escaping, texts) {
            Ok((template, warnings)) => {
                self.found_in(name, key, &warnings);
                Some(template)
            }
            Err(TemplateError { findings }) => {
                self.found_in(name, key, &findings);
                let first = findings.iter().find(|finding| finding.problem.severity == Severity::Error);
                let what = first.map_or_else(String::new, |finding| finding.problem.to_string());
                let key = first.and_then(|finding| finding.included.as_ref()).unwrap_or(key);
                self.report
                    .refuse(path, format!("the text {key} of the ConfigMap {name} cannot be used: {what}"))
            }
        }
    }

    fn found_in(&mut self, config_map: &str, key: &str, findings: &[TemplateFinding]) {
        for finding in findings {
            let key = finding.included.as_deref().unwrap_or(key);
            self.report.found_in_text(config_map, key, &finding.problem);
        }
    }
}

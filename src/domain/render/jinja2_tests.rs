//! Jinja2's own answers: a corpus of templates with what Jinja2 renders (tests/jinja2/corpus.py made it), and the list
//! of those where this product answers differently, each with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value as Json;

use super::*;
use crate::domain::expression::tests::{NOW, call, customer, scope};

const CORPUS: &str = include_str!("../../../tests/jinja2/corpus.json");
const DIFFERENCES: &str = include_str!("../../../tests/jinja2/differences.json");
const PAGE: &str = include_str!("../../../docs/write-a-scenario.md");

#[derive(Deserialize)]
struct Corpus {
    jinja2: String,
    values: BTreeMap<String, Json>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    template: String,
    #[serde(default)]
    html: bool,
    /// `None` where Jinja2 gives no text.
    renders: Option<String>,
}

#[derive(Deserialize)]
struct Differences {
    /// The sentence of the page by a short name.
    reasons: BTreeMap<String, String>,
    differences: Vec<Difference>,
}

#[derive(Deserialize)]
struct Difference {
    template: String,
    #[serde(default)]
    html: bool,
    reason: String,
    /// `None` where there is no text.
    ours: Option<String>,
}

fn corpus() -> Corpus {
    serde_json::from_str(CORPUS).unwrap()
}

fn differences() -> Differences {
    serde_json::from_str(DIFFERENCES).unwrap()
}

/// What this product makes of a template; why not, where there is no text.
fn rendered(source: &str, html: bool, subject: &Subject) -> Result<String, String> {
    let escaping = if html { Escaping::Html } else { Escaping::None };
    let template = Template::compile(source, escaping, &scope(), &BTreeMap::new());
    match template.map_err(|error| error.to_string())?.render(subject) {
        Rendered::Text(text) => Ok(text),
        Rendered::Aborted(reason) | Rendered::Failed(reason) => Err(reason),
    }
}

#[test]
fn templates_render_as_jinja2_renders_them_but_for_the_listed_differences() {
    let corpus = corpus();
    let subject = Subject {
        call: Arc::new(call(&serde_json::json!({}))),
        customer: Arc::new(customer(&corpus.values["customer"])),
        now: NOW.parse().unwrap(),
        time: Default::default(),
    };
    let listed: BTreeMap<(String, bool), Option<String>> =
        differences().differences.into_iter().map(|it| ((it.template, it.html), it.ours)).collect();
    assert!(corpus.jinja2.starts_with("3.1.") && corpus.cases.len() >= 400);
    let (mut wrong, mut met) = (Vec::new(), 0);
    for case in corpus.cases {
        let ours = rendered(&case.template, case.html, &subject);
        let expected = match listed.get(&(case.template.clone(), case.html)) {
            Some(difference) => {
                met += 1;
                if *difference == case.renders {
                    wrong.push(format!("{:?} is listed as a difference, but is none", case.template));
                }
                difference
            }
            None => &case.renders,
        };
        if ours.as_ref().ok() != expected.as_ref() {
            wrong.push(format!("{:?}\n   expected: {expected:?}\n   rendered: {ours:?}", case.template));
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(met, listed.len(), "a difference is listed of a template that is not in the corpus");
}

#[test]
fn every_difference_has_its_row_in_the_page() {
    let Differences { reasons, differences } = differences();
    let used: BTreeSet<&str> = differences.iter().map(|it| it.reason.as_str()).collect();
    let known: BTreeSet<&str> = reasons.keys().map(String::as_str).collect();
    assert_eq!(used, known, "a reason without a difference, or a difference without a reason");
    let rows: BTreeSet<&str> = PAGE
        .split_once("### Where Jinja2 answers differently")
        .expect("the page has the table")
        .1
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| line.trim_matches('|').rsplit_once(" | ").map(|(_, reason)| reason.trim()))
        .collect();
    let sentences: BTreeSet<&str> = reasons.values().map(String::as_str).collect();
    assert_eq!(rows, sentences);
}

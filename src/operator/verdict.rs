//! What the compile step says of one object, in words for a condition: field path, line and caret.

use serde::Serialize;
use serde_json::{Value, json};

use super::conditions::Finding;
use crate::compile::{ObjectKind, Problem, Severity, Snapshot, Sources, compile};

/// The condition that says whether the declaration is right.
pub(super) const ACCEPTED: &str = "Accepted";
/// The reason of one that is not.
pub(super) const INVALID: &str = "Invalid";
/// How many problems are told at once.
const TOLD_MAX: usize = 5;

/// What was found wrong with one object, and what it was compiled to.
#[derive(Debug)]
pub(super) struct Verdict {
    /// What compiled.
    pub snapshot: Snapshot,
    /// Errors: it cannot run.
    pub errors: Vec<String>,
    /// Warnings: it can, but perhaps not as meant.
    pub warnings: Vec<String>,
}

/// Compiles `sources`, which hold one object and what it refers to, and picks out what is about it. Problems in texts
/// that only it uses are about it too.
pub(super) fn judge<S: Serialize>(sources: &Sources, kind: ObjectKind, name: &str, spec: &S) -> Verdict {
    let compilation = compile(sources);
    let mut verdict = Verdict { snapshot: compilation.snapshot, errors: Vec::new(), warnings: Vec::new() };
    for problem in compilation.problems {
        let (is_own, is_text) = (problem.object.kind == kind, problem.object.kind == ObjectKind::ConfigMap);
        if !is_text && !(is_own && (problem.object.name == name || kind == ObjectKind::Runtime)) {
            continue;
        }
        let object = object(sources, spec, &problem);
        let told = tell(&problem, problem.text_in(&object));
        match problem.severity {
            Severity::Error => verdict.errors.push(told),
            Severity::Warning => verdict.warnings.push(told),
        }
    }
    verdict
}

impl Verdict {
    /// The condition `Accepted`.
    pub(super) fn finding(&self) -> Finding {
        if self.errors.is_empty() {
            let message = match self.warnings.is_empty() {
                true => "it is right".to_owned(),
                false => format!("it is right, but look at this:\n{}", several(&self.warnings)),
            };
            return Finding::good(ACCEPTED, message);
        }
        Finding::stalled(ACCEPTED, INVALID, several(&self.errors))
    }
}

fn several(told: &[String]) -> String {
    let mut text = told.iter().take(TOLD_MAX).cloned().collect::<Vec<_>>().join("\n");
    if told.len() > TOLD_MAX {
        text.push_str(&format!("\nand {} more", told.len() - TOLD_MAX));
    }
    text
}

fn tell(problem: &Problem, text: Option<&str>) -> String {
    let object = match problem.object.kind {
        ObjectKind::ConfigMap => format!("ConfigMap {} ", problem.object.name),
        _ => String::new(),
    };
    let (path, message) = (&problem.path, &problem.message);
    match (text, &problem.span) {
        (Some(text), Some(span)) => {
            let (place, excerpt) = excerpt(text, span.start, span.end);
            format!("{object}{path}, {place}: {message}\n{excerpt}")
        }
        _ => format!("{object}{path}: {message}"),
    }
}

/// Line and column within the text, and the line with carets below it.
fn excerpt(text: &str, start: usize, end: usize) -> (String, String) {
    let start = text.floor_char_boundary(start);
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let number = text[..line_start].matches('\n').count() + 1;
    let column = text[line_start..start].chars().count();
    let end = text.floor_char_boundary(end).min(line_start + line.len()).max(start);
    let width = text[start..end].chars().count().max(1);
    let carets = format!("{}{}", " ".repeat(column), "^".repeat(width));
    (format!("line {number}, column {}", column + 1), format!("  {line}\n  {carets}"))
}

/// The object that a problem is about, as JSON: the one that was judged, or a ConfigMap that it uses.
fn object<S: Serialize>(sources: &Sources, spec: &S, problem: &Problem) -> Value {
    match problem.object.kind {
        ObjectKind::ConfigMap => json!({ "data": sources.texts.get(&problem.object.name) }),
        _ => json!({ "spec": spec }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ScenarioSpec;

    #[test]
    fn a_problem_is_told_with_its_place() {
        let mut sources = Sources { namespace: "shop".into(), ..Sources::default() };
        sources.triggers.insert("t".into(), serde_json::from_str("{}").unwrap());
        sources.channels.insert("out".into(), serde_json::from_str(r#"{"log": {}}"#).unwrap());
        let scenario: ScenarioSpec = serde_json::from_value(serde_json::json!({
            "triggers": [{"triggerRef": {"name": "t"}}],
            "audience": {"where": "customer.vip\nand customer.city == params.city"},
            "nodes": [{"name": "a", "message": {"channelRef": {"name": "out"}, "consent": "None", "log": {"text": "x"}}}],
        }))
        .unwrap();
        sources.scenarios.insert("s".into(), scenario.clone());
        let verdict = judge(&sources, ObjectKind::Scenario, "s", &scenario);
        let told = &verdict.errors[0];
        assert!(told.starts_with("spec.audience.where, line 2, column "), "{told}");
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[1], "  and customer.city == params.city");
        assert!(lines[2].trim().chars().all(|c| c == '^'), "{told}");
        assert_eq!(verdict.finding().reason, INVALID);
    }
}

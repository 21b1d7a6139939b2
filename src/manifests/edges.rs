//! Edges of a scenario to nodes that are not there: which one, and which node may be meant.
//!
//! The rule of the kind speaks of the whole list; a person wants the place of the name.

use serde_json::Value;

use super::schema::Violation;
use crate::domain::expression::nearest;

/// What the rule of the kind says; the reference shows it.
const RULE: &str = "must name a node of this list";

/// The names that a violation of the rule is about: the path of each and what to say there.
pub(super) fn named(object: &Value, violation: &Violation) -> Vec<(String, String)> {
    if violation.field != "spec.nodes" || !violation.message.contains(RULE) {
        return Vec::new();
    }
    let nodes = object["spec"]["nodes"].as_array().map_or(&[][..], Vec::as_slice);
    let names: Vec<&str> = nodes.iter().filter_map(|node| node["name"].as_str()).collect();
    let is_else = violation.message.starts_with("else");
    let edges = nodes.iter().enumerate().filter_map(|(index, node)| {
        let (written, path) = match is_else {
            true => (&node["condition"]["else"], "condition.else"),
            false => (&node["next"], "next"),
        };
        let to = written.as_str().filter(|to| *to != "End" && !names.contains(to))?;
        let remedy = match nearest(to, names.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there are: {}, End", names.join(", ")),
        };
        Some((
            format!("spec.nodes[{index}].{path}"),
            format!("{}: there is no node {to}; {remedy}", violation.message),
        ))
    });
    edges.collect()
}

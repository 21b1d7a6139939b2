//! The nodes: their names, their conditions and messages, and where each leads.

use std::collections::BTreeMap;

use super::super::Sources;
use super::message;
use super::report::Report;
use super::wait;
use crate::api::{Node, ScenarioSpec};
use crate::domain::expression::{Scope, nearest};
use crate::domain::flow::{Flow, FlowNode, FlowNodeKind, NextNode};
use crate::domain::name::NodeIndex;
use crate::domain::render::Samples;

pub(super) fn compile(
    spec: &ScenarioSpec,
    sources: &Sources,
    known: (&Scope, &Samples),
    report: &mut Report<'_>,
) -> Flow {
    let places = places(spec, report);
    let mut flow = Flow::default();
    for (index, node) in spec.nodes.iter().enumerate() {
        let path = format!("spec.nodes[{index}]");
        let following = following(spec, index);
        let next =
            node.next.as_ref().map(|name| target(name, index, &places, &format!("{path}.next"), report));
        let kind = kind(node, index, &places, sources, known, report);
        let next = next.unwrap_or(Some(following));
        if let (Some(next), Some(kind)) = (next, kind) {
            flow.nodes.push(FlowNode { name: node.name.as_str().into(), kind, next });
        }
    }
    if !report.failed() {
        warn_of_unreachable(&flow, report);
    }
    flow
}

/// Each node's place by its name.
fn places<'s>(spec: &'s ScenarioSpec, report: &mut Report<'_>) -> BTreeMap<&'s str, usize> {
    let mut places = BTreeMap::new();
    for (index, node) in spec.nodes.iter().enumerate() {
        if places.insert(node.name.as_str(), index).is_some() {
            let message = format!("another node is named {} too", node.name);
            let _: Option<()> = report.refuse(format!("spec.nodes[{index}].name"), message);
        }
    }
    if spec.nodes.is_empty() {
        let _: Option<()> = report.refuse("spec.nodes", "a scenario needs at least one node");
    }
    places
}

fn following(spec: &ScenarioSpec, index: usize) -> NextNode {
    if index + 1 < spec.nodes.len() { node_target(index + 1) } else { NextNode::End }
}

fn node_target(index: usize) -> NextNode {
    u16::try_from(index).map_or(NextNode::End, |index| NextNode::Node(NodeIndex(index)))
}

fn kind(
    node: &Node,
    index: usize,
    places: &BTreeMap<&str, usize>,
    sources: &Sources,
    (scope, samples): (&Scope, &Samples),
    report: &mut Report<'_>,
) -> Option<FlowNodeKind> {
    let path = format!("spec.nodes[{index}]");
    match (&node.condition, &node.message, &node.wait) {
        (Some(declared), None, None) => {
            let condition = report.condition(&format!("{path}.condition.if"), &declared.r#if, scope);
            let otherwise =
                target(&declared.r#else, index, places, &format!("{path}.condition.else"), report);
            Some(FlowNodeKind::Condition { condition: condition?, otherwise: otherwise? })
        }
        (None, None, Some(declared)) => {
            let wait = wait::compile(declared, &format!("{path}.wait"), scope, report)?;
            Some(FlowNodeKind::Wait(Box::new(wait)))
        }
        (None, Some(declared), None) => {
            let path = format!("{path}.message");
            let message = message::compile(declared, &path, sources, (scope, samples), report)?;
            Some(FlowNodeKind::Message(Box::new(message)))
        }
        _ => report.refuse(path, "exactly one of condition, message and wait must be set"),
    }
}

/// Edges only run forward, so that a flow cannot loop.
fn target(
    name: &str,
    from: usize,
    places: &BTreeMap<&str, usize>,
    path: &str,
    report: &mut Report<'_>,
) -> Option<NextNode> {
    if name == "End" {
        return Some(NextNode::End);
    }
    match places.get(name) {
        Some(to) if *to > from => Some(node_target(*to)),
        Some(_) => report.refuse(
            path,
            format!(
                "{name} does not come after this node, and edges only run forward; move it down, or name End"
            ),
        ),
        None => {
            let near = nearest(name, places.keys().copied());
            let remedy = near.map_or_else(
                || "name a later node, or End".to_owned(),
                |near| format!("did you mean {near}?"),
            );
            report.refuse(path, format!("there is no node {name}; {remedy}"))
        }
    }
}

fn warn_of_unreachable(flow: &Flow, report: &mut Report<'_>) {
    let mut reached = vec![false; flow.nodes.len()];
    let reach = |target: NextNode, reached: &mut Vec<bool>| {
        if let NextNode::Node(index) = target
            && let Some(node) = reached.get_mut(usize::from(index.0))
        {
            *node = true;
        }
    };
    reach(flow.start(), &mut reached);
    for (index, node) in flow.nodes.iter().enumerate() {
        if !reached[index] {
            report.warn(format!("spec.nodes[{index}]"), format!("no customer ever comes to {}", node.name));
            continue;
        }
        reach(node.next, &mut reached);
        if let FlowNodeKind::Condition { otherwise, .. } = &node.kind {
            reach(*otherwise, &mut reached);
        }
    }
}

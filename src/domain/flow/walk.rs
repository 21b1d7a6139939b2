//! From a position to the next message or to the end, with what was decided on the way.

use jiff::Timestamp;

use super::{Flow, FlowNodeKind, NextNode};
use crate::domain::expression::{Facts, Truth};
use crate::domain::name::NodeIndex;

/// Where a walk stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowStep {
    /// At a message.
    Message {
        /// Its node.
        node: NodeIndex,
    },
    /// At a node that it waits at.
    Wait {
        /// The node.
        node: NodeIndex,
        /// When it goes on.
        until: Timestamp,
    },
    /// At the journey's end.
    End,
}

/// What a condition node decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The node.
    pub node: NodeIndex,
    /// What its condition was; all but true goes to `else`.
    pub truth: Truth,
}

/// A walk and its decisions, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Walked {
    /// Where it stops.
    pub step: FlowStep,
    /// What was decided on the way.
    pub decisions: Vec<Decision>,
}

/// Walks from a position that is reached at this time. Pure: the same facts lead the same way.
pub fn walk(flow: &Flow, position: NextNode, facts: Facts<'_>, reached_at: Timestamp) -> Walked {
    let mut decisions = Vec::new();
    let mut at = position;
    // Targets run forward, so this ends; the bound holds it to that whatever the flow was made of.
    for _ in 0..=flow.nodes.len() {
        let NextNode::Node(index) = at else { break };
        let Some(node) = flow.nodes.get(usize::from(index.0)) else { break };
        match &node.kind {
            FlowNodeKind::Message(_) => {
                return Walked { step: FlowStep::Message { node: index }, decisions };
            }
            FlowNodeKind::Wait(wait) => {
                if let Some(until) = wait.over_at(facts, reached_at) {
                    return Walked { step: FlowStep::Wait { node: index, until }, decisions };
                }
                at = node.next;
            }
            FlowNodeKind::Condition { condition, otherwise } => {
                let truth = condition.decide(facts);
                at = if truth.is_true() { node.next } else { *otherwise };
                decisions.push(Decision { node: index, truth });
            }
        }
    }
    Walked { step: FlowStep::End, decisions }
}

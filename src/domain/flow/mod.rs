//! A journey: one customer's way through a run's nodes, as data and pure decisions.
//!
//! Edges only run forward, so a walk ends after at most as many steps as there are nodes. A journey's position is
//! a target; a crash continues from it, and nothing that was decided is decided again.

mod compose;
mod message;
mod wait;
mod walk;

#[cfg(test)]
mod tests;

pub use compose::{Composed, compose};
pub use message::{ContentTemplates, FlowMessage, Numbers};
pub use wait::{Wait, WaitZone};
pub use walk::{Decision, FlowStep, Walked, walk};

use std::sync::Arc;

use super::expression::{Condition, EventTypes};
use super::name::{ChannelName, NodeIndex};

/// The nodes of a scenario, in their order.
#[derive(Debug, Clone, Default)]
pub struct Flow {
    /// The nodes; every target leads to a later one or to the end.
    pub nodes: Vec<FlowNode>,
}

/// One step of a customer's way.
#[derive(Debug, Clone)]
pub struct FlowNode {
    /// Its name, unique within the scenario.
    pub name: Arc<str>,
    /// What happens here.
    pub kind: FlowNodeKind,
    /// Where it goes on.
    pub next: NextNode,
}

/// What happens at a node.
#[derive(Debug, Clone)]
pub enum FlowNodeKind {
    /// Only a true condition goes on to `next`.
    Condition {
        /// The condition.
        condition: Condition,
        /// Where a customer goes for whom it is not true.
        otherwise: NextNode,
    },
    /// A message is sent.
    Message(Box<FlowMessage>),
    /// The journey waits.
    Wait(Box<Wait>),
}

/// Where a journey goes, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NextNode {
    /// To a node that has not been looked at.
    Node(NodeIndex),
    /// To its end.
    End,
}

impl Flow {
    /// Where every journey begins.
    pub fn start(&self) -> NextNode {
        self.target(0)
    }

    /// Where a journey goes on behind a node, whatever became of its message.
    pub fn after(&self, node: NodeIndex) -> NextNode {
        self.nodes.get(usize::from(node.0)).map_or(NextNode::End, |node| node.next)
    }

    /// The node at an index of the list; the end behind the last one.
    pub fn target(&self, index: usize) -> NextNode {
        match u16::try_from(index) {
            Ok(node) if index < self.nodes.len() => NextNode::Node(NodeIndex(node)),
            _ => NextNode::End,
        }
    }

    /// The message of a node.
    pub fn message(&self, node: NodeIndex) -> Option<&FlowMessage> {
        match &self.nodes.get(usize::from(node.0))?.kind {
            FlowNodeKind::Message(message) => Some(message),
            FlowNodeKind::Condition { .. } | FlowNodeKind::Wait(_) => None,
        }
    }

    /// The channels its messages leave by, each once.
    pub fn channels(&self) -> Vec<ChannelName> {
        let messages = self.nodes.iter().filter_map(|node| match &node.kind {
            FlowNodeKind::Message(message) => Some(message.channel.clone()),
            FlowNodeKind::Condition { .. } | FlowNodeKind::Wait(_) => None,
        });
        let mut channels: Vec<ChannelName> = messages.collect();
        channels.sort_unstable();
        channels.dedup();
        channels
    }

    /// Whether a journey may wait on its way.
    pub fn waits(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.kind, FlowNodeKind::Wait(_)))
    }

    /// The types of events that its conditions and contents ask for.
    pub fn event_types(&self) -> EventTypes {
        let mut types = EventTypes::default();
        for node in &self.nodes {
            match &node.kind {
                FlowNodeKind::Condition { condition, .. } => types.extend(condition.event_types()),
                FlowNodeKind::Wait(wait) => {
                    if let Wait::Until { time, .. } = &**wait {
                        types.extend(&time.event_types());
                    }
                }
                FlowNodeKind::Message(message) => {
                    message.templates().into_iter().for_each(|template| types.extend(template.event_types()));
                }
            }
        }
        types
    }
}

//! What the parts of a tree depend on: the customer, or the run alone.

use std::collections::BTreeSet;

use super::evaluate::find;
use super::facts::Facts;
use super::tree::{EventTerm, Node, NodeKind, Root, Term, TermKind, Window};
use crate::domain::customer::EventNeeds;
use crate::domain::value::Value;

impl Term {
    /// Whether the value can differ from customer to customer.
    pub fn needs_customer(&self) -> bool {
        match &self.kind {
            TermKind::Path(path) => matches!(path.root, Root::Customer | Root::Consents),
            TermKind::Consent(_) | TermKind::Id(_) | TermKind::Events(_) => true,
            _ => self.parts().into_iter().any(Term::needs_customer) || self.nodes().any(Node::needs_customer),
        }
    }

    /// Whether anything is looked at to find the value; else it is a constant.
    pub fn reads(&self) -> bool {
        match &self.kind {
            TermKind::Path(_)
            | TermKind::Consent(_)
            | TermKind::Id(_)
            | TermKind::Events(_)
            | TermKind::Call(_)
            | TermKind::Now => true,
            _ => self.parts().into_iter().any(Term::reads) || self.nodes().any(Node::reads),
        }
    }

    /// The terms it is made of.
    pub fn parts(&self) -> Vec<&Term> {
        match &self.kind {
            TermKind::Default { of, fallback, .. } => vec![of, fallback],
            TermKind::Convert(_, of) => vec![of],
            TermKind::Events(events) => events.parts(),
            TermKind::List(terms) => terms.iter().collect(),
            TermKind::If(parts) => std::iter::once(&parts.1).chain(&parts.2).collect(),
            TermKind::FirstTruthy(pair) | TermKind::FirstFalsy(pair) => pair.iter().collect(),
            TermKind::Jinja(leaf) => leaf.captured.iter().collect(),
            TermKind::Literal(_)
            | TermKind::Path(_)
            | TermKind::Consent(_)
            | TermKind::Id(_)
            | TermKind::Call(_)
            | TermKind::Now
            | TermKind::Truth(_) => Vec::new(),
        }
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        match &self.kind {
            TermKind::If(parts) => Some(&parts.0),
            TermKind::Truth(node) => Some(node.as_ref()),
            _ => None,
        }
        .into_iter()
    }

    /// The event terms in it, itself included.
    pub fn events<'t>(&'t self, into: &mut Vec<&'t EventTerm>) {
        if let TermKind::Events(events) = &self.kind {
            into.push(events);
        }
        for part in self.parts() {
            part.events(into);
        }
        for node in self.nodes() {
            node.events(into);
        }
    }
}

impl EventTerm {
    fn parts(&self) -> Vec<&Term> {
        let windows = self.windows.iter().filter_map(|window| match window {
            Window::Within(_) => None,
            Window::WithinText(term) | Window::Since(term) | Window::Before(term) => Some(term),
        });
        std::iter::once(&self.event_type)
            .chain(self.properties.iter().map(|(_, term)| term))
            .chain(windows)
            .collect()
    }

    /// Whether the arguments can differ from customer to customer.
    pub fn arguments_need_customer(&self) -> bool {
        self.parts().into_iter().any(Term::needs_customer)
    }
}

impl Node {
    /// Whether it can differ from customer to customer.
    pub fn needs_customer(&self) -> bool {
        self.terms().into_iter().any(Term::needs_customer) || self.children().iter().any(Node::needs_customer)
    }

    /// Whether anything is looked at to decide; else it is the same for all.
    pub fn reads(&self) -> bool {
        self.terms().into_iter().any(Term::reads) || self.children().iter().any(Node::reads)
    }

    /// The nodes it is made of.
    pub fn children(&self) -> &[Node] {
        match &self.kind {
            NodeKind::All(nodes) | NodeKind::Any(nodes) => nodes,
            NodeKind::Not(inner) => std::slice::from_ref(inner),
            NodeKind::If(parts) => parts.as_ref(),
            _ => &[],
        }
    }

    /// The terms it looks at itself.
    pub fn terms(&self) -> Vec<&Term> {
        match &self.kind {
            NodeKind::Compare(left, _, right) => vec![left, right],
            NodeKind::Within(item, of) => vec![item, of],
            NodeKind::Defined(term) | NodeKind::Truthy(term) => vec![term],
            NodeKind::StartsWith(of, with) | NodeKind::EndsWith(of, with) => vec![of, with],
            _ => Vec::new(),
        }
    }

    /// The event terms in it.
    pub fn events<'t>(&'t self, into: &mut Vec<&'t EventTerm>) {
        for term in self.terms() {
            term.events(into);
        }
        for child in self.children() {
            child.events(into);
        }
    }
}

/// The types of events that a source asks for; those that depend on params are settled per run.
#[derive(Debug, Clone, Default)]
pub struct EventTypes {
    named: BTreeSet<String>,
    settled_per_run: Vec<Term>,
}

impl EventTypes {
    pub(crate) fn of(events: &[&EventTerm]) -> Self {
        let mut types = EventTypes::default();
        for event in events {
            types.add(&event.event_type);
        }
        types
    }

    pub(crate) fn add(&mut self, event_type: &Term) {
        match &event_type.kind {
            TermKind::Literal(Value::Text(name)) => {
                self.named.insert(name.to_string());
            }
            _ => self.settled_per_run.push(event_type.clone()),
        }
    }

    /// Adds those of another source.
    pub fn extend(&mut self, other: &EventTypes) {
        self.named.extend(other.named.iter().cloned());
        self.settled_per_run.extend(other.settled_per_run.iter().cloned());
    }

    /// Whether no events are asked for.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.settled_per_run.is_empty()
    }

    /// What must be loaded with the customers of one run; `facts` are those of its call.
    pub fn settle(&self, facts: Facts<'_>) -> EventNeeds {
        let mut types = self.named.clone();
        for term in &self.settled_per_run {
            if let Ok(Value::Text(name)) = find(term, facts).known().as_deref() {
                types.insert(name.to_string());
            }
        }
        EventNeeds { types }
    }
}

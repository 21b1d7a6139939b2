//! Which indexes an audience needs, and how it will be found, in words.

use super::Wanted;
use super::leaf::{Ask, Leaf, classify};
use crate::domain::expression::tree::{EventTerm, Node, NodeKind, TermKind};
use crate::domain::selection::{Comparison, IndexNeed};
use crate::domain::value::{Number, Value};

/// How the parts of a condition are decided, each by its source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PushDown {
    /// The store decides them.
    pub pushed: Vec<String>,
    /// They are decided in process, for each customer that the store selects.
    pub finished: Vec<String>,
    /// Where one of them holds for a call, every customer is selected.
    pub everyone_if: Vec<String>,
}

/// A way from a part of a condition to its customers that does not look at each of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// By an index that must be provided for it.
    Index(IndexNeed),
    /// By the events of this type, in the order of their time: that index is always there.
    Events(String),
    /// By the ids of this kind: that index is always there, too.
    Ids(String),
}

/// The indexes that would find the customers of a condition. Empty if none has to be provided.
pub(crate) fn index_needs(node: &Node) -> Vec<IndexNeed> {
    let provided = |way| match way {
        Way::Index(need) => Some(need),
        Way::Events(_) | Way::Ids(_) => None,
    };
    ways(node).into_iter().filter_map(provided).collect()
}

/// The ways to the customers of a condition. Empty if they can only be found by looking at each.
pub(crate) fn ways(node: &Node) -> Vec<Way> {
    let mut ways = ways_of(node, Wanted::True);
    ways.sort();
    ways.dedup();
    ways
}

fn ways_of(node: &Node, wanted: Wanted) -> Vec<Way> {
    match (&node.kind, wanted) {
        (NodeKind::All(nodes), Wanted::True) | (NodeKind::Any(nodes), Wanted::False) => {
            nodes.iter().flat_map(|node| ways_of(node, wanted)).collect()
        }
        (NodeKind::Any(nodes), Wanted::True) | (NodeKind::All(nodes), Wanted::False) => {
            all_or_none(nodes.iter().filter(|node| node.needs_customer()).map(|node| ways_of(node, wanted)))
        }
        (NodeKind::Not(inner), _) => ways_of(inner, wanted.other()),
        (NodeKind::If(parts), _) => all_or_none(parts[1..].iter().map(|node| ways_of(node, wanted))),
        _ => of_leaf(node, wanted),
    }
}

/// One side that must be looked for everywhere makes the ways of the others useless.
fn all_or_none(sides: impl Iterator<Item = Vec<Way>>) -> Vec<Way> {
    let sides: Vec<Vec<Way>> = sides.collect();
    if sides.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    sides.into_iter().flatten().collect()
}

fn of_leaf(node: &Node, wanted: Wanted) -> Vec<Way> {
    match classify(node) {
        Leaf::Attribute { path, fallback: None, ask } if selects_few(&ask, wanted) => {
            vec![Way::Index(IndexNeed::Attribute { path })]
        }
        Leaf::Id { kind, fallback: None, ask } if names_ids(&ask, wanted) => vec![Way::Ids(kind.to_owned())],
        Leaf::Events { events, ask } if needs_an_event(&ask, wanted) => of_events(events),
        _ => Vec::new(),
    }
}

fn selects_few(ask: &Ask<'_>, wanted: Wanted) -> bool {
    match ask {
        Ask::Compare(by, _) => {
            let by = if wanted == Wanted::True { *by } else { by.negated() };
            by != Comparison::NotEqual
        }
        Ask::Within(_) | Ask::StartsWith(_) | Ask::Truthy => wanted == Wanted::True,
        Ask::Defined => false,
    }
}

/// Whether the ids of those who are selected are known before the customers.
fn names_ids(ask: &Ask<'_>, wanted: Wanted) -> bool {
    match ask {
        Ask::Compare(Comparison::Equal, _) | Ask::Within(_) => wanted == Wanted::True,
        Ask::Compare(Comparison::NotEqual, _) => wanted == Wanted::False,
        _ => false,
    }
}

/// Whether a customer without a matching event is surely not selected.
fn needs_an_event(ask: &Ask<'_>, wanted: Wanted) -> bool {
    match ask {
        Ask::Compare(by, with) => {
            let by = if wanted == Wanted::True { *by } else { by.negated() };
            match &with.kind {
                TermKind::Literal(Value::Number(number)) => !by.accepts(Number::Integer(0).cmp(number)),
                _ => by != Comparison::NotEqual,
            }
        }
        Ask::Truthy | Ask::Defined => wanted == Wanted::True,
        Ask::Within(_) | Ask::StartsWith(_) => false,
    }
}

fn of_events(events: &EventTerm) -> Vec<Way> {
    let TermKind::Literal(Value::Text(event_type)) = &events.event_type.kind else {
        return Vec::new();
    };
    if events.properties.is_empty() {
        return vec![Way::Events(event_type.to_string())];
    }
    let need = |property: &str| IndexNeed::EventProperty {
        event_type: event_type.to_string(),
        property: property.to_owned(),
    };
    events.properties.iter().map(|(property, _)| Way::Index(need(property))).collect()
}

/// Says which parts of a condition the store decides.
pub(crate) fn push_down(source: &str, node: &Node) -> PushDown {
    let mut told = PushDown::default();
    tell(source, node, &mut told);
    told.everyone_if = everyone_if(source, node, Wanted::True);
    told
}

/// The parts that are the same for every customer of a call, and that by themselves make the whole so.
fn everyone_if(source: &str, node: &Node, wanted: Wanted) -> Vec<String> {
    match (&node.kind, wanted) {
        _ if !node.needs_customer() => {
            let text = source.get(node.span.clone()).unwrap_or_default();
            match (&node.kind, wanted) {
                (NodeKind::Constant(truth), _) if !wanted.is(*truth) => Vec::new(),
                (_, Wanted::True) => vec![text.to_owned()],
                (_, Wanted::False) => vec![format!("not {text}")],
            }
        }
        (NodeKind::Any(nodes), Wanted::True) | (NodeKind::All(nodes), Wanted::False) => {
            nodes.iter().flat_map(|node| everyone_if(source, node, wanted)).collect()
        }
        (NodeKind::All(nodes), Wanted::True) | (NodeKind::Any(nodes), Wanted::False) => {
            let parts: Vec<Vec<String>> =
                nodes.iter().map(|node| everyone_if(source, node, wanted)).collect();
            match parts.iter().all(|part| !part.is_empty()) {
                true => vec![parts.concat().join(" and ")],
                false => Vec::new(),
            }
        }
        (NodeKind::Not(inner), _) => everyone_if(source, inner, wanted.other()),
        (NodeKind::If(parts), _) => {
            parts[1..].iter().flat_map(|side| everyone_if(source, side, wanted)).collect()
        }
        _ => Vec::new(),
    }
}

fn tell(source: &str, node: &Node, told: &mut PushDown) {
    if !node.children().is_empty() {
        node.children().iter().for_each(|child| tell(source, child, told));
        return;
    }
    let text = || source.get(node.span.clone()).unwrap_or_default().to_owned();
    match classify(node) {
        Leaf::Run => {}
        Leaf::Opaque { .. } => told.finished.push(text()),
        Leaf::Events { events, .. } if !is_count(events) => told.finished.push(text()),
        Leaf::Attribute { .. } | Leaf::Id { .. } | Leaf::Consent { .. } | Leaf::Events { .. } => {
            told.pushed.push(text());
        }
    }
}

fn is_count(events: &EventTerm) -> bool {
    events.aggregate == crate::domain::expression::tree::Aggregate::Count
}

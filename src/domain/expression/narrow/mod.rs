//! The reading of the tree for a store: what is so for every customer a condition selects.
//!
//! A condition is read for being true and, under a `not`, for being false. What the store cannot decide exactly
//! becomes everyone, whichever of the two is wanted, so that a selection has too many customers, never too few.

mod attribute;
mod combine;
mod events;
mod leaf;
mod needs;

use super::evaluate::decide;
use super::facts::Facts;
use super::tree::{Node, NodeKind};
use crate::domain::selection::{Selection, Test};
use combine::{all, any};
use leaf::{Leaf, classify};
pub use needs::{PushDown, Way};
pub(crate) use needs::{index_needs, push_down, ways};

/// What a condition becomes for one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Narrowed {
    /// A superset of the customers it is true for.
    pub selection: Selection,
    /// Whether it is no more than those, so that the evaluator need not look again.
    pub exact: bool,
}

impl Narrowed {
    fn exactly(selection: Selection) -> Self {
        Narrowed { selection, exact: true }
    }

    fn at_most(selection: Selection) -> Self {
        Narrowed { selection, exact: false }
    }

    fn decided(holds: bool) -> Self {
        Narrowed::exactly(if holds { Selection::Everyone } else { Selection::Nobody })
    }
}

/// Which of the two is wanted of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    True,
    False,
}

impl Wanted {
    fn is(self, truth: bool) -> bool {
        truth == (self == Wanted::True)
    }

    fn other(self) -> Self {
        match self {
            Wanted::True => Wanted::False,
            Wanted::False => Wanted::True,
        }
    }
}

/// Reads a condition for one run; `facts` are those of its call.
pub(crate) fn narrow(node: &Node, facts: Facts<'_>) -> Narrowed {
    read(node, Wanted::True, facts)
}

fn read(node: &Node, wanted: Wanted, facts: Facts<'_>) -> Narrowed {
    let read_all = |nodes: &[Node]| nodes.iter().map(|node| read(node, wanted, facts)).collect();
    match (&node.kind, wanted) {
        (NodeKind::Constant(truth), _) => Narrowed::decided(wanted.is(*truth)),
        (NodeKind::All(nodes), Wanted::True) | (NodeKind::Any(nodes), Wanted::False) => all(read_all(nodes)),
        (NodeKind::Any(nodes), Wanted::True) | (NodeKind::All(nodes), Wanted::False) => any(read_all(nodes)),
        (NodeKind::Not(inner), _) => read(inner, wanted.other(), facts),
        (NodeKind::If(parts), _) => {
            let [test, then, otherwise] = parts.as_ref();
            any(vec![
                all(vec![read(test, Wanted::True, facts), read(then, wanted, facts)]),
                all(vec![read(test, Wanted::False, facts), read(otherwise, wanted, facts)]),
            ])
        }
        _ => read_leaf(node, wanted, facts),
    }
}

fn read_leaf(node: &Node, wanted: Wanted, facts: Facts<'_>) -> Narrowed {
    match classify(node) {
        Leaf::Run => Narrowed::decided(decide(node, facts).known().is_some_and(|truth| wanted.is(truth))),
        Leaf::Attribute { path, fallback, ask } => {
            let select = |test| Selection::Attribute { path: path.clone(), test };
            attribute::read(select, fallback, &ask, wanted, facts)
        }
        Leaf::Id { kind, fallback, ask } => {
            let select = |test| Selection::Id { kind: kind.to_owned(), test };
            attribute::read(select, fallback, &ask, wanted, facts)
        }
        Leaf::Consent { category, ask } => attribute::consent(category, &ask, wanted, facts),
        Leaf::Events { events, ask } => events::read(events, &ask, wanted, facts),
        Leaf::Opaque { present } => {
            let present = present.into_iter().map(|path| Selection::Attribute { path, test: Test::Defined });
            let mut parts: Vec<Narrowed> = present.map(Narrowed::at_most).collect();
            parts.push(Narrowed::at_most(Selection::Everyone));
            all(parts)
        }
    }
}

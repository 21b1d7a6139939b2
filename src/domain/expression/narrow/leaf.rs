//! What a leaf of the tree is to a store: a test of an attribute, of an id, of a consent, of events, or nothing it knows.

use crate::domain::expression::tree::{EventTerm, Node, NodeKind, Path, PathStep, Root, Term, TermKind};
use crate::domain::selection::Comparison;

/// A leaf as a store sees it.
#[derive(Debug)]
pub(super) enum Leaf<'t> {
    /// It is the same for every customer of a run.
    Run,
    Attribute {
        path: Vec<String>,
        /// What stands for the attribute where it is missing.
        fallback: Option<&'t Term>,
        ask: Ask<'t>,
    },
    Id {
        kind: &'t str,
        /// What stands for the id where the customer has none.
        fallback: Option<&'t Term>,
        ask: Ask<'t>,
    },
    Consent {
        category: &'t str,
        ask: Ask<'t>,
    },
    Events {
        events: &'t EventTerm,
        ask: Ask<'t>,
    },
    /// The store cannot decide it; without these attributes it is unknown.
    Opaque {
        present: Vec<Vec<String>>,
    },
}

/// What is asked; the terms do not depend on the customer.
#[derive(Debug)]
pub(super) enum Ask<'t> {
    Compare(Comparison, &'t Term),
    /// Whether it is in this.
    Within(&'t Term),
    StartsWith(&'t Term),
    Defined,
    Truthy,
}

/// What a term is about.
enum Subject<'t> {
    Attribute(Vec<String>, Option<&'t Term>),
    Id(&'t str, Option<&'t Term>),
    Consent(&'t str),
    Events(&'t EventTerm),
}

pub(super) fn classify(node: &Node) -> Leaf<'_> {
    if !node.needs_customer() {
        return Leaf::Run;
    }
    let asked = match &node.kind {
        NodeKind::Compare(left, by, right) if !right.needs_customer() => {
            Some((left.as_ref(), Ask::Compare(*by, right)))
        }
        NodeKind::Compare(left, by, right) if !left.needs_customer() => {
            Some((right.as_ref(), Ask::Compare(by.mirrored(), left)))
        }
        NodeKind::Within(item, of) if !of.needs_customer() => Some((item.as_ref(), Ask::Within(of))),
        NodeKind::StartsWith(of, with) if !with.needs_customer() => Some((of, Ask::StartsWith(with))),
        NodeKind::Defined(term) => Some((term, Ask::Defined)),
        NodeKind::Truthy(term) => Some((term, Ask::Truthy)),
        _ => None,
    };
    match asked.and_then(|(term, ask)| Some((subject(term)?, ask))) {
        Some((Subject::Attribute(path, fallback), ask)) => Leaf::Attribute { path, fallback, ask },
        Some((Subject::Id(kind, fallback), ask)) => Leaf::Id { kind, fallback, ask },
        Some((Subject::Consent(category), ask)) => Leaf::Consent { category, ask },
        Some((Subject::Events(events), ask)) => Leaf::Events { events, ask },
        None => Leaf::Opaque { present: present(node) },
    }
}

fn subject(term: &Term) -> Option<Subject<'_>> {
    match &term.kind {
        TermKind::Path(path) => attribute(path).map(|path| Subject::Attribute(path, None)),
        TermKind::Consent(category) => Some(Subject::Consent(category)),
        TermKind::Id(kind) => Some(Subject::Id(kind, None)),
        TermKind::Events(events) if !events.arguments_need_customer() => Some(Subject::Events(events)),
        TermKind::Default { of, fallback, replaces_falsy: false } if !fallback.needs_customer() => {
            match &of.kind {
                TermKind::Path(path) => attribute(path).map(|path| Subject::Attribute(path, Some(fallback))),
                TermKind::Id(kind) => Some(Subject::Id(kind, Some(fallback))),
                _ => None,
            }
        }
        _ => None,
    }
}

fn attribute(path: &Path) -> Option<Vec<String>> {
    (path.root == Root::Customer).then(|| path.names()).flatten()
}

/// The attributes without which a leaf is unknown.
fn present(node: &Node) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    match &node.kind {
        NodeKind::Compare(left, _, right) => {
            required(left, &mut paths);
            required(right, &mut paths);
        }
        NodeKind::Within(item, of) => {
            required(item, &mut paths);
            // An element that is missing does not keep another from being equal.
            if !matches!(of.kind, TermKind::List(_)) {
                required(of, &mut paths);
            }
        }
        NodeKind::StartsWith(of, with) | NodeKind::EndsWith(of, with) => {
            required(of, &mut paths);
            required(with, &mut paths);
        }
        // A bare value that is missing is false, but a filter over a missing one is unknown.
        NodeKind::Truthy(term) if matches!(term.kind, TermKind::Jinja(_)) => required(term, &mut paths),
        _ => {}
    }
    paths.sort();
    paths.dedup();
    paths
}

/// The attributes without which a term has no value.
fn required(term: &Term, into: &mut Vec<Vec<String>>) {
    match &term.kind {
        TermKind::Path(path) if path.root == Root::Customer => {
            let names = path.steps.iter().map_while(|step| match step {
                PathStep::Name(name) => Some(name.to_string()),
                PathStep::Index(_) => None,
            });
            let names: Vec<String> = names.collect();
            if !names.is_empty() {
                into.push(names);
            }
        }
        TermKind::Convert(_, of) => required(of, into),
        TermKind::List(terms) => terms.iter().for_each(|term| required(term, into)),
        TermKind::Jinja(leaf) => leaf.captured.iter().for_each(|term| required(term, into)),
        TermKind::Events(events) => events.properties.iter().for_each(|(_, term)| required(term, into)),
        _ => {}
    }
}

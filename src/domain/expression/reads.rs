//! What of a request an expression reads: the paths into its body and its element.
//!
//! A trigger that refuses unknown fields knows by it which fields a mapping uses, and an example is made along it.

use super::Expression;
use super::tree::{Node, PathStep, Root, Term, TermKind};

/// A way into the body or the element, name by name; empty for the whole. It ends before the first index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPath {
    /// Whether it leads into the element of a `forEach`, else into the body.
    pub of_element: bool,
    /// The names on the way.
    pub names: Vec<String>,
    /// Whether it goes on by index behind the names.
    pub goes_on: bool,
}

impl Expression {
    /// Every path into the body or the element, in the order of the source.
    pub fn request_paths(&self) -> Vec<RequestPath> {
        let mut paths = Vec::new();
        of_term(self.term(), &mut paths);
        paths
    }
}

fn of_term(term: &Term, into: &mut Vec<RequestPath>) {
    if let TermKind::Path(path) = &term.kind
        && matches!(path.root, Root::Body | Root::Item)
    {
        let mut names = Vec::new();
        for step in &path.steps {
            let PathStep::Name(name) = step else { break };
            names.push(name.to_string());
        }
        let goes_on = names.len() < path.steps.len();
        into.push(RequestPath { of_element: path.root == Root::Item, names, goes_on });
    }
    for part in term.parts() {
        of_term(part, into);
    }
    match &term.kind {
        TermKind::If(parts) => of_node(&parts.0, into),
        TermKind::Truth(node) => of_node(node, into),
        _ => {}
    }
}

fn of_node(node: &Node, into: &mut Vec<RequestPath>) {
    for term in node.terms() {
        of_term(term, into);
    }
    for child in node.children() {
        of_node(child, into);
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::expression::{Expression, Place, Scope};

    fn paths(source: &str) -> Vec<String> {
        let expression = Expression::compile(source, &Scope::bare(Place::Element)).unwrap();
        let shown = expression.request_paths().into_iter().map(|path| {
            let root = if path.of_element { "item" } else { "body" };
            format!("{root}.{}{}", path.names.join("."), if path.goes_on { "[]" } else { "" })
        });
        shown.collect()
    }

    #[test]
    fn finds_every_path_wherever_it_stands() {
        assert_eq!(paths("item.properties.event | lower"), ["item.properties.event"]);
        assert_eq!(paths("body.a[0].b ~ item.c"), ["body.a[]", "item.c"]);
        assert_eq!(paths("item.x if body.y == 1 else 'z'"), ["item.x", "body.y"]);
        assert_eq!(paths("body | tojson"), ["body."]);
    }
}

//! What a param must be for a condition to hold: conditions are found by it, instead of being decided one by one.

use std::sync::Arc;

use super::tree::{Node, NodeKind, Path, PathStep, Root, Term, TermKind};
use crate::domain::selection::Comparison;
use crate::domain::value::Value;

/// A condition is not true unless a param is one of these texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredText {
    /// The param.
    pub param: Arc<str>,
    /// What it may be.
    pub texts: Vec<Arc<str>>,
}

impl RequiredText {
    /// What holds if one of two conditions is true; `None` if they look at different params.
    #[must_use]
    pub fn or(mut self, other: Self) -> Option<Self> {
        if self.param != other.param {
            return None;
        }
        self.texts.extend(other.texts);
        Some(self)
    }
}

/// What is required for a node to be true; `None` where that is no text of one param.
///
/// Values compare within one kind and by exact value, so that any other value makes a comparison false or unknown.
pub(super) fn required_text(node: &Node) -> Option<RequiredText> {
    match &node.kind {
        NodeKind::All(parts) => parts.iter().find_map(required_text),
        NodeKind::Any(parts) => {
            let mut required = parts.iter().map(required_text);
            let first = required.next()??;
            required.try_fold(first, |all, its| all.or(its?))
        }
        NodeKind::Compare(left, Comparison::Equal, right) => {
            let (param, text) = match param(left) {
                Some(param) => (param, text(right)?),
                None => (param(right)?, text(left)?),
            };
            Some(RequiredText { param, texts: vec![text] })
        }
        NodeKind::Within(item, list) => {
            let TermKind::Literal(Value::List(elements)) = &list.kind else { return None };
            let texts = elements.iter().map(|element| match element {
                Value::Text(text) => Some(Arc::clone(text)),
                _ => None,
            });
            Some(RequiredText { param: param(item)?, texts: texts.collect::<Option<_>>()? })
        }
        _ => None,
    }
}

fn param(term: &Term) -> Option<Arc<str>> {
    match &term.kind {
        TermKind::Path(Path { root: Root::Params, steps }) => match steps.as_slice() {
            [PathStep::Name(name)] => Some(Arc::clone(name)),
            _ => None,
        },
        _ => None,
    }
}

fn text(term: &Term) -> Option<Arc<str>> {
    match &term.kind {
        TermKind::Literal(Value::Text(text)) => Some(Arc::clone(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use crate::domain::expression::tests::{NOW, call, scope};
    use crate::domain::expression::{Condition, Facts};
    use crate::domain::value::Value;

    fn required(source: &str) -> Option<String> {
        let required = Condition::compile(source, &scope()).unwrap().required_text()?;
        Some(format!("{} {}", required.param, required.texts.join(" ")))
    }

    #[test]
    fn what_must_hold_in_any_case_is_required() {
        let cases = [
            ("params.p == 'a'", Some("p a")),
            ("'a' == params.p", Some("p a")),
            ("params.p in ['a', 'b']", Some("p a b")),
            ("params.limit > 3 and params.p == 'a' and params.q == 'b'", Some("p a")),
            ("params.p == 'a' or params.p == 'b' and params.limit > 3", Some("p a b")),
            ("params.p == 'a' or params.q == 'b'", None),
            ("params.p == 'a' or params.limit > 3", None),
            ("not params.p == 'a'", None),
            ("params.p != 'a'", None),
            ("params.p == params.q", None),
            ("params.p | lower == 'a'", None),
            ("params.limit == 3", None),
            ("params.p in params.postcodes", None),
        ];
        for (source, expected) in cases {
            assert_eq!(required(source).as_deref(), expected, "{source}");
        }
    }

    fn condition() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "params.p == 'a'",
            "'b' == params.p",
            "params.p in ['a', 'b']",
            "params.q == 'a'",
            "params.q != 'a'",
            "params.p == params.q",
            "params.limit > 1",
            "params.absent == 'a'",
        ]);
        leaf.prop_map(str::to_owned).prop_recursive(3, 12, 2, |inner| {
            (inner.clone(), inner, 0..3).prop_map(|(left, right, by)| match by {
                0 => format!("({left}) and ({right})"),
                1 => format!("({left}) or ({right})"),
                _ => format!("not ({left})"),
            })
        })
    }

    fn value() -> impl Strategy<Value = Json> {
        prop::sample::select(vec![
            json!("a"),
            json!("b"),
            json!("A"),
            json!(""),
            json!(1),
            json!(true),
            json!(["a"]),
        ])
    }

    proptest! {
        /// Nothing fires that would not be found by what it requires.
        #[test]
        fn what_is_true_has_what_it_requires(source in condition(), p in value(), q in value(), limit in 0..3) {
            let condition = Condition::compile(&source, &scope()).unwrap();
            let call = call(&json!({"p": p, "q": q, "limit": limit}));
            let holds = condition.decide(Facts::of_call(&call, NOW.parse().unwrap())).is_true();
            if let (true, Some(required)) = (holds, condition.required_text()) {
                let has = call.params.get(required.param.as_ref());
                let is_one = matches!(has, Some(Value::Text(text)) if required.texts.contains(text));
                prop_assert!(is_one, "{source}: {required:?}, {has:?}");
            }
        }
    }
}

//! Tests of an attribute, of an id and of a consent.

use std::sync::Arc;

use super::leaf::Ask;
use super::{Narrowed, Wanted, any};
use crate::domain::expression::evaluate::{compare, contains, find};
use crate::domain::expression::facts::Facts;
use crate::domain::expression::tree::{Term, TermKind};
use crate::domain::expression::truth::Truth;
use crate::domain::selection::{Comparison, ConsentStates, Selection, Test};
use crate::domain::value::{Kind, Value};

/// `select` makes the selection of a test of that attribute, or of that id.
pub(super) fn read(
    select: impl Fn(Test) -> Selection,
    fallback: Option<&Term>,
    ask: &Ask<'_>,
    wanted: Wanted,
    facts: Facts<'_>,
) -> Narrowed {
    let there = tested(ask, wanted, facts);
    let narrowed = there.map(|(test, exact)| Narrowed { selection: select(test), exact });
    let narrowed = narrowed.unwrap_or(Narrowed::exactly(Selection::Nobody));
    let Some(fallback) = fallback else {
        return narrowed;
    };
    let missing = select(Test::Missing);
    match ask {
        // With a fallback the attribute's absence is decided by it.
        Ask::Compare(..) | Ask::Within(_) => match answer(fallback, ask, facts).known() {
            Some(truth) if wanted.is(truth) => any(vec![narrowed, Narrowed::exactly(missing)]),
            _ => narrowed,
        },
        Ask::StartsWith(_) | Ask::Defined | Ask::Truthy => Narrowed::at_most(Selection::Everyone),
    }
}

/// The test for an attribute that is there, and whether it is exact; `None` if none passes.
fn tested(ask: &Ask<'_>, wanted: Wanted, facts: Facts<'_>) -> Option<(Test, bool)> {
    match ask {
        Ask::Compare(by, with) => {
            let value = find(with, facts).known().ok()?.into_owned();
            let ordered = !matches!(value.kind(), Kind::List | Kind::Object);
            if !ordered && !matches!(by, Comparison::Equal | Comparison::NotEqual) {
                return None;
            }
            let by = if wanted == Wanted::True { *by } else { by.negated() };
            Some((Test::Compare(by, value), true))
        }
        Ask::Within(of) => among(of, wanted, facts),
        Ask::StartsWith(with) => match (find(with, facts).known().ok()?.as_ref(), wanted) {
            (Value::Text(prefix), Wanted::True) => Some((Test::Prefix(Arc::clone(prefix)), true)),
            // Texts that begin otherwise, and no other kinds: the store has no such test.
            (Value::Text(_), Wanted::False) => Some((Test::Defined, false)),
            _ => None,
        },
        Ask::Defined => Some((if wanted == Wanted::True { Test::Defined } else { Test::Missing }, true)),
        Ask::Truthy => Some((if wanted == Wanted::True { Test::Truthy } else { Test::Falsy }, true)),
    }
}

/// Membership in what is known before the customers.
fn among(of: &Term, wanted: Wanted, facts: Facts<'_>) -> Option<(Test, bool)> {
    let (values, complete): (Arc<[Value]>, bool) = match &of.kind {
        TermKind::List(terms) => {
            let known: Vec<Option<Value>> = terms.iter().map(|term| known(term, facts)).collect();
            let complete = known.iter().all(Option::is_some);
            (known.into_iter().flatten().collect(), complete)
        }
        _ => match find(of, facts).known().ok()?.into_owned() {
            Value::List(values) => (values, true),
            Value::Text(_) => return Some((Test::Defined, false)),
            _ => return None,
        },
    };
    match wanted {
        Wanted::True if values.is_empty() => None,
        Wanted::True => Some((Test::OneOf(values), true)),
        // An element that is missing might have been equal, so that nothing is known not to be in the list.
        Wanted::False if !complete => None,
        Wanted::False => Some((Test::NoneOf(values), true)),
    }
}

fn known(term: &Term, facts: Facts<'_>) -> Option<Value> {
    Some(find(term, facts).known().ok()?.into_owned())
}

/// What the evaluator would say of a value that does not depend on the customer.
fn answer(subject: &Term, ask: &Ask<'_>, facts: Facts<'_>) -> Truth {
    let (Ask::Compare(_, other) | Ask::Within(other)) = ask else {
        return Truth::False;
    };
    let (first, second) = match (find(subject, facts).known(), find(other, facts).known()) {
        (Ok(first), Ok(second)) => (first, second),
        (Err(reason), _) => return Truth::Unknown(reason),
        (Ok(first), Err(reason)) => return member(&first, other, facts, Truth::Unknown(reason)),
    };
    match ask {
        Ask::Compare(by, _) => compare((subject, &first), *by, (other, &second)),
        _ => contains((subject, &first), (other, &second)),
    }
}

/// Membership in a list of which elements are missing.
fn member(value: &Value, of: &Term, facts: Facts<'_>, otherwise: Truth) -> Truth {
    match &of.kind {
        TermKind::List(terms) if terms.iter().any(|term| known(term, facts).as_ref() == Some(value)) => {
            Truth::True
        }
        _ => otherwise,
    }
}

/// A consent is a boolean that is never missing.
pub(super) fn consent(category: &str, ask: &Ask<'_>, wanted: Wanted, facts: Facts<'_>) -> Narrowed {
    let default = facts.call.and_then(|call| call.consent_defaults.get(category).copied()).unwrap_or(false);
    let accepts = |given: bool| match ask {
        Ask::Truthy => wanted.is(given),
        Ask::Defined => wanted == Wanted::True,
        Ask::StartsWith(_) => false,
        Ask::Compare(..) | Ask::Within(_) => {
            let literal =
                Term { span: 0..0, text: category.into(), kind: TermKind::Literal(Value::Boolean(given)) };
            answer(&literal, ask, facts).known().is_some_and(|truth| wanted.is(truth))
        }
    };
    let accepted =
        ConsentStates { given: accepts(true), withdrawn: accepts(false), unrecorded: accepts(default) };
    match (accepted.given, accepted.withdrawn) {
        (true, true) => Narrowed::decided(true),
        (false, false) => Narrowed::decided(false),
        _ => Narrowed::exactly(Selection::Consent { category: category.to_owned(), accepted }),
    }
}

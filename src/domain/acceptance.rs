//! Whether a value passes a selection's test: the plain reading that every index and filter must agree with.
//!
//! Pure, and two-valued: a selection has no unknown.

use super::selection::{Comparison, ConsentStates, Test};
use super::value::Value;

impl Test {
    /// Whether an attribute passes; `None` is one that is missing.
    pub fn accepts(&self, value: Option<&Value>) -> bool {
        let Some(value) = value else { return matches!(self, Test::Missing | Test::Falsy) };
        match self {
            Test::Defined => true,
            Test::Missing => false,
            Test::Compare(comparison, with) => compares(*comparison, value, with),
            Test::OneOf(values) => values.contains(value),
            Test::NoneOf(values) => !values.contains(value),
            Test::Prefix(prefix) => matches!(value, Value::Text(text) if text.starts_with(&**prefix)),
            Test::Truthy => value.is_truthy(),
            Test::Falsy => !value.is_truthy(),
        }
    }
}

impl ConsentStates {
    /// Whether what was recorded of a consent is accepted; `None` is nothing.
    pub fn accepts(self, recorded: Option<bool>) -> bool {
        match recorded {
            Some(true) => self.given,
            Some(false) => self.withdrawn,
            None => self.unrecorded,
        }
    }
}

fn compares(comparison: Comparison, value: &Value, with: &Value) -> bool {
    match (value, with) {
        (Value::Text(value), Value::Text(with)) => comparison.accepts(value.cmp(with)),
        (Value::Number(value), Value::Number(with)) => comparison.accepts(value.cmp(with)),
        (Value::Boolean(value), Value::Boolean(with)) => comparison.accepts(value.cmp(with)),
        (Value::Timestamp(value), Value::Timestamp(with)) => comparison.accepts(value.cmp(with)),
        // Lists and objects have no order: what is not equal is neither less nor greater.
        (Value::List(_), Value::List(_)) | (Value::Object(_), Value::Object(_)) => match comparison {
            Comparison::Equal => value == with,
            Comparison::NotEqual => value != with,
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn value(json: &Json) -> Option<Value> {
        Value::from_json(json).unwrap()
    }

    fn passes(json: &Json, comparison: Comparison, with: &Json) -> bool {
        Test::Compare(comparison, value(with).unwrap()).accepts(value(json).as_ref())
    }

    #[test]
    fn what_is_missing_passes_only_missing_and_falsy() {
        let one = value(&json!(1)).unwrap();
        let list: std::sync::Arc<[Value]> = [one.clone()].into();
        let tests = [Test::Defined, Test::Truthy, Test::NoneOf(list.clone()), Test::OneOf(list)];
        assert!(tests.iter().all(|test| !test.accepts(None)));
        assert!(!Test::Compare(Comparison::NotEqual, one).accepts(None));
        assert!(Test::Missing.accepts(None) && Test::Falsy.accepts(None));
    }

    #[test]
    fn kinds_never_mix() {
        assert!(!passes(&json!("5"), Comparison::Greater, &json!(3)));
        assert!(!passes(&json!(true), Comparison::Equal, &json!(1)));
        assert!(
            !passes(&json!(true), Comparison::NotEqual, &json!(1)),
            "of another kind: not unequal either"
        );
        assert!(Test::NoneOf([value(&json!(1)).unwrap()].into()).accepts(Some(&Value::Boolean(true))));
    }

    #[test]
    fn lists_and_objects_compare_by_equality_only() {
        assert!(passes(&json!([1, {"a": 2}]), Comparison::Equal, &json!([1.0, {"a": 2.0}])));
        assert!(passes(&json!([1]), Comparison::NotEqual, &json!([2])));
        assert!(!passes(&json!([1]), Comparison::LessOrEqual, &json!([1])));
        assert!(!passes(&json!([1]), Comparison::NotEqual, &json!({})));
    }
}

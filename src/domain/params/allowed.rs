//! The values that a parameter allows, found without a look at each. Sorted, so that two that are equal are written alike.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::value::{Number, Value};

/// The allowed values. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Allowed(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    values: Vec<Value>,
    texts: BTreeSet<Arc<str>>,
    /// Those that no table finds: numbers are equal by exact value, however they are written.
    others: Vec<Value>,
    whole: BTreeSet<i64>,
}

impl Allowed {
    /// These values.
    pub fn new(values: Vec<Value>) -> Self {
        let (mut texts, mut whole, mut others) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for value in &values {
            match value {
                Value::Text(text) => {
                    texts.insert(Arc::clone(text));
                }
                Value::Number(Number::Integer(number)) => {
                    whole.insert(*number);
                    others.push(value.clone());
                }
                other => others.push(other.clone()),
            }
        }
        Allowed(Arc::new(Inner { values, texts, others, whole }))
    }

    /// In the order in which they were declared.
    pub fn values(&self) -> &[Value] {
        &self.0.values
    }

    /// Whether one of them is equal.
    pub fn holds(&self, value: &Value) -> bool {
        match value {
            Value::Text(text) => self.0.texts.contains(text),
            Value::Number(Number::Integer(number)) if self.0.whole.contains(number) => true,
            other => self.0.others.contains(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_equal_is_held() {
        let values =
            [Value::text("a"), Value::integer(5), Value::Boolean(true), Value::Number(Number::Double(2.5))];
        let allowed = Allowed::new(values.to_vec());
        for value in values.iter().chain([&Value::Number(Number::Double(5.0))]) {
            assert_eq!(allowed.holds(value), values.contains(value), "{value:?}");
        }
        assert!(!allowed.holds(&Value::text("b")) && !allowed.holds(&Value::integer(6)));
    }
}

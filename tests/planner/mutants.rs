//! Mistakes a push-down could make, made on purpose: each is a wrong translation, built beside the right one.

use std::sync::Arc;

use fanfare::domain::expression::{Condition, Facts};
use fanfare::domain::selection::{Comparison, Selection, Test};
use fanfare::domain::value::{Number, Value};

use crate::expressions::scope;

/// What a translation answers.
pub struct Narrowed {
    pub selection: Selection,
    pub exact: bool,
}

/// A translation with one mistake; or the right one, which must never be caught.
pub struct Mutant {
    pub name: &'static str,
    pub is_sound: bool,
    mistake: fn(Selection) -> Selection,
    drops_polarity: bool,
}

const fn mutant(name: &'static str, mistake: fn(Selection) -> Selection) -> Mutant {
    Mutant { name, is_sound: false, mistake, drops_polarity: false }
}

pub const MUTANTS: [Mutant; 8] = [
    Mutant { is_sound: true, ..mutant("no mistake", |selection| selection) },
    Mutant { drops_polarity: true, ..mutant("polarity dropped", |selection| selection) },
    mutant("undecided becomes nobody", |selection| {
        on_parts(selection, &|part| match part {
            Selection::Everyone => Selection::Nobody,
            other => other,
        })
    }),
    mutant("kind check dropped", |selection| {
        on_tests(selection, &|test| match test {
            Test::Compare(comparison, value) => {
                let all = [Some(value.clone()), other_kind(&value)].into_iter().flatten();
                all.map(|value| Test::Compare(comparison, value)).collect()
            }
            other => vec![other],
        })
    }),
    mutant("< for <=", |selection| {
        on_tests(selection, &|test| {
            vec![match test {
                Test::Compare(Comparison::LessOrEqual, value) => Test::Compare(Comparison::Less, value),
                other => other,
            }]
        })
    }),
    mutant("boolean as 1", |selection| {
        on_tests(selection, &|test| {
            vec![match test {
                Test::Compare(comparison, value) => Test::Compare(comparison, as_number(value)),
                Test::OneOf(values) => Test::OneOf(values.iter().cloned().map(as_number).collect()),
                other => other,
            }]
        })
    }),
    mutant("numbers bound as doubles", |selection| {
        on_tests(selection, &|test| {
            vec![match test {
                Test::Compare(comparison, value) => Test::Compare(comparison, as_double(value)),
                other => other,
            }]
        })
    }),
    mutant("a window's end included", |selection| {
        on_parts(selection, &|part| match part {
            Selection::Events(mut wanted) => {
                wanted.before = wanted.before.map(|before| before + jiff::SignedDuration::from_micros(1));
                Selection::Events(wanted)
            }
            other => other,
        })
    }),
];

impl Mutant {
    /// The wrong translation; nothing where the mistake cannot be made.
    pub fn narrow(&self, source: &str, condition: &Condition, facts: Facts<'_>) -> Option<Narrowed> {
        let narrowed = if self.drops_polarity {
            let inner = Condition::compile(source.strip_prefix("not ")?, &scope()).ok()?;
            inner.narrow(facts)
        } else {
            condition.narrow(facts)
        };
        Some(Narrowed { selection: (self.mistake)(narrowed.selection), exact: narrowed.exact })
    }
}

fn on_parts(selection: Selection, change: &dyn Fn(Selection) -> Selection) -> Selection {
    let all = |parts: Vec<Selection>| parts.into_iter().map(|part| on_parts(part, change)).collect();
    match selection {
        Selection::All(parts) => Selection::All(all(parts)),
        Selection::Any(parts) => Selection::Any(all(parts)),
        other => change(other),
    }
}

/// Replaces each test by tests of which one must pass.
fn on_tests(selection: Selection, change: &dyn Fn(Test) -> Vec<Test>) -> Selection {
    on_parts(selection, &|part| match part {
        Selection::Attribute { path, test } => {
            let tests = change(test).into_iter();
            Selection::Any(tests.map(|test| Selection::Attribute { path: path.clone(), test }).collect())
        }
        Selection::Id { kind, test } => {
            let tests = change(test).into_iter();
            Selection::Any(tests.map(|test| Selection::Id { kind: kind.clone(), test }).collect())
        }
        other => other,
    })
}

/// The value as a careless comparison would also take it.
fn other_kind(value: &Value) -> Option<Value> {
    match value {
        Value::Text(text) => text.parse().ok().map(Value::integer),
        Value::Number(Number::Integer(integer)) => Some(Value::Text(Arc::from(integer.to_string()))),
        Value::Boolean(boolean) => Some(Value::integer(i64::from(*boolean))),
        _ => None,
    }
}

fn as_number(value: Value) -> Value {
    match value {
        Value::Boolean(boolean) => Value::integer(i64::from(boolean)),
        other => other,
    }
}

fn as_double(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(Number::Double(number.to_f64())),
        other => other,
    }
}

//! How a value of a side table is bound: a text, or else a number as exact decimal text.
//!
//! PostgreSQL's `numeric` compares by exact value, so that a number need only be written down exactly enough: whole
//! doubles digit by digit, others by the shortest text that leads back to them. A double that is not whole lies
//! between two whole numbers that are doubles themselves, and so does its shortest text.

use crate::domain::value::Value;
use crate::store::side_index::{Entry, kind_number};

/// How many characters of a text an index holds: at four bytes each they fit a row of a B-tree.
pub(in crate::store::postgres::customers) const TEXT_CHARS_MAX: usize = 500;
/// The kind of an attribute that was removed while its index was being filled.
const REMOVED: i16 = -1;

/// A value as the columns of a side table.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store::postgres::customers) struct Columns {
    /// `kind`.
    pub kind: i16,
    /// `text_value`.
    pub text: String,
    /// `number_value`, as text.
    pub number: String,
}

impl Columns {
    /// The columns of a value.
    pub(in crate::store::postgres::customers) fn of(value: &Value) -> Self {
        Self::of_entry(kind_number(value.kind()), &Entry::of(value))
    }

    /// The columns of an entry.
    pub(in crate::store::postgres::customers) fn of_entry(kind: i64, entry: &Entry) -> Self {
        let (text, number) = match entry.beginning(TEXT_CHARS_MAX).as_ref().unwrap_or(entry) {
            Entry::Text(text) => (text.as_ref().to_owned(), "0".to_owned()),
            Entry::Whole(integer) => (String::new(), integer.to_string()),
            Entry::Double(double) => (String::new(), decimal(*double)),
        };
        Columns { kind: kind_column(kind), text, number }
    }

    /// What says that the attribute was removed.
    pub(in crate::store::postgres::customers) fn removed() -> Self {
        Columns { kind: REMOVED, text: String::new(), number: "0".to_owned() }
    }
}

/// A kind's number as its column has it.
pub(in crate::store::postgres::customers) fn kind_column(kind: i64) -> i16 {
    i16::try_from(kind).expect("there are six kinds, numbered from 0")
}

fn decimal(double: f64) -> String {
    if double.fract() == 0.0 { format!("{double:.0}") } else { format!("{double:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_exactly() {
        for (double, text) in [
            (9_007_199_254_740_992.0, "9007199254740992"),
            (4_611_686_018_427_387_904.0, "4611686018427387904"),
            (-9_223_372_036_854_775_808.0, "-9223372036854775808"),
            (1e23, "99999999999999991611392"),
            (0.1, "1e-1"),
            (0.300_000_000_000_000_04, "3.0000000000000004e-1"),
            (5e-324, "5e-324"),
            (-0.0, "-0"),
            (4_503_599_627_370_495.5, "4.5035996273704955e15"),
        ] {
            assert_eq!(decimal(double), text);
        }
    }

    #[test]
    fn long_texts_are_held_by_their_beginning() {
        let text = |chars: usize| "é".repeat(chars);
        let held = |chars: usize| Columns::of(&Value::text(text(chars))).text;
        assert_eq!(held(499), text(499));
        assert_eq!(held(500), text(500));
        assert_eq!(held(90_000), text(500));
    }
}

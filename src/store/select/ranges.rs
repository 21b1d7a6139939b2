//! Which part of an attribute's index a test asks for.
//!
//! Pure: a test becomes ranges within a kind, and says whether they hold exactly what passes it.

use std::sync::Arc;

use crate::domain::selection::{Comparison, Test};
use crate::domain::value::{Kind, Value};
use crate::store::side_index::{Entry, kind_number};

/// A contiguous part of one index.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) enum Range {
    /// All of it.
    Whole,
    /// One kind.
    Kind(i64),
    /// One value.
    Equal(i64, Entry),
    /// Less than the value.
    Below(i64, Entry),
    /// At most the value.
    UpTo(i64, Entry),
    /// Greater than the value.
    Above(i64, Entry),
    /// At least the value.
    From(i64, Entry),
    /// At least the first value and less than the second.
    Between(i64, Entry, Entry),
}

/// The ranges that hold every value passing a test.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) struct Ranges {
    /// In the order of the index.
    pub ranges: Vec<Range>,
    /// Whether they hold nothing else.
    pub exact: bool,
}

/// The ranges of a test, unless customers pass it who have no such attribute and so stand in no index.
pub(super) fn ranges(test: &Test, text_chars_max: Option<usize>) -> Option<Ranges> {
    let ranges = of_test(test)?;
    Some(match text_chars_max {
        Some(most) => ranges.of_beginnings(most),
        None => ranges,
    })
}

fn of_test(test: &Test) -> Option<Ranges> {
    let exactly = |ranges| Some(Ranges { ranges, exact: true });
    match test {
        Test::Missing | Test::Falsy => None,
        Test::Defined => exactly(vec![Range::Whole]),
        Test::NoneOf(_) => Some(Ranges { ranges: vec![Range::Whole], exact: false }),
        Test::Truthy => exactly(truthy()),
        Test::Prefix(prefix) => exactly(vec![with_prefix(prefix)]),
        Test::OneOf(values) => Some(one_of(values)),
        Test::Compare(comparison, value) => Some(compared(*comparison, value)),
    }
}

impl Ranges {
    /// The same in an index that holds so many characters of a text: what is shorter stands there whole, and the
    /// order of beginnings is the order of texts, but for those that begin alike.
    fn of_beginnings(self, chars_max: usize) -> Self {
        let mut exact = self.exact;
        let ranges = self.ranges.into_iter().map(|range| {
            let (range, is_exact) = of_beginning(range, chars_max);
            exact &= is_exact;
            range
        });
        Ranges { ranges: ranges.collect(), exact }
    }
}

fn of_beginning(range: Range, chars_max: usize) -> (Range, bool) {
    let text = match &range {
        Range::Whole | Range::Kind(_) => None,
        Range::Equal(_, entry)
        | Range::Below(_, entry)
        | Range::UpTo(_, entry)
        | Range::Above(_, entry)
        | Range::From(_, entry)
        | Range::Between(_, entry, _) => entry.beginning(chars_max),
    };
    let Some(beginning) = text else { return (range, true) };
    let range = match range {
        Range::Below(kind, _) | Range::UpTo(kind, _) => Range::UpTo(kind, beginning),
        Range::Above(kind, _) | Range::From(kind, _) => Range::From(kind, beginning),
        Range::Equal(kind, _) | Range::Between(kind, ..) => Range::Equal(kind, beginning),
        Range::Whole | Range::Kind(_) => range,
    };
    (range, false)
}

fn truthy() -> Vec<Range> {
    let [boolean, number, text, list, object, timestamp] =
        [Kind::Boolean, Kind::Number, Kind::Text, Kind::List, Kind::Object, Kind::Timestamp].map(kind_number);
    vec![
        Range::Equal(boolean, Entry::Whole(1)),
        Range::Below(number, Entry::Whole(0)),
        Range::Above(number, Entry::Whole(0)),
        Range::Above(text, Entry::Text("".into())),
        Range::Equal(list, Entry::Whole(1)),
        Range::Equal(object, Entry::Whole(1)),
        Range::Kind(timestamp),
    ]
}

fn with_prefix(prefix: &str) -> Range {
    let kind = kind_number(Kind::Text);
    let from = Entry::Text(prefix.into());
    match after_prefix(prefix) {
        Some(end) => Range::Between(kind, from, Entry::Text(end.into())),
        None => Range::From(kind, from),
    }
}

/// The least text greater than every text with the prefix; none if there is no greater character anywhere in it.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut kept = prefix.chars();
    while let Some(last) = kept.next_back() {
        // The code points of surrogates are no characters: the next one after U+D7FF is U+E000.
        let next = if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            return Some(kept.as_str().chars().chain([next]).collect());
        }
    }
    None
}

fn one_of(values: &Arc<[Value]>) -> Ranges {
    let mut entries: Vec<(i64, Entry)> =
        values.iter().map(|value| (kind_number(value.kind()), Entry::of(value))).collect();
    // In the order of the index, each step of a long list is near the one before.
    entries.sort_by(|left, right| left.0.cmp(&right.0).then_with(|| left.1.nearness(&right.1)));
    entries.dedup();
    Ranges {
        ranges: entries.into_iter().map(|(kind, entry)| Range::Equal(kind, entry)).collect(),
        exact: values.iter().all(is_held_whole),
    }
}

fn is_held_whole(value: &Value) -> bool {
    !matches!(value.kind(), Kind::List | Kind::Object)
}

fn compared(comparison: Comparison, value: &Value) -> Ranges {
    let (kind, entry) = (kind_number(value.kind()), Entry::of(value));
    if !is_held_whole(value) {
        let ranges = match comparison {
            Comparison::Equal => vec![Range::Equal(kind, entry)],
            Comparison::NotEqual => vec![Range::Kind(kind)],
            _ => Vec::new(),
        };
        return Ranges { ranges, exact: false };
    }
    let ranges = match comparison {
        Comparison::Equal => vec![Range::Equal(kind, entry)],
        Comparison::NotEqual => vec![Range::Below(kind, entry.clone()), Range::Above(kind, entry)],
        Comparison::Less => vec![Range::Below(kind, entry)],
        Comparison::LessOrEqual => vec![Range::UpTo(kind, entry)],
        Comparison::Greater => vec![Range::Above(kind, entry)],
        Comparison::GreaterOrEqual => vec![Range::From(kind, entry)],
    };
    Ranges { ranges, exact: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_skips_what_is_no_character() {
        assert_eq!(after_prefix("ab").as_deref(), Some("ac"));
        assert_eq!(after_prefix("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(after_prefix("a\u{D7FF}").as_deref(), Some("a\u{E000}"));
        assert_eq!(after_prefix("\u{10FFFF}"), None);
        assert_eq!(after_prefix(""), None);
    }

    #[test]
    fn a_long_list_is_sorted_and_each_value_looked_up_once() {
        let values = ["b", "a", "b"].map(Value::text).into_iter().chain([Value::integer(3)]);
        let found = ranges(&Test::OneOf(values.collect()), None).unwrap();
        assert_eq!(found.ranges.len(), 3);
        assert_eq!(found.ranges[0], Range::Equal(1, Entry::Whole(3)));
        assert_eq!(found.ranges[1], Range::Equal(2, Entry::Text("a".into())));
    }
}

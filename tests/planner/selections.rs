//! Selections of every shape.

use std::sync::Arc;

use fanfare::domain::selection::{ConsentStates, EventCount, Selection, Test};
use fanfare::domain::value::Value;

use crate::harness::COMPARISONS;
use crate::random::Random;
use crate::world::{CATEGORIES, EVENT_TYPES, INNER, NAMES, PROPERTIES, id, moment, value};

/// A selection up to so many levels deep.
pub fn selection(random: &mut Random, depth: usize) -> Selection {
    let parts = |random: &mut Random| (0..random.below(4)).map(|_| selection(random, depth - 1)).collect();
    if random.once_in(8) {
        let kind = *random.pick(&["registered", "email", "card", "never"]);
        return Selection::Id { kind: kind.into(), test: id_test(random) };
    }
    match random.below(if depth > 0 { 14 } else { 9 }) {
        0..=4 => Selection::Attribute { path: path(random), test: test(random) },
        5..=6 => Selection::Events(event_count(random)),
        7 => Selection::Consent { category: (*random.pick(&CATEGORIES)).into(), accepted: states(random) },
        8 if random.once_in(4) => Selection::Everyone,
        8 if random.once_in(4) => Selection::Nobody,
        8 => Selection::Attribute { path: path(random), test: test(random) },
        9..=11 => Selection::All(parts(random)),
        _ => Selection::Any(parts(random)),
    }
}

fn id_test(random: &mut Random) -> Test {
    let ids = |random: &mut Random| (0..random.below(5)).map(|_| Value::text(id(random))).collect();
    match random.below(8) {
        0..=2 => Test::OneOf(ids(random)),
        3..=5 => Test::Compare(*random.pick(&COMPARISONS), Value::text(id(random))),
        _ => test(random),
    }
}

fn path(random: &mut Random) -> Vec<String> {
    let name = (*random.pick(&NAMES)).to_owned();
    if name == "o" && !random.once_in(4) || random.once_in(12) {
        return vec![name, (*random.pick(&INNER)).to_owned()];
    }
    vec![name]
}

pub fn test(random: &mut Random) -> Test {
    let list = |random: &mut Random| -> Arc<[_]> { (0..random.below(6)).map(|_| value(random)).collect() };
    match random.below(16) {
        0 => Test::Defined,
        1 => Test::Missing,
        2 => Test::Truthy,
        3 => Test::Falsy,
        4..=6 => Test::OneOf(list(random)),
        7..=8 => Test::NoneOf(list(random)),
        9 => Test::Prefix((*random.pick(&["", "a", "ab", "\u{10FFFF}", "\u{D7FF}", "2024", "5"])).into()),
        _ => Test::Compare(*random.pick(&COMPARISONS), value(random)),
    }
}

fn states(random: &mut Random) -> ConsentStates {
    ConsentStates { given: random.once_in(2), withdrawn: random.once_in(2), unrecorded: random.once_in(2) }
}

fn event_count(random: &mut Random) -> EventCount {
    let count = if random.once_in(3) { 0 } else { random.below(3) };
    let property = |random: &mut Random| ((*random.pick(&PROPERTIES)).to_owned(), value(random));
    let properties = match random.below(5) {
        0..=2 => 0,
        3 => 1,
        _ => 2,
    };
    EventCount {
        event_type: (*random.pick(&EVENT_TYPES)).into(),
        properties: (0..properties).map(|_| property(random)).collect(),
        from: random.once_in(2).then(|| moment(random)),
        before: random.once_in(3).then(|| moment(random)),
        comparison: *random.pick(&COMPARISONS),
        count: i64::try_from(count).unwrap(),
    }
}

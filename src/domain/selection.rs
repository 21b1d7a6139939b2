//! What a store is asked when an audience is chosen: a condition after folding, as a store can decide it.
//!
//! A selection has no `not`: a compiled condition is translated twice, once for being true and once for being
//! false, so that every leaf here is plainly two-valued and what cannot be decided becomes `Everyone`. It may
//! therefore select too many customers, never too few; the evaluator finishes.

use std::sync::Arc;

use jiff::Timestamp;

use super::value::Value;

/// A superset of the customers a condition selects.
#[derive(Debug, Clone, PartialEq)]
pub enum Selection {
    /// Nothing is known: every customer is a candidate.
    Everyone,
    /// No customer can satisfy it.
    Nobody,
    /// Every part holds.
    All(Vec<Selection>),
    /// At least one part holds.
    Any(Vec<Selection>),
    /// The attribute at the path passes the test.
    Attribute {
        /// Names from the outermost in: `customer.address.city` is `["address", "city"]`.
        path: Vec<String>,
        /// What must be so of it.
        test: Test,
    },
    /// The customer's id of a kind passes the test; it is a text, if there is one.
    Id {
        /// The kind, `registered`.
        kind: String,
        /// What must be so of it.
        test: Test,
    },
    /// The consent was recorded as this; `None` means that it was never recorded.
    Consent {
        /// The category.
        category: String,
        /// Which recorded states are accepted.
        accepted: ConsentStates,
    },
    /// The number of matching events compares so.
    Events(EventCount),
}

/// A two-valued test on one attribute. A missing attribute passes only `Missing` and `Falsy`.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The attribute is there.
    Defined,
    /// The attribute is not there (nor anything on the way to it).
    Missing,
    /// It is there, of the same kind as the value, and compares so. Numbers compare by exact value, texts by
    /// code point, booleans false < true; lists and objects only by equality.
    Compare(Comparison, Value),
    /// It is there and equals one of the values (an element of another kind never equals).
    OneOf(Arc<[Value]>),
    /// It is there and equals none of the values (of another kind than an element counts as not equal).
    NoneOf(Arc<[Value]>),
    /// It is a text that begins with this.
    Prefix(Arc<str>),
    /// It is there and has Jinja's truth.
    Truthy,
    /// It is missing, or is there without Jinja's truth.
    Falsy,
}

/// A comparison's operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// The operator that holds exactly where this one does not.
    pub fn negated(self) -> Self {
        match self {
            Comparison::Equal => Comparison::NotEqual,
            Comparison::NotEqual => Comparison::Equal,
            Comparison::Less => Comparison::GreaterOrEqual,
            Comparison::LessOrEqual => Comparison::Greater,
            Comparison::Greater => Comparison::LessOrEqual,
            Comparison::GreaterOrEqual => Comparison::Less,
        }
    }

    /// The operator with its sides exchanged.
    pub fn mirrored(self) -> Self {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            same => same,
        }
    }

    /// Whether an ordering satisfies it.
    pub fn accepts(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Comparison::Equal => ordering.is_eq(),
            Comparison::NotEqual => ordering.is_ne(),
            Comparison::Less => ordering.is_lt(),
            Comparison::LessOrEqual => ordering.is_le(),
            Comparison::Greater => ordering.is_gt(),
            Comparison::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// Which recorded states of a consent are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentStates {
    /// Recorded as given.
    pub given: bool,
    /// Recorded as withdrawn.
    pub withdrawn: bool,
    /// Never recorded.
    pub unrecorded: bool,
}

/// A comparison of the number of a customer's events that match.
#[derive(Debug, Clone, PartialEq)]
pub struct EventCount {
    /// The event type, compared exactly.
    pub event_type: String,
    /// Properties that must be there, of the same kind, and equal.
    pub properties: Vec<(String, Value)>,
    /// The first moment that counts; `None` for the beginning of time.
    pub from: Option<Timestamp>,
    /// The first moment that no longer counts; `None` for no end.
    pub before: Option<Timestamp>,
    /// How the count compares with `count`.
    pub comparison: Comparison,
    /// What it is compared with.
    pub count: i64,
}

/// An index a scenario's audience needs, provided when the scenario is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IndexNeed {
    /// On the attribute at a path.
    Attribute {
        /// Names from the outermost in.
        path: Vec<String>,
    },
    /// On a property of the events of one type.
    EventProperty {
        /// The event type.
        event_type: String,
        /// The property's name; properties are indexed at the top level only.
        property: String,
    },
}

/// As plans and people name what the index is on: `customer.address.city`, `events("purchase").product`.
impl std::fmt::Display for IndexNeed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            IndexNeed::Attribute { path } => write!(formatter, "customer.{}", path.join(".")),
            IndexNeed::EventProperty { event_type, property } => {
                write!(formatter, "events({event_type:?}).{property}")
            }
        }
    }
}

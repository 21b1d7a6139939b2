//! Customers who have a bit of everything: missing, of every kind, at the edges of numbers and of Unicode.

use std::collections::BTreeMap;
use std::time::Duration;

use fanfare::domain::customer::{Customer, EventNeeds};
use fanfare::domain::selection::{IndexNeed, Selection};
use fanfare::domain::value::{Changes, Value};
use fanfare::store::audiences::Selected;
use fanfare::store::customers::{CustomerWrite, EventWrite};
use jiff::Timestamp;
use serde_json::json;

use crate::harness::{Place, Store, all_complete, until_indexes};
use crate::random::Random;

/// Attributes that customers may have; `o` is an object more often than not.
pub const NAMES: [&str; 5] = ["a", "b", "c", "d", "o"];
/// What may be inside `o`.
pub const INNER: [&str; 3] = ["p", "q", "a"];
pub const CATEGORIES: [&str; 2] = ["sms", "mail"];
pub const EVENT_TYPES: [&str; 3] = ["buy", "visit", "rare"];
pub const PROPERTIES: [&str; 3] = ["m", "n", "o"];

/// A store with customers in it, and the same customers as a plain list.
pub struct World {
    pub store: Box<dyn Store>,
    pub customers: Vec<Customer>,
    _place: Place,
}

/// Values that are easily mistaken for each other.
pub fn value(random: &mut Random) -> Value {
    let scalars = [
        json!("5"),
        json!("true"),
        json!(""),
        json!("a"),
        json!("ab"),
        json!("abc"),
        json!("B"),
        json!("é"),
        json!("e\u{301}"),
        json!("\u{E000}x"),
        json!("\u{D7FF}"),
        json!("\u{10FFFF}"),
        json!("2024-05-01T00:00:00+02:00"),
        json!("2024-04-30T22:00:00Z"),
        json!(0),
        json!(1),
        json!(-1),
        json!(5),
        json!(5.0),
        json!(5.5),
        json!(-0.0),
        json!(9_007_199_254_740_992_i64),
        json!(9_007_199_254_740_993_i64),
        json!(9_007_199_254_740_992.0),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(9_223_372_036_854_775_808.0),
        json!(0.1),
        json!(0.30000000000000004),
        json!(0.3),
        json!(5e-324),
        json!(1.7976931348623157e308),
        json!(8.41e21),
        json!(true),
        json!(false),
    ];
    let structures = [
        json!([]),
        json!([1]),
        json!([1.0]),
        json!([1, null]),
        json!([null, 1]),
        json!(["a", 5]),
        json!({}),
        json!({"p": 1}),
        json!({"p": "5"}),
    ];
    let json = if random.once_in(8) { random.pick(&structures) } else { random.pick(&scalars) };
    Value::from_json(json).unwrap().unwrap()
}

/// A moment in a short span, so that ties occur; now and then between two microseconds.
pub fn moment(random: &mut Random) -> Timestamp {
    let minutes = i64::try_from(random.below(60)).unwrap();
    let odd = if random.once_in(4) { i128::try_from(random.below(2_000)).unwrap() } else { 0 };
    let nanoseconds = i128::from(1_700_000_000 + minutes * 60) * 1_000_000_000 + odd;
    Timestamp::from_nanosecond(nanoseconds).unwrap()
}

fn some_of(random: &mut Random, names: &[&str]) -> Vec<String> {
    names.iter().filter(|_| random.once_in(2)).map(ToString::to_string).collect()
}

fn attributes(random: &mut Random) -> Changes<String> {
    let mut attributes = Changes::default();
    for name in NAMES {
        if random.once_in(3) {
            continue;
        }
        let value = if name == "o" && !random.once_in(4) {
            let inner: Vec<String> = some_of(random, &INNER);
            Value::Object(std::sync::Arc::new(inner.into_iter().map(|name| (name, value(random))).collect()))
        } else {
            value(random)
        };
        attributes.insert(name.to_owned(), Some(value));
    }
    attributes
}

/// Further ids. A customer who is written again may get another card; the one before leads nowhere then.
fn ids(random: &mut Random, number: usize) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    if random.once_in(2) {
        ids.insert("email".to_owned(), format!("e{number}"));
    }
    if random.once_in(2) {
        ids.insert("card".to_owned(), format!("k{number}-{}", random.below(3)));
    }
    ids
}

/// An id that a customer may have.
pub fn id(random: &mut Random) -> String {
    let number = random.below(12);
    match random.below(4) {
        0 => format!("e{number}"),
        1..=2 => format!("k{number}-{}", random.below(3)),
        _ => format!("c{number}"),
    }
}

fn customer(random: &mut Random, number: usize) -> CustomerWrite {
    let consents = CATEGORIES.iter().filter_map(|category| match random.below(3) {
        0 => None,
        given => Some(((*category).to_owned(), Some(given == 1))),
    });
    CustomerWrite {
        registered: format!("c{number}"),
        consents: consents.collect(),
        attributes: attributes(random),
        other_ids: ids(random, number),
        ..CustomerWrite::default()
    }
}

fn event(random: &mut Random, customers: usize) -> EventWrite {
    let properties = PROPERTIES.iter().filter_map(|name| {
        let value = value(random);
        (!random.once_in(3)).then(|| ((*name).to_owned(), value))
    });
    EventWrite {
        properties: properties.collect(),
        registered: format!("c{}", random.below(customers)),
        other_ids: BTreeMap::new(),
        event_type: EVENT_TYPES[if random.once_in(9) { 2 } else { random.below(2) }].to_owned(),
        timestamp: moment(random),
    }
}

impl World {
    /// A world from a seed. With `indexes`, half of the customers are there before these are filled.
    pub async fn new(place: Place, random: &mut Random, customers: usize, indexes: &[IndexNeed]) -> Self {
        let store = place.open(Duration::from_secs(3_600)).await;
        let mut world = World { store, customers: Vec::new(), _place: place };
        world.write(random, customers).await;
        world.store.require_indexes(indexes.iter().cloned().collect()).await.unwrap();
        // What is written while indexes are filled changes some of what they hold.
        world.write(random, customers).await;
        until_indexes(&*world.store, all_complete).await;
        world.read().await;
        world
    }

    async fn write(&self, random: &mut Random, customers: usize) {
        let lines = (0..customers).filter(|_| !random.clone().once_in(2)).collect::<Vec<_>>();
        let lines = lines.into_iter().map(|number| customer(random, number)).collect();
        self.store.upsert_customers(lines).await.unwrap();
        let events = (0..customers * 3 / 2).map(|_| event(random, customers)).collect();
        self.store.insert_events(events).await.unwrap();
    }

    async fn read(&mut self) {
        let needs = EventNeeds { types: EVENT_TYPES.map(String::from).into() };
        let all = self.store.select(&Selection::Everyone).await.unwrap();
        self.customers = self.store.load(&all.keys, &needs).await.unwrap();
        assert_eq!(self.customers.len(), all.keys.len());
    }

    /// What the store selects, which must be in order and without repetition.
    pub async fn select(&self, selection: &Selection) -> Selected {
        let selected = self.store.select(selection).await.unwrap();
        assert!(
            selected.keys.is_sorted_by(|left, right| left < right),
            "unsorted by {}",
            selected.plan.words
        );
        selected
    }
}

/// Every index that a world's selections could use.
pub fn all_indexes() -> Vec<IndexNeed> {
    let attribute =
        |path: &[&str]| IndexNeed::Attribute { path: path.iter().map(ToString::to_string).collect() };
    let mut needs: Vec<IndexNeed> = NAMES.iter().map(|name| attribute(&[name])).collect();
    needs.extend(INNER.iter().map(|name| attribute(&["o", name])));
    for event_type in EVENT_TYPES {
        for property in PROPERTIES {
            needs.push(IndexNeed::EventProperty { event_type: event_type.into(), property: property.into() });
        }
    }
    needs
}

//! Customers and events in, and out again.

use std::collections::{BTreeMap, BTreeSet};

use fanfare::domain::customer::{Customer, CustomerKey, EventNeeds};
use fanfare::domain::value::{Value, object_from_json};
use fanfare::store::customers::{CustomerWrite, Customers, EventWrite, LatestEvents, LineRefused};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

/// A line as the door would make it.
pub fn customer(registered: &str, attributes: &Json) -> CustomerWrite {
    let attributes = attributes.as_object().unwrap().iter();
    CustomerWrite {
        registered: registered.into(),
        attributes: attributes.map(|(name, json)| (name.clone(), Value::from_json(json).unwrap())).collect(),
        ..CustomerWrite::default()
    }
}

/// An event as the door would make it; seconds since 1970.
pub fn event(registered: &str, event_type: &str, seconds: i64, properties: &Json) -> EventWrite {
    EventWrite {
        registered: registered.into(),
        other_ids: BTreeMap::new(),
        event_type: event_type.into(),
        timestamp: Timestamp::from_second(seconds).unwrap(),
        properties: object_from_json(properties.as_object().unwrap()).unwrap(),
    }
}

async fn upsert(store: &dyn Customers, line: CustomerWrite) -> CustomerKey {
    store.upsert_customers(vec![line]).await.unwrap().remove(0).unwrap()
}

async fn load(store: &dyn Customers, key: CustomerKey, types: &[&str]) -> Customer {
    let needs = EventNeeds { types: types.iter().map(ToString::to_string).collect() };
    store.load(&[key], &needs).await.unwrap().remove(0)
}

fn attributes(customer: &Customer) -> Json {
    fanfare::domain::value::object_to_json(&customer.attributes)
}

pub async fn attributes_and_consents_are_merged(store: &dyn Customers) {
    let mut line = customer("ann", &json!({"city": "Brno", "age": 41}));
    line.consents = BTreeMap::from([("sms".into(), Some(true)), ("mail".into(), Some(false))]);
    line.other_ids = BTreeMap::from([("cookie".into(), "c-1".into())]);
    let key = upsert(store, line).await;
    let mut line = customer("ann", &json!({"city": "Praha"}));
    line.consents = BTreeMap::from([("mail".into(), Some(true))]);
    line.other_ids = BTreeMap::from([("crm".into(), "7".into())]);
    assert_eq!(upsert(store, line).await, key);
    let ann = load(store, key, &[]).await;
    assert_eq!(attributes(&ann), json!({"city": "Praha", "age": 41}));
    assert_eq!(*ann.consents, BTreeMap::from([("sms".into(), true), ("mail".into(), true)]));
    let ids = [("registered", "ann"), ("cookie", "c-1"), ("crm", "7")];
    assert_eq!(*ann.ids, ids.map(|(kind, id)| (kind.into(), id.into())).into());
    assert_eq!((ann.registered(), store.find("ann").await.unwrap()), ("ann", Some(key)));
}

pub async fn a_null_keeps_its_place_in_a_list(store: &dyn Customers) {
    let kept = json!({"l": [1, null, [null], {"a": [null]}]});
    let key =
        upsert(store, customer("ann", &json!({"l": [1, null, [null], {"a": [null], "b": null}]}))).await;
    store.insert_events(vec![event("ann", "buy", 1, &kept)]).await.unwrap();
    let ann = load(store, key, &["buy"]).await;
    assert_eq!(attributes(&ann), kept);
    assert_eq!(fanfare::domain::value::object_to_json(&ann.events[0].properties), kept);
    // Another line about something else leaves it as it is.
    upsert(store, customer("ann", &json!({"x": 1}))).await;
    assert_eq!(attributes(&load(store, key, &[]).await)["l"], kept["l"]);
}

pub async fn attributes_are_seen_by_a_look_at_some_customers(store: &dyn Customers) {
    assert!(store.attributes_seen().await.unwrap().is_empty());
    let lines = (0..1_200).map(|number| match number {
        0 => customer("c0", &json!({"age": "5", "address": {"zip": "1010"}})),
        600 => customer("c600", &json!({"rare": true, "age": 5})),
        _ => customer(&format!("c{number}"), &json!({"age": number})),
    });
    store.upsert_customers(lines.collect()).await.unwrap();
    let seen = store.attributes_seen().await.unwrap();
    // The 500 at each end are looked at, and none in the middle.
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["address", "address.zip", "age"]);
    let of = |path: &str| {
        (seen[path].kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>(), seen[path].missing)
    };
    assert_eq!(of("age"), (vec!["text", "number"], false));
    assert_eq!(of("address.zip"), (vec!["text"], true));
}

pub async fn null_removes_and_only_what_is_named_changes(store: &dyn Customers) {
    let mut line = customer("ann", &json!({"a": 1, "b": {"x": 1, "y": 2}, "c": [1]}));
    line.consents = BTreeMap::from([("sms".into(), Some(true))]);
    let key = upsert(store, line).await;
    let mut line = customer("ann", &json!({"a": null, "b": {"x": 3}, "never": null}));
    line.consents = BTreeMap::from([("sms".into(), None)]);
    upsert(store, line).await;
    let ann = load(store, key, &[]).await;
    assert_eq!(attributes(&ann), json!({"b": {"x": 3}, "c": [1]}));
    assert!(ann.consents.is_empty());
}

pub async fn ids_are_case_sensitive(store: &dyn Customers) {
    let lower = upsert(store, customer("ann", &json!({}))).await;
    let upper = upsert(store, customer("Ann", &json!({}))).await;
    assert_ne!(lower, upper);
    assert_eq!(store.find("ANN").await.unwrap(), None);
    assert_eq!(store.count_customers().await.unwrap(), 2);
}

pub async fn an_id_of_another_customer_refuses_its_line_only(store: &dyn Customers) {
    let with_cookie = |registered: &str, attributes: &Json| CustomerWrite {
        other_ids: BTreeMap::from([("cookie".into(), "c-1".into())]),
        ..customer(registered, attributes)
    };
    upsert(store, with_cookie("ann", &json!({}))).await;
    let lines = vec![
        customer("bob", &json!({"n": 1})),
        with_cookie("bob", &json!({"n": 2})),
        with_cookie("cid", &json!({"n": 3})),
        customer("dan", &json!({"n": 4})),
    ];
    let results = store.upsert_customers(lines).await.unwrap();
    let taken = LineRefused::IdTaken { kind: "cookie".into(), id: "c-1".into(), owner: "ann".into() };
    assert_eq!(results[1], Err(taken.clone()));
    assert_eq!(results[2], Err(taken));
    let bob = load(store, results[0].clone().unwrap(), &[]).await;
    assert_eq!((attributes(&bob), bob.ids.len()), (json!({"n": 1}), 1));
    assert_eq!(store.find("cid").await.unwrap(), None);
    assert!(results[3].is_ok() && store.find("dan").await.unwrap().is_some());
}

pub async fn an_event_creates_its_customer(store: &dyn Customers) {
    let mut first = event("eve", "visit", 1, &json!({}));
    first.other_ids = BTreeMap::from([("cookie".into(), "c-9".into())]);
    let mut stolen = event("fred", "visit", 1, &json!({}));
    stolen.other_ids = first.other_ids.clone();
    let results = store.insert_events(vec![first, stolen]).await.unwrap();
    assert!(results[1].is_err() && store.find("fred").await.unwrap().is_none());
    let eve = load(store, results[0].clone().unwrap(), &["visit"]).await;
    assert_eq!((eve.registered(), eve.ids["cookie"].as_str(), eve.events.len()), ("eve", "c-9", 1));
    assert!(eve.attributes.is_empty());
}

pub async fn events_come_in_order_of_time_then_arrival(store: &dyn Customers) {
    let lines = [(5, "a", 0), (3, "b", 1), (5, "b", 2), (3, "a", 3), (-7, "a", 4)];
    let lines = lines.map(|(at, kind, n)| event("ann", kind, at, &json!({"n": n})));
    let results = store.insert_events(lines.into()).await.unwrap();
    let ann = load(store, results[0].clone().unwrap(), &["a", "b"]).await;
    let order: Vec<Json> = ann.events.iter().map(|event| event.properties["n"].to_json()).collect();
    assert_eq!(order, [4, 1, 3, 0, 2]);
    assert_eq!(ann.events[0].timestamp, Timestamp::from_second(-7).unwrap());
}

pub async fn only_the_events_asked_for_are_loaded(store: &dyn Customers) {
    let lines = vec![event("ann", "a", 1, &json!({})), event("ann", "b", 2, &json!({}))];
    let results = store.insert_events(lines).await.unwrap();
    let key = results[0].clone().unwrap();
    assert_eq!(&*load(store, key, &["b", "never"]).await.events[0].event_type, "b");
    assert!(load(store, key, &[]).await.events.is_empty());
    assert_eq!(store.event_types().await.unwrap(), BTreeSet::from(["a".into(), "b".into()]));
}

pub async fn the_newest_events_are_read_whatever_their_types_as_far_as_they_fit(store: &dyn Customers) {
    let lines = (0..3_000).map(|n| event("ann", &format!("type-{n}"), n % 1_000, &json!({"n": n}))).collect();
    let ann = store.insert_events(lines).await.unwrap()[0].clone().unwrap();
    let numbers = |latest: &LatestEvents| -> Vec<Json> {
        latest.events.iter().map(|event| event.properties["n"].to_json()).collect()
    };
    let latest = store.latest_events(ann, 4).await.unwrap();
    assert_eq!(numbers(&latest), [2_999, 1_999, 999, 2_998]);
    assert_eq!((&*latest.events[0].event_type, latest.has_older), ("type-2999", true));
    assert!(!store.latest_events(ann, 3_000).await.unwrap().has_older);

    let large = "x".repeat(250 * 1024);
    let lines = (0..9).map(|n| event("bob", "page", n, &json!({"n": n, "text": large}))).collect();
    let bob = store.insert_events(lines).await.unwrap()[0].clone().unwrap();
    let latest = store.latest_events(bob, 100).await.unwrap();
    assert_eq!(
        (numbers(&latest), latest.has_older),
        (vec![8.into(), 7.into(), 6.into(), 5.into(), 4.into()], true)
    );
    assert_eq!(store.latest_events(CustomerKey(i64::MAX), 100).await.unwrap(), LatestEvents::default());
}

pub async fn customers_come_in_the_order_of_their_keys(store: &dyn Customers) {
    let lines = (0..2_500).map(|n| customer(&format!("c{n}"), &json!({"n": n}))).collect();
    let results = store.upsert_customers(lines).await.unwrap();
    let keys: Vec<CustomerKey> = results.into_iter().rev().map(Result::unwrap).collect();
    let mut wanted = keys.clone();
    wanted.insert(3, CustomerKey(i64::MAX));
    let loaded = store.load(&wanted, &EventNeeds::default()).await.unwrap();
    assert_eq!(loaded.iter().map(|it| it.key).collect::<Vec<_>>(), keys);
    assert_eq!(attributes(&loaded[0]), json!({"n": 2_499}));
}

pub async fn numbers_are_kept_exactly(store: &dyn Customers) {
    let numbers = json!({
        "a": 9_007_199_254_740_993_i64, "b": i64::MIN, "c": 0.1, "d": 5e-324, "e": 2.0,
        "f": 1.797_693_134_862_315_7e308, "g": 0.300_000_000_000_000_04, "h": 8.41e21,
    });
    let key = upsert(store, customer("ann", &numbers)).await;
    assert_eq!(attributes(&load(store, key, &[]).await), numbers);
}

pub async fn a_document_that_grows_too_large_refuses_its_line(store: &dyn Customers) {
    let half = "x".repeat(fanfare::store::customers::DOCUMENT_BYTES_MAX / 2);
    let key = upsert(store, customer("ann", &json!({"a": half}))).await;
    let lines = vec![customer("ann", &json!({"b": half})), customer("ann", &json!({"c": 1}))];
    let results = store.upsert_customers(lines).await.unwrap();
    assert!(matches!(results[0], Err(LineRefused::TooLarge { .. })) && results[1].is_ok());
    assert_eq!(load(store, key, &[]).await.attributes.len(), 2);
    let large = event("bob", "visit", 1, &json!({"a": half, "b": half}));
    assert!(store.insert_events(vec![large]).await.unwrap()[0].is_err());
    assert_eq!(store.find("bob").await.unwrap(), None);
}

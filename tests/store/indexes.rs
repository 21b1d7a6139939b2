//! The life of an index: required, filled, used once complete, unneeded, dropped.

use std::collections::BTreeSet;
use std::time::Duration;

use fanfare::domain::customer::EventNeeds;
use fanfare::domain::selection::{Comparison, IndexNeed, Selection, Test};
use fanfare::domain::value::Value;
use fanfare::store::audiences::{Access, IndexProgress};
use fanfare::store::customers::CustomerWrite;
use serde_json::json;

use crate::customers::customer;
use crate::harness::{COMPARISONS, Place, all_complete, until_indexes};

fn need(name: &str) -> IndexNeed {
    IndexNeed::Attribute { path: vec![name.into()] }
}

fn in_brno() -> Selection {
    let test = Test::Compare(Comparison::Equal, Value::text("Brno"));
    Selection::Attribute { path: vec!["city".into()], test }
}

pub async fn is_used_once_complete_and_says_so_before(place: &Place) {
    let store = place.open(Duration::from_secs(60)).await;
    let lines = (0..500)
        .map(|n| customer(&format!("c{n}"), &json!({"city": if n % 5 == 0 { "Brno" } else { "Praha" }})));
    store.upsert_customers(lines.collect()).await.unwrap();
    let without = store.select(&in_brno()).await.unwrap();
    assert_eq!((without.plan.access, without.keys.len()), (Access::FullScan, 100));
    assert_eq!(without.plan.words, "full scan: customer.city has no index");
    store.require_indexes(BTreeSet::from([need("city")])).await.unwrap();
    until_indexes(&*store, all_complete).await;
    let with = store.select(&in_brno()).await.unwrap();
    assert_eq!(with.keys, without.keys);
    assert_eq!((with.plan.access, with.plan.words.as_str()), (Access::Index, "by index on customer.city"));
    assert_eq!(store.explain(&in_brno()).await.unwrap(), with.plan);
    store.close().await;
}

pub async fn goes_on_being_filled_after_a_restart_and_is_kept_by_every_write(place: &Place) {
    let store = place.open(Duration::from_secs(60)).await;
    let lines = |city: &'static str| {
        (0..1_000).map(move |n| customer(&format!("c{n}"), &json!({"city": city}))).collect()
    };
    store.upsert_customers(lines("Brno")).await.unwrap();
    store.require_indexes(BTreeSet::from([need("city")])).await.unwrap();
    store.close().await;
    let store = place.open(Duration::from_secs(60)).await;
    until_indexes(&*store, all_complete).await;
    assert_eq!(store.select(&in_brno()).await.unwrap().keys.len(), 1_000);
    store.upsert_customers(lines("Praha")).await.unwrap();
    let moved = store.select(&in_brno()).await.unwrap();
    assert_eq!((moved.keys.len(), moved.plan.access), (0, Access::Index));
    store.close().await;
}

pub async fn is_kept_for_its_grace_and_then_dropped(place: &Place) {
    let store = place.open(Duration::from_secs(3_600)).await;
    store.upsert_customers(vec![customer("ann", &json!({"city": "Brno", "age": 3}))]).await.unwrap();
    store.require_indexes(BTreeSet::from([need("city"), need("age")])).await.unwrap();
    until_indexes(&*store, all_complete).await;
    store.require_indexes(BTreeSet::from([need("age")])).await.unwrap();
    until_indexes(&*store, |states| states.iter().any(|state| state.progress == IndexProgress::Unneeded))
        .await;
    let taken_back = store.require_indexes(BTreeSet::from([need("city"), need("age")])).await;
    taken_back.unwrap();
    assert!(
        all_complete(&store.index_states().await.unwrap()),
        "an index taken back within its grace is whole"
    );
    store.require_indexes(BTreeSet::from([need("age")])).await.unwrap();
    store.close().await;
    let store = place.open(Duration::ZERO).await;
    until_indexes(&*store, |states| states.len() == 1).await;
    let selected = store.select(&in_brno()).await.unwrap();
    assert_eq!((selected.plan.access, selected.keys.len()), (Access::FullScan, 1));
    store.require_indexes(BTreeSet::from([need("city"), need("age")])).await.unwrap();
    until_indexes(&*store, |states| states.len() == 2 && all_complete(states)).await;
    assert_eq!(store.select(&in_brno()).await.unwrap().keys.len(), 1);
    store.close().await;
}

/// Texts around the length an index holds, and numbers that are easily mistaken for each other.
fn edges() -> Vec<Value> {
    let long = |chars: usize, end: &str| json!(format!("{}{end}", "é".repeat(chars)));
    let values = [
        long(498, ""),
        long(499, ""),
        long(499, "a"),
        long(499, "\u{10FFFF}"),
        long(500, ""),
        long(500, "a"),
        long(500, "b"),
        long(70_000, ""),
        long(70_000, "x"),
        json!("é"),
        json!(""),
        json!("z"),
        json!(9_007_199_254_740_993_i64),
        json!(9_007_199_254_740_992_i64),
        json!(9_007_199_254_740_992.0),
        json!(4_611_686_018_427_387_904.0),
        json!(4_611_686_018_427_387_905_i64),
        json!(4_611_686_018_427_387_903_i64),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(9_223_372_036_854_775_808.0),
        json!(-9_223_372_036_854_775_808.0),
        json!(1e23),
        json!(1e23_f64.next_up()),
        json!(1.797_693_134_862_315_7e308),
        json!(0.1),
        json!(-0.1),
        json!(0.1 + 0.2),
        json!(0.3),
        json!(-0.0),
        json!(0),
        json!(5e-324),
        json!(-5e-324),
        json!(4_503_599_627_370_495.5),
        json!(4_503_599_627_370_495_i64),
        json!(true),
        json!([]),
        json!({"a": 1}),
    ];
    values.iter().map(|value| Value::from_json(value).unwrap().unwrap()).collect()
}

pub async fn values_are_compared_by_index_as_they_are_everywhere(place: &Place) {
    let store = place.open(Duration::from_secs(60)).await;
    let values = edges();
    let half = values.len() / 2;
    let write = async |numbers: std::ops::Range<usize>| {
        let line = |n: usize| CustomerWrite {
            attributes: [("city".to_owned(), Some(values[n].clone()))].into_iter().collect(),
            ..customer(&format!("c{n}"), &json!({}))
        };
        store.upsert_customers(numbers.map(line).collect()).await.unwrap();
    };
    write(0..half).await;
    store.require_indexes(BTreeSet::from([need("city")])).await.unwrap();
    until_indexes(&*store, all_complete).await;
    write(half..values.len()).await;
    let mut tests: Vec<Test> =
        vec![Test::Defined, Test::Truthy, Test::OneOf(values.iter().cloned().collect())];
    for value in &values {
        tests.extend(COMPARISONS.map(|comparison| Test::Compare(comparison, value.clone())));
        if let Value::Text(text) = value {
            tests.push(Test::Prefix(text.clone()));
        }
    }
    for test in tests {
        let selection = Selection::Attribute { path: vec!["city".into()], test: test.clone() };
        let selected = store.select(&selection).await.unwrap();
        let expected: Vec<usize> = (0..values.len()).filter(|n| test.accepts(Some(&values[*n]))).collect();
        let keys = store.load(&selected.keys, &EventNeeds::default()).await.unwrap();
        let found: Vec<usize> = keys.iter().map(|it| it.registered()[1..].parse().unwrap()).collect();
        assert_eq!(found, expected, "{test:?}");
        assert_ne!(selected.plan.access, Access::FullScan);
    }
    store.close().await;
}

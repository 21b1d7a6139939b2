//! The life of an index: required, filled, used once complete, unneeded, dropped.

use std::collections::BTreeSet;
use std::time::Duration;

use fanfare::domain::selection::{Comparison, IndexNeed, Selection, Test};
use fanfare::domain::value::Value;
use fanfare::store::audiences::{Access, IndexProgress};
use serde_json::json;

use crate::customers::customer;
use crate::harness::{Place, all_complete, until_indexes};

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

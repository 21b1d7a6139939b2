//! A process hears its own rings: what a person lets be sent again is told twice where its chunk is walked, and sent once.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::domain::customer::CustomerKey;
use fanfare::domain::delivery::DeliveryId;
use fanfare::domain::name::{NodeIndex, RunId};
use fanfare::domain::state::DeliveryState as State;

use crate::harness::{Place, until_true};
use crate::provider::{Manner, sent, unknown};
use crate::world::World;

/// How many are held.
const HELD: i64 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_sends_again_is_sent_once_by_the_one_who_hears_of_it_twice() {
    let world = World::new(Place::postgres()).await;
    // The mails of the others take long enough for the chunk to be walked meanwhile.
    world.populate(HELD * 4 + 80, |n| if n < HELD * 4 { 2 } else { 5 }).await;
    let seen = Mutex::new(HashSet::new());
    let held_at_first: Manner = Arc::new(move |_, message| {
        let mut seen = seen.lock().unwrap();
        // Each fourth: a channel that fails all the time is spared.
        let is_held = seen.insert(message.key.to_string()) && seen.len() % 4 == 0;
        (true, if is_held { unknown() } else { sent() }, Duration::ZERO)
    });
    let go_on = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&go_on);
    let mails: Manner = Arc::new(move |_, _| {
        (true, sent(), Duration::from_millis(if gate.load(Ordering::Acquire) { 0 } else { 500 }))
    });
    world.connect(held_at_first, mails);
    let engine = world.start();
    let call = world.call("narrow", None).await;
    let held = || world.rows().into_iter().filter(|row| row.3 == State::Held.code()).collect::<Vec<_>>();
    until_true("them to be held", async || held().len() == HELD as usize).await;
    let id =
        |row: crate::world::Row| DeliveryId::to_only_target(RunId(row.0), CustomerKey(row.1), NodeIndex(0));
    let ids = held().into_iter().map(id);
    let control = engine.control();
    for sent_again in futures_util::future::join_all(ids.map(|id| control.resend(id))).await {
        assert_eq!(sent_again, Ok(true));
    }
    go_on.store(true, Ordering::Release);
    assert_eq!(world.until_ended(&call, Duration::from_secs(60)).await, "done");
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for one in world.record.lock().unwrap().iter().filter(|one| one.channel == "sms") {
        *times.entry(one.key.clone()).or_default() += 1;
    }
    let doubled: Vec<_> = times.iter().filter(|(_, times)| **times > 2).collect();
    assert!(doubled.is_empty(), "{} were sent twice after they had been held: {doubled:?}", doubled.len());
    assert_eq!(times.values().filter(|times| **times == 2).count(), HELD as usize);
    engine.stop(Duration::from_secs(1)).await;
}

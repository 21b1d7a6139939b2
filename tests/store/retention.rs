//! What goes because it is old, and what stays: the same on both databases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fanfare::domain::customer::EventNeeds;
use fanfare::domain::delivery::DeliveryId;
use fanfare::domain::name::{CallId, TriggerName, VersionId};
use fanfare::domain::pause::{Pause, PauseScope};
use fanfare::domain::selection::IndexNeed;
use fanfare::domain::state::{CallState, DeliveryState, RunState};
use fanfare::store::calls::{Admitted, CallFilter, RefusalCount, RefusedCall};
use fanfare::store::deliveries::{Outcome, Step};
use fanfare::store::in_force::InForceRecord;
use fanfare::store::retention::{RemovalBounds, RowKind};
use fanfare::store::runs::{ChunkId, Fence, Taken, UnmatchedEnd};
use jiff::Timestamp;
use serde_json::json;

use crate::customers::event;
use crate::harness::{Place, all_complete, until_indexes};
use crate::retention_world::{World, all_removed, key};

const A_DAY: i64 = 24;

fn refused(id: &str, at: Timestamp) -> RefusedCall {
    RefusedCall {
        id: CallId::new(id),
        trigger: TriggerName::new("hook"),
        credential: None,
        received_at: at,
        http_status: 422,
        reason: "it is wrong".into(),
    }
}

pub async fn what_is_old_and_at_its_end_goes_with_all_that_belongs_to_it(place: Place) {
    let world = World::in_place(place).await;
    let (old, young) = (world.hours_ago(60), world.hours_ago(12));
    world.ledger.calls.refuse(vec![refused("0-old", old)], Vec::new()).await.unwrap();
    let gone = world.done(old, "v", &(1..=10).collect::<Vec<_>>()).await;
    let held = world.run(old, "v", &[1, 2]).await;
    world.ledger.runs.count_crash(held.run, fanfare::domain::customer::CustomerKey(1), "p").await.unwrap();
    world.end(&held, DeliveryState::Held).await;
    let (expired, seq) = world.call(old, "v").await;
    world.ledger.runs.end_unmatched(seq, UnmatchedEnd::Expired, world.now).await.unwrap();
    let failed = world.run(old, "v", &[5, 6]).await;
    let error = Some("it failed".to_owned());
    assert!(world.ledger.runs.end_run(failed.run, RunState::Failed, error, world.now).await.unwrap());
    let kept = world.done(young, "v", &[1, 2, 3, 4]).await;
    world.ledger.calls.refuse(vec![refused("0-young", young)], Vec::new()).await.unwrap();

    let rows: BTreeMap<RowKind, u64> = world.remove(world.older_than(A_DAY)).await.into_iter().collect();
    assert_eq!((rows.get(&RowKind::Calls), rows.get(&RowKind::Runs)), (Some(&5), Some(&3)), "{rows:?}");
    for call in [&gone.call, &held.call, &expired, &failed.call, &CallId::new("0-old")] {
        assert!(!world.knows(call).await, "{call}");
        assert!(world.ledger.log.runs_of_call(call).await.unwrap().is_empty());
        assert!(world.ledger.log.deliveries_of_call(call, filter()).await.unwrap().is_empty());
    }
    let ids: Vec<DeliveryId> = gone.customers.iter().map(|key| gone.delivery(*key)).collect();
    assert_eq!(world.ledger.deliveries.get(&ids).await.unwrap(), []);
    let listed = world.ledger.calls.list(CallFilter { limit: 100, ..CallFilter::default() }).await.unwrap();
    let listed: BTreeSet<CallId> = listed.into_iter().map(|call| call.id).collect();
    assert_eq!(listed, BTreeSet::from([kept.call.clone(), CallId::new("0-young")]));
    for (table, rows) in
        [("run", 1), ("chunk", 2), ("chunk_customers", 2), ("delivery", 4), ("ending", 0), ("removed_run", 0)]
    {
        assert_eq!(world.count(&format!("SELECT count(*) FROM {table}")), rows, "{table}");
    }
    assert!(world.ledger.log.backlog().await.unwrap().deliveries.is_empty(), "nothing is held any more");
    world.assert_whole(std::slice::from_ref(&kept)).await;
    assert_eq!(world.ledger.retention.oldest().await.unwrap(), Some(young));
    // Who decides about a delivery that went is told that there is none.
    assert!(!world.ledger.log.close_held(held.delivery(1), world.now).await.unwrap());
    assert_eq!(world.ledger.log.resend(held.delivery(1), world.now).await.unwrap(), None);
    assert_eq!(world.remove(world.older_than(A_DAY)).await, []);
    world.close().await;
}

fn filter() -> fanfare::store::run_log::DeliveryFilter {
    fanfare::store::run_log::DeliveryFilter { limit: 100, ..Default::default() }
}

pub async fn what_is_not_at_its_end_stays_and_goes_on(place: Place) {
    let mut world = World::in_place(place).await;
    let old = world.hours_ago(400);
    let (accepted, _) = world.call(old, "v").await;
    let under_way = world.run(old, "v", &[1, 2, 3, 4]).await;
    let (selecting, seq) = world.call(old, "v").await;
    let fired = ["one", "two"].map(fanfare::domain::name::ScenarioName::new).to_vec();
    let matched = fanfare::store::runs::Matched { fired, not_fired: Vec::new() };
    let runs = world.ledger.runs.begin_runs(seq, matched, "one", old).await.unwrap();
    // One run of the call is at its end, the other is not.
    assert!(world.ledger.runs.end_run(runs[0], RunState::Cancelled, None, world.now).await.unwrap());
    let gone = world.done(old, "v", &[7]).await;
    let waits = world.done(old, "v", &[8]).await;
    let at = old.as_microsecond();
    for run in [gone.run.0, waits.run.0] {
        world.execute(&format!("INSERT INTO waiting_journey VALUES ({run}, 0, 7, 0, {at}, {at}, 1)")).await;
    }
    // All that is left of it waits.
    world.execute(&format!("UPDATE run SET state = 6 WHERE id = {}", waits.run.0)).await;

    world.remove(world.older_than(A_DAY)).await;
    for call in [&accepted, &under_way.call, &selecting, &waits.call] {
        assert!(world.knows(call).await, "{call}");
    }
    assert!(!world.knows(&gone.call).await);
    assert_eq!(world.count("SELECT count(*) FROM waiting_journey"), 1);
    world.open_again().await;
    let open = world.ledger.calls.open_calls(10).await.unwrap();
    assert_eq!(open.into_iter().map(|call| call.unwrap().id).collect::<Vec<_>>(), [accepted]);
    let unfinished = world.ledger.runs.unfinished_runs(&[]).await.unwrap();
    let unfinished: BTreeSet<i64> = unfinished.iter().map(|run| run.id.0).collect();
    assert_eq!(unfinished, BTreeSet::from([under_way.run.0, runs[1].0]));
    let chunk = ChunkId { run: under_way.run, n: 1 };
    let Taken::Here(taken) = world.ledger.runs.take_chunk(chunk, "one").await.unwrap() else {
        panic!("it is nobody's")
    };
    assert_eq!((taken.keys.len(), taken.fence), (1, Fence(2)));
    assert_eq!(world.ledger.deliveries.of_chunk(ChunkId { n: 0, ..chunk }).await.unwrap().len(), 3);
    world.close().await;
}

/// A process may end between any two batches, and the next one begin anew.
pub async fn whoever_ends_between_two_batches_leaves_whole_calls_only(place: Place) {
    let mut world = World::in_place(place).await;
    let mut all = Vec::new();
    for n in 0..6 {
        let customers: Vec<i64> = (1..=5 + n).collect();
        all.push(world.done(world.hours_ago(60), "v", &customers).await);
    }
    for hours in [12, 1] {
        all.push(world.done(world.hours_ago(hours), "v", &[1, 2, 3, 4]).await);
    }
    let bounds = world.older_than(A_DAY);
    let mut batches = 0;
    'passages: loop {
        batches += 1;
        assert!(batches < 200, "it never ends");
        let mut removal = world.ledger.retention.begin_removal(bounds).await.unwrap().unwrap();
        for _ in 0..batches {
            if !removal.next_batch(false).await.unwrap().is_more {
                removal.end().await;
                break 'passages;
            }
            world.assert_whole(&all).await;
        }
        drop(removal);
        world.open_again().await;
        world.assert_whole(&all).await;
    }
    let kept: Vec<bool> = [world.knows(&all[0].call).await, world.knows(&all[5].call).await]
        .into_iter()
        .chain([world.knows(&all[6].call).await, world.knows(&all[7].call).await])
        .collect();
    assert_eq!(kept, [false, false, true, true]);
    for (table, rows) in [("removed_run", 0), ("chunk_customers", 4), ("delivery", 8)] {
        assert_eq!(world.count(&format!("SELECT count(*) FROM {table}")), rows, "{table}");
    }
    world.close().await;
}

pub async fn keys_refuse_repetitions_for_as_long_as_they_are_valid(place: Place) {
    let world = World::in_place(place).await;
    let (old, valid) = (world.hours_ago(60), Duration::from_secs(72 * 3_600));
    let request = |at: Timestamp| {
        let mut request = world.request(at, "v");
        request.idempotency = Some(key("k", at, valid));
        request.calls[0].deduplication = Some(key("storm", at, valid));
        request
    };
    let Admitted::Accepted(first) = world.ledger.calls.accept(request(old)).await.unwrap() else {
        panic!("it is new")
    };
    let seq = world.ledger.calls.get(&first.id).await.unwrap().unwrap().seq;
    world.ledger.runs.end_unmatched(seq, UnmatchedEnd::Expired, world.now).await.unwrap();
    world.remove(world.older_than(A_DAY)).await;
    assert!(!world.knows(&first.id).await);
    world.ledger.calls.forget_keys(world.now, 100).await.unwrap();
    let again = world.ledger.calls.accept(request(world.now)).await.unwrap();
    assert_eq!(again, Admitted::Again(first.clone()));
    let mut reported = request(world.now);
    reported.idempotency = None;
    let reported = world.ledger.calls.accept(reported).await.unwrap();
    assert_eq!(reported, Admitted::Again(first));
    assert_eq!(world.count("SELECT count(*) FROM call"), 0, "no repetition makes a call");
    world.close().await;
}

/// Providers know a repeated message by an id that a run's number is part of.
pub async fn numbers_are_never_given_again(place: Place) {
    let mut world = World::in_place(place).await;
    let first = world.done(world.hours_ago(60), "v", &[1, 2]).await;
    world.ledger.calls.refuse(vec![refused("r", world.hours_ago(50))], Vec::new()).await.unwrap();
    let last_seq = world.ledger.calls.get(&CallId::new("r")).await.unwrap().unwrap().seq;
    world.remove(world.older_than(A_DAY)).await;
    assert_eq!(world.count("SELECT count(*) FROM call"), 0);
    world.open_again().await;
    let next = world.run(world.now, "v", &[1, 2]).await;
    assert!(next.seq > last_seq && next.run > first.run, "{next:?} behind {first:?} and {last_seq}");
    world.close().await;
}

pub async fn versions_stay_while_something_may_need_them(place: Place) {
    let world = World::in_place(place).await;
    let (ancient, young) = (world.hours_ago(100), world.hours_ago(2));
    let names = ["unfinished", "held", "finished", "in-force", "noted", "young"];
    for name in names {
        let at = if name == "young" { young } else { ancient };
        let (id, sources) = (VersionId::new(name), format!("sources of {name}"));
        world.ledger.calls.put_version(&id, sources, at).await.unwrap();
    }
    let under_way = world.run(world.hours_ago(90), "unfinished", &[1]).await;
    world.done(world.hours_ago(90), "finished", &[1]).await;
    let held = world.run(young, "held", &[1, 2]).await;
    world.end(&held, DeliveryState::Held).await;
    let record = InForceRecord { version: VersionId::new("in-force"), credentials: "{}".into() };
    world.ledger.in_force.put_in_force(&record, ancient).await.unwrap();
    assert!(world.ledger.calls.note_in_force(&VersionId::new("noted"), young).await.unwrap());
    assert!(!world.ledger.calls.note_in_force(&VersionId::new("unknown"), young).await.unwrap());

    let kept = async || {
        let mut kept = Vec::new();
        for name in names {
            if world.ledger.calls.get_version(&VersionId::new(name)).await.unwrap().is_some() {
                kept.push(name);
            }
        }
        kept
    };
    world.remove(world.older_than(A_DAY)).await;
    assert_eq!(kept().await, ["unfinished", "held", "in-force", "noted", "young"]);
    // What the run needs goes once it is at its end, and not before.
    world.end(&under_way, DeliveryState::Sent).await;
    world.remove(world.older_than(A_DAY)).await;
    assert_eq!(kept().await, ["held", "in-force", "noted", "young"]);
    // Keeping what was removed again keeps it; keeping it once more makes it no older.
    for at in [young, ancient] {
        let id = VersionId::new("finished");
        world.ledger.calls.put_version(&id, "again".into(), at).await.unwrap();
    }
    world.remove(world.older_than(A_DAY)).await;
    assert_eq!(kept().await.len(), 5);
    world.close().await;
}

pub async fn a_call_with_a_delivery_that_is_sent_again_stays(place: Place) {
    let world = World::in_place(place).await;
    let begun = world.run(world.hours_ago(60), "v", &[1, 2]).await;
    world.end(&begun, DeliveryState::Held).await;
    assert!(world.ledger.log.resend(begun.delivery(1), world.now).await.unwrap().is_some());
    assert_eq!(world.remove(world.older_than(A_DAY)).await, []);
    assert!(world.knows(&begun.call).await);
    assert_eq!(world.count("SELECT count(*) FROM delivery"), 2);
    world.close().await;
}

pub async fn counts_and_pauses_go_and_what_is_young_stays(place: Place) {
    let world = World::in_place(place).await;
    let minute = |at: Timestamp| at.as_second().div_euclid(60);
    let count = |trigger: &str, minute: i64| RefusalCount {
        trigger: TriggerName::new(trigger),
        http_status: 401,
        reason: "who are you?".into(),
        minute,
        refusals: 7,
    };
    let mut counts = Vec::new();
    for trigger in ["a", "b", "c"] {
        counts.extend((0..10).map(|n| count(trigger, minute(world.hours_ago(60)) + n)));
        counts.push(count(trigger, minute(world.hours_ago(1))));
    }
    world.ledger.calls.refuse(Vec::new(), counts).await.unwrap();
    let gone = world.done(world.hours_ago(60), "v", &[1]).await;
    let pause = |scope| Pause { scope, who: "ann".into(), reason: String::new(), since: world.now };
    for scope in [PauseScope::Call(gone.call.clone()), PauseScope::Runtime] {
        world.ledger.pauses.pause(&pause(scope)).await.unwrap();
    }
    let removed = world.remove(world.older_than(A_DAY)).await;
    assert!(removed.contains(&(RowKind::RefusalCounts, 30)), "{removed:?}");
    assert_eq!(world.count("SELECT count(*) FROM refusal_count"), 3);
    let pauses = world.ledger.pauses.pauses().await.unwrap();
    assert_eq!(pauses.into_iter().map(|pause| pause.scope).collect::<Vec<_>>(), [PauseScope::Runtime]);
    world.close().await;
}

pub async fn without_a_length_of_time_nothing_goes_but_what_was_begun(place: Place) {
    let mut world = World::in_place(place).await;
    let old = world.hours_ago(1_000);
    let begun = world.done(old, "v", &(1..=9).collect::<Vec<_>>()).await;
    assert_eq!(world.remove(RemovalBounds::default()).await, []);
    assert!(world.knows(&begun.call).await);
    // It is begun, and then everything is to be kept.
    let mut removal = world.ledger.retention.begin_removal(world.older_than(A_DAY)).await.unwrap().unwrap();
    assert!(removal.next_batch(false).await.unwrap().rows.contains(&(RowKind::Calls, 1)));
    removal.end().await;
    let next = world.done(old, "v", &[1]).await;
    world.open_again().await;
    assert_eq!(world.remove(RemovalBounds::default()).await, [(RowKind::Deliveries, 9)]);
    assert!(world.knows(&next.call).await);
    for (table, rows) in [("removed_run", 0), ("delivery", 1), ("chunk_customers", 1)] {
        assert_eq!(world.count(&format!("SELECT count(*) FROM {table}")), rows, "{table}");
    }
    assert_eq!(world.ledger.calls.get(&next.call).await.unwrap().unwrap().state, CallState::Done);
    world.close().await;
}

pub async fn events_go_from_histories_and_side_tables_alike(place: Place) {
    let world = World::in_place(place).await;
    let (store, seconds) = (&world.customers, |hours| world.hours_ago(hours).as_second());
    let mut lines = Vec::new();
    for n in 0..50 {
        let (price, text) = (json!(f64::from(n) / 4.0), "é".repeat(400 + 5 * usize::try_from(n).unwrap()));
        for hours in [60, 30, 2] {
            let properties = json!({"price": price, "text": text, "list": [1], "is": true});
            lines.push(event(&format!("c{n}"), "bought", seconds(hours), &properties));
        }
        lines.push(event(&format!("c{n}"), "clicked", seconds(60), &json!({})));
    }
    store.insert_events(lines).await.unwrap();
    let needs = ["price", "text", "list", "is"]
        .map(|property| IndexNeed::EventProperty { event_type: "bought".into(), property: property.into() });
    store.require_indexes(BTreeSet::from(needs)).await.unwrap();
    until_indexes(&**store, all_complete).await;
    assert_eq!(world.customers.oldest().await.unwrap(), Some(world.hours_ago(60)));

    let removed = until_removed(&world, world.older_than(A_DAY)).await;
    assert_eq!(removed, [(RowKind::Events, 150)]);
    assert_eq!(world.customers.oldest().await.unwrap(), Some(world.hours_ago(2)));
    let key = store.find("c7").await.unwrap().unwrap();
    let wanted = EventNeeds { types: ["bought", "clicked"].map(Into::into).into() };
    let customer = store.load(&[key], &wanted).await.unwrap().remove(0);
    let times: Vec<Timestamp> = customer.events.iter().map(|event| event.timestamp).collect();
    assert_eq!(times, [world.hours_ago(2)]);
    assert_eq!(store.latest_events(key, 10).await.unwrap().events.len(), 1);
    assert_eq!(world.count_of_customers("SELECT count(*) FROM event"), 50);
    assert_eq!(
        world.count_of_customers("SELECT count(*) FROM event_entry"),
        4 * 50,
        "only those of what stays"
    );
    assert_eq!(all_removed(&*world.customers, RemovalBounds::default()).await, []);
    world.close().await;
}

/// Whoever fills indexes on PostgreSQL may hold the lock for a moment still.
async fn until_removed(world: &World, bounds: RemovalBounds) -> Vec<(RowKind, u64)> {
    for _ in 0..500 {
        if let Some(removal) = world.customers.begin_removal(bounds).await.unwrap() {
            removal.end().await;
            return all_removed(&*world.customers, bounds).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("another holds the lock for ever");
}

/// A process that was stopped for long brings what it learnt.
pub async fn a_late_outcome_of_what_is_gone_changes_nothing(place: Place) {
    let mut world = World::in_place(place).await;
    let failed = world.run(world.hours_ago(60), "v", &[1]).await;
    let error = Some("it failed".to_owned());
    assert!(world.ledger.runs.end_run(failed.run, RunState::Failed, error, world.now).await.unwrap());
    let under_way = world.run(world.hours_ago(1), "v", &[1]).await;
    world.remove(world.older_than(A_DAY)).await;
    world.open_again().await;
    let outcome = |id: DeliveryId| Outcome {
        id,
        attempt: 1,
        fence: Fence(1),
        attempts_counted: 1,
        state: DeliveryState::Retrying,
        maybe_sent: true,
        provider_id: None,
        reason: None,
        retry_at: Some(world.now),
        advanced: false,
    };
    let outcomes = vec![outcome(failed.delivery(1)), outcome(under_way.delivery(1))];
    let step = Step { at: world.now, outcomes, ..Step::default() };
    world.ledger.deliveries.commit(Arc::new(step)).await.unwrap();
    let found = world.ledger.deliveries.get(&[failed.delivery(1), under_way.delivery(1)]).await.unwrap();
    let found: Vec<_> = found.into_iter().map(|delivery| (delivery.id, delivery.state)).collect();
    assert_eq!(found, [(under_way.delivery(1), DeliveryState::Retrying)]);
    assert_eq!(world.ledger.log.backlog().await.unwrap().deliveries.len(), 1);
    world.close().await;
}

//! Single promises, each in its own small world.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::domain::delivery::TargetId;
use fanfare::domain::left_out::left_out;
use fanfare::domain::name::{CallId, ChannelName, ScenarioName};
use fanfare::domain::pause::{Pause, PauseScope};
use fanfare::domain::state::{CallState, DeliveryState as State};
use fanfare::runtime::engine::dispatch::ChannelHandle;
use jiff::{SignedDuration, Timestamp};

use crate::harness::Place;
use crate::provider::{CountedProvider, Manner, busy, down, sent, unknown, willing};
use crate::world::World;

const SOON: Duration = Duration::from_secs(20);

pub async fn one_call_reaches_everyone_once_and_adds_up(place: Place) {
    let world = World::new(place).await;
    world.populate(3000, |n| n).await;
    world.connect(willing(), willing());
    let engine = world.start();
    let call = world.call("narrow+wide", None).await;
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    for run in [1, 2] {
        let journeys = world.journeys(run);
        assert_eq!(journeys.values().sum::<i64>(), world.audience(run));
        assert_eq!(world.audience(run), 3000);
        assert_eq!(journeys["withoutMessage"], (0..3000).filter(|n| n % 13 == 12).count() as i64);
    }
    let rows = world.rows();
    let sent_rows = rows.iter().filter(|row| row.3 == State::Sent.code()).count();
    assert_eq!(sent_rows, world.record.lock().unwrap().len());
    assert!(rows.iter().all(|row| [State::Sent.code(), State::Skipped.code()].contains(&row.3)));
    let predecessor = rows.iter().filter(|row| row.0 == 2 && row.2 == 2).count();
    assert_eq!(predecessor, (0..3000).filter(|n| n % 13 != 12 && n % 3 == 0).count());
}

pub async fn an_empty_audience_is_a_run_that_is_done(place: Place) {
    let world = World::new(place).await;
    world.connect(willing(), willing());
    let engine = world.start();
    let call = world.call("narrow", None).await;
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    assert_eq!(world.audience(1), 0);
    engine.stop(Duration::from_secs(1)).await;
}

pub async fn a_call_that_cannot_be_read_back_holds_up_no_other(place: Place) {
    let world = World::new(place).await;
    world.populate(3, |n| n).await;
    world.connect(willing(), willing());
    // Deeper than any parser of JSON goes.
    let deep = format!("{{\"all\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let unreadable = world.call_with(deep, "narrow", None).await;
    let engine = world.start();
    let call = world.call("narrow", None).await;
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    assert_eq!(world.until_ended(&unreadable, SOON).await, "failed");
    let reason = world.ledger.calls.get(&unreadable).await.unwrap().unwrap().reason;
    assert!(reason.is_some_and(|reason| reason.contains("cannot be read back")));
    engine.stop(Duration::from_secs(1)).await;
}

pub async fn an_unknown_is_held_where_nothing_tells_a_repetition_and_sent_again_where_something_does(
    place: Place,
) {
    let world = World::new(place).await;
    world.populate(4, |n| [2, 2, 5, 5][n as usize]).await;
    let once: Manner =
        Arc::new(
            |n, _| if n < 4 { (true, unknown(), Duration::ZERO) } else { (true, sent(), Duration::ZERO) },
        );
    world.connect(Arc::clone(&once), once);
    let engine = world.start();
    let call = world.call("narrow", None).await;
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    let counts = world.counts();
    assert_eq!(counts[&(0, State::Held.code())], 2, "{counts:?}");
    assert_eq!(counts[&(1, State::Sent.code())], 2, "{counts:?}");
    let record = world.record.lock().unwrap();
    assert_eq!(record.iter().filter(|seen| seen.channel == "sms").count(), 2);
    assert_eq!(record.iter().filter(|seen| seen.channel == "mail").count(), 4);
}

pub async fn a_channel_that_is_down_is_probed_and_holds_up_nobody(place: Place) {
    let world = World::new(place).await;
    world.populate(800, |n| n).await;
    let up = Arc::new(AtomicBool::new(false));
    world.connect(down_until(&up), willing());
    let engine = world.start();
    let call = world.call("narrow", None).await;
    let mails = (0..800).filter(|n| n % 2 == 1 && n % 13 != 12 && n % 7 != 0).count();
    let seen = |channel| world.record.lock().unwrap().iter().filter(|seen| seen.channel == channel).count();
    wait_for(|| seen("mail") == mails).await;
    // Sixteen were under way when it was found to be down; whatever comes behind them probes, one by one.
    wait_for(|| seen("sms") >= 16 + 2).await;
    assert!(seen("sms") <= 16 + 3, "one delivery probes, the others wait: {}", seen("sms"));
    up.store(true, Ordering::Release);
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    let failed = world.rows().iter().filter(|row| row.3 == State::Failed.code()).count();
    assert_eq!(failed, 0);
}

/// Refuses everything until it is up.
fn down_until(up: &Arc<AtomicBool>) -> Manner {
    let up = Arc::clone(up);
    Arc::new(move |_, _| match up.load(Ordering::Acquire) {
        true => (true, sent(), Duration::ZERO),
        false => (false, down(), Duration::ZERO),
    })
}

pub async fn what_one_channel_cannot_send_holds_up_no_other_channel_of_the_same_run(place: Place) {
    const CUSTOMERS: i64 = 6_000;
    let world = World::new(place).await;
    world.populate(CUSTOMERS, |n| n).await;
    let up = Arc::new(AtomicBool::new(false));
    world.connect(down_until(&up), willing());
    let engine = world.start();
    let mails = (0..CUSTOMERS).filter(|n| n % 2 == 1 && n % 13 != 12 && n % 7 != 0).count();
    let taken = |channel| {
        world.record.lock().unwrap().iter().filter(|seen| seen.channel == channel && seen.taken).count()
    };
    let mut calls = Vec::new();
    // The first finds out that it is down, the second knows.
    for round in 1..=2 {
        calls.push(world.call("narrow", None).await);
        wait_for(|| taken("mail") == mails * round).await;
    }
    let texts = |counts: &BTreeMap<(i64, i64), usize>, state: State| {
        counts.get(&(0, state.code())).copied().unwrap_or_default()
    };
    let is_kept = |state| texts(&world.counts(), state) > 1_000;
    wait_for(|| is_kept(State::Queued)).await;
    up.store(true, Ordering::Release);
    for call in &calls {
        assert_eq!(world.until_ended(call, SOON).await, "done");
    }
    engine.stop(Duration::from_secs(1)).await;
    let counts = world.counts();
    assert_eq!(texts(&counts, State::Sent), taken("sms"), "each was taken once: {counts:?}");
    assert_eq!(texts(&counts, State::Failed) + texts(&counts, State::Held), 0, "{counts:?}");
    assert_eq!(world.journeys(1).values().sum::<i64>(), CUSTOMERS);
    assert_eq!(world.journeys(2), world.journeys(1));
}

pub async fn a_channel_of_which_nothing_waits_any_more_is_probed_by_the_next_message(place: Place) {
    let world = World::new(place).await;
    world.populate(200, |n| n * 26 + 2).await;
    let up = Arc::new(AtomicBool::new(false));
    world.connect(down_until(&up), willing());
    let engine = world.start();
    let soon = Timestamp::now() + SignedDuration::from_millis(800);
    let late = world.call("narrow", Some(soon)).await;
    world.until_ended(&late, SOON).await;
    assert!(!world.record.lock().unwrap().is_empty(), "it was tried");
    up.store(true, Ordering::Release);
    let call = world.call("narrow", None).await;
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
}

pub async fn attempts_are_used_up_and_then_it_has_failed(place: Place) {
    let world = World::new(place).await;
    world.populate(1, |_| 2).await;
    world.connect(Arc::new(|_, _| (false, busy(), Duration::ZERO)), willing());
    let mut handles = (**world.channels.load()).clone();
    let sms = handles.values_mut().find(|handle| handle.retry.on_unknown == fanfare::api::OnUnknown::Hold);
    let sms = sms.unwrap();
    let retry = fanfare::runtime::engine::dispatch::RetryPolicy { attempts_max: 2, ..sms.retry };
    *sms = Arc::new(fanfare::runtime::engine::dispatch::ChannelHandle {
        provider_health: Default::default(),
        channel: Arc::clone(&sms.channel),
        retry,
        window: Some(1),
        concurrency: Some(1),
        concurrency_max: 1,
        per_second: Some(50),
    });
    world.channels.store(Arc::new(handles));
    let engine = world.start();
    let call = world.call("narrow", None).await;
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    let rows = world.rows();
    assert_eq!(rows[0].3, State::Failed.code());
    assert!(rows[0].4.as_ref().unwrap().contains("busy"), "{rows:?}");
    assert_eq!(world.record.lock().unwrap().len(), 2);
}

pub async fn what_comes_too_late_is_not_sent_and_is_counted(place: Place) {
    let world = World::new(place).await;
    world.populate(2000, |n| n * 26 + 2).await;
    // All of them would take more than seven seconds.
    let slow: Manner = Arc::new(|_, _| (true, sent(), Duration::from_millis(60)));
    world.connect(slow, willing());
    let engine = world.start();
    let call = world.call("narrow", Some(Timestamp::now() + SignedDuration::from_secs(2))).await;
    assert_eq!(world.until_ended(&call, SOON).await, "expired");
    engine.stop(Duration::from_secs(1)).await;
    assert_eq!(world.listed_as(CallState::Expired).await, std::slice::from_ref(&call));
    assert!(world.listed_as(CallState::Done).await.is_empty());
    let journeys = world.journeys(1);
    assert_eq!(journeys.values().sum::<i64>(), 2000, "{journeys:?}");
    assert!(journeys["expired"] > 1000, "{journeys:?}");
    assert_eq!(journeys["messaged"] as usize, world.record.lock().unwrap().len());
}

pub async fn whom_a_run_left_out_is_kept_until_another_reaches_its_customers(place: Place) {
    let world = World::new(place).await;
    // A mood that seven divides has no address.
    let with_lost = |lost: i64| move |n: i64| if n < lost { 14 } else { 2 };
    world.populate(20, with_lost(2)).await;
    world.connect(willing(), willing());
    let engine = world.start();
    let done = async || {
        let call = world.call("narrow", None).await;
        assert_eq!(world.until_ended(&call, SOON).await, "done");
        call
    };
    done().await;
    assert!(world.ledger.log.left_out().await.unwrap().is_empty(), "a tenth is not more than a tenth");
    world.populate(20, with_lost(3)).await;
    let (first, second) = (done().await, done().await);
    let of_run = |call: CallId| {
        let log = Arc::clone(&world.ledger.log);
        async move {
            let run = log.runs_of_call(&call).await.unwrap().remove(0);
            left_out(&run.run_counts, run.audience.unwrap())
        }
    };
    for call in [&first, &second] {
        let [told] = of_run(call.clone()).await.try_into().unwrap();
        assert_eq!(told.in_words(), "3 of 20 customers were skipped: no address");
    }
    let [kept] = world.ledger.log.left_out().await.unwrap().try_into().unwrap();
    assert_eq!((kept.scenario.as_str(), &kept.call, kept.is_over), ("narrow", &first, false));
    assert_eq!(kept.left_out.in_public_words(), "3 of 20 customers were skipped: no address");
    assert!(kept.since < kept.at, "the same goes on: {kept:?}");
    engine.stop(Duration::from_secs(1)).await;
    // Nothing of it is in memory.
    let engine = world.start();
    assert_eq!(world.ledger.log.left_out().await.unwrap(), std::slice::from_ref(&kept));
    world.populate(20, |_| 2).await;
    done().await;
    let [over] = world.ledger.log.left_out().await.unwrap().try_into().unwrap();
    assert!(over.is_over && over.at == kept.at, "{over:?}");
    // One customer, of one: all.
    world.populate(20, |n| if n == 0 { 14 } else { -1 }).await;
    let alone = done().await;
    let [told] = world.ledger.log.left_out().await.unwrap().try_into().unwrap();
    assert_eq!((&told.call, told.is_over), (&alone, false), "it began anew");
    assert_eq!(told.left_out.in_words(), "the only customer was skipped: no address");
    let backlog = world.ledger.log.backlog().await.unwrap();
    assert_eq!(backlog.left_out, [(told.scenario, told.at)]);
    engine.stop(Duration::from_secs(1)).await;
}

pub async fn a_call_tells_of_every_end_its_runs_came_to(place: Place) {
    let world = World::new(place).await;
    world.populate(200, |n| n * 26 + 2).await;
    world.connect(willing(), willing());
    let engine = world.start();
    let control = engine.control();
    let narrow = PauseScope::Scenario(ScenarioName::new("narrow"));
    let pause = Pause { scope: narrow.clone(), who: "t".into(), reason: "t".into(), since: Timestamp::now() };
    control.pause(&pause).await.unwrap().unwrap();
    let both = world.call("narrow+wide", None).await;
    let whole = world.call("narrow", None).await;
    let late = world.call("narrow+wide", Some(Timestamp::now() + SignedDuration::from_secs(4))).await;
    let done = world.call("wide", None).await;
    assert_eq!(world.until_ended(&done, SOON).await, "done");
    assert_eq!(world.until_ended(&late, SOON).await, "partly");
    let begun = "SELECT count(*) FROM run WHERE scenario = 'narrow' AND state IN (0, 1)";
    wait_for(|| world.place.count(begun) == 2).await;
    assert_eq!(control.cancel(&narrow).await.unwrap(), 2);
    assert_eq!(world.until_ended(&both, SOON).await, "partly");
    assert_eq!(world.until_ended(&whole, SOON).await, "cancelled");
    engine.stop(Duration::from_secs(1)).await;
    let (both, late) = (both.clone(), late.clone());
    for (state, found) in [
        (CallState::Done, vec![done]),
        (CallState::Partly, vec![late.clone(), both.clone()]),
        (CallState::Expired, vec![late]),
        (CallState::Cancelled, vec![whole, both]),
        (CallState::Failed, vec![]),
        (CallState::Running, vec![]),
    ] {
        assert_eq!(world.listed_as(state).await, found, "{state:?}");
    }
}

pub async fn a_stopped_scenario_sends_nothing_more_and_counts_exactly(place: Place) {
    let world = World::new(place).await;
    world.populate(5000, |n| n * 26 + 2).await;
    let slow: Manner = Arc::new(|_, _| (true, sent(), Duration::from_millis(20)));
    world.connect(slow, willing());
    let engine = world.start();
    let call = world.call("narrow", None).await;
    wait_for(|| world.record.lock().unwrap().len() > 100).await;
    world.books.stopped.lock().unwrap().insert("narrow".into());
    assert_eq!(world.until_ended(&call, SOON).await, "cancelled");
    engine.stop(Duration::from_secs(1)).await;
    let journeys = world.journeys(1);
    assert_eq!(journeys.values().sum::<i64>(), 5000, "{journeys:?}");
    assert_eq!(journeys["messaged"] as usize, world.record.lock().unwrap().len(), "{journeys:?}");
}

pub async fn what_is_under_way_follows_what_the_provider_bears(place: Place) {
    let world = World::new(place).await;
    world.populate(1200, |n| n * 26 + 2).await;
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = CountedProvider { now: Arc::clone(&now), most: Arc::clone(&most) };
    world.connect_adaptive(willing(), willing(), 512);
    let mut handles = (**world.channels.load()).clone();
    let of = |handle: &ChannelHandle, concurrency| ChannelHandle {
        provider_health: Default::default(),
        channel: Arc::new(counted.clone()),
        window: None,
        concurrency,
        concurrency_max: 512,
        per_second: None,
        retry: handle.retry,
    };
    let name = ChannelName::new("sms");
    for (concurrency, expected) in [(Some(7), 7..=7), (None, 100..=256)] {
        let handle = of(&handles[&name], concurrency);
        handles.insert(name.clone(), Arc::new(handle));
        world.channels.store(Arc::new(handles.clone()));
        most.store(0, Ordering::Release);
        let engine = world.start();
        let call = world.call("narrow", None).await;
        assert_eq!(world.until_ended(&call, SOON * 3).await, "done");
        engine.stop(Duration::from_secs(1)).await;
        let most = most.load(Ordering::Acquire);
        assert!(expected.contains(&most), "{most} at once, {concurrency:?} declared");
    }
}

pub async fn a_clean_stop_leaves_nothing_in_doubt(place: Place) {
    let world = World::new(place).await;
    world.populate(5000, |n| n * 26 + 2).await;
    let slow: Manner = Arc::new(|_, _| (true, sent(), Duration::from_millis(5)));
    world.connect(slow, willing());
    let engine = world.start();
    let call = world.call("narrow", None).await;
    wait_for(|| world.record.lock().unwrap().len() > 100).await;
    engine.stop(Duration::from_secs(5)).await;
    let sending = world.rows().iter().filter(|row| row.3 == State::Sending.code()).count();
    assert_eq!(sending, 0);
    world.connect(willing(), willing());
    let engine = world.start();
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    let record = world.record.lock().unwrap();
    let keys: std::collections::HashSet<&str> = record.iter().map(|seen| seen.key.as_str()).collect();
    assert_eq!(keys.len(), record.len(), "nobody got it twice");
    assert_eq!(world.journeys(1)["messaged"] as usize, record.len());
}

pub async fn a_broad_run_does_not_hold_up_a_narrow_one(place: Place) {
    let world = World::new(place).await;
    let slow: Manner = Arc::new(|_, _| (true, sent(), Duration::from_millis(10)));
    world.connect(slow, willing());
    takes_turns(world).await;
}

pub async fn a_broad_run_does_not_hold_up_a_narrow_one_where_the_concurrency_is_learned(place: Place) {
    let world = World::new(place).await;
    // What waits for its start is four times what is under way.
    let slow: Manner = Arc::new(|_, _| (true, sent(), Duration::from_millis(50)));
    world.connect_adaptive(slow, willing(), 32);
    takes_turns(world).await;
}

/// A call for everyone comes while another for everyone is being sent.
async fn takes_turns(world: World) {
    world.populate(4000, |n| n * 26 + 2).await;
    let engine = world.start();
    let broad = world.call("narrow", None).await;
    wait_for(|| world.record.lock().unwrap().len() > 100).await;
    let another = world.call("narrow", None).await;
    let key = |id: &fanfare::domain::name::CallId| {
        fanfare::domain::delivery::RunKey::new(
            "test",
            id,
            &fanfare::domain::name::ScenarioName::new("narrow"),
        )
        .delivery("node-0", "c3", TargetId::ONLY)
    };
    let wanted = key(&another).to_string();
    wait_for(|| world.record.lock().unwrap().iter().any(|seen| seen.key == wanted)).await;
    assert!(world.record.lock().unwrap().len() < 2000, "calls take turns");
    drop(broad);
    engine.stop(Duration::ZERO).await;
}

async fn wait_for(mut done: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + SOON;
    while !done() {
        assert!(std::time::Instant::now() < deadline, "it did not come");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

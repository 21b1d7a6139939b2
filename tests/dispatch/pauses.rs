//! What people pause rests within a second, whoever starts or dies meanwhile, and goes on where it was.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare::domain::name::{CallId, ChannelName, ScenarioName};
use fanfare::domain::pause::{Pause, PauseScope};
use fanfare::domain::state::{DeliveryState as State, RunState};
use fanfare::runtime::engine::RunningEngine;
use fanfare::runtime::engine::dispatch::ChannelHandles;
use jiff::Timestamp;

use crate::harness::Place;
use crate::provider::{Manner, sent, willing};
use crate::world::World;

const SOON: Duration = Duration::from_secs(20);

fn slow() -> Manner {
    Arc::new(|_, _| (true, sent(), Duration::from_millis(10)))
}

pub fn pause(scope: PauseScope) -> Pause {
    Pause { scope, who: "apikey/desk".into(), reason: "a wrong text".into(), since: Timestamp::now() }
}

pub fn scenario(name: &str) -> PauseScope {
    PauseScope::Scenario(ScenarioName::new(name))
}

fn seen(world: &World) -> usize {
    world.record.lock().unwrap().len()
}

pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Everyone got each message once, and the run adds up.
pub fn adds_up(world: &World, run: i64, customers: i64) {
    let record = world.record.lock().unwrap();
    let keys: HashSet<&str> = record.iter().map(|seen| seen.key.as_str()).collect();
    assert_eq!(keys.len(), record.len(), "nobody got it twice");
    let journeys = world.journeys(run);
    assert_eq!(journeys.values().sum::<i64>(), customers, "{journeys:?}");
}

/// A world where each of so many customers gets one message by `sms`, which takes 10 ms each.
async fn begun(place: Place, customers: i64) -> (World, RunningEngine, CallId) {
    let world = World::new(place).await;
    world.populate(customers, |n| n * 26 + 2).await;
    world.connect(slow(), willing());
    let engine = world.start();
    let call = world.call("narrow", None).await;
    until("a hundred are sent", || seen(&world) > 100).await;
    (world, engine, call)
}

pub async fn a_paused_scenario_rests_over_a_restart_while_others_go_on(place: Place) {
    let (world, engine, call) = begun(place, 3000).await;
    engine.control().pause(&pause(scenario("narrow"))).await.unwrap().unwrap();
    let at_the_pause = seen(&world);
    // Somebody else's run comes and goes meanwhile: this one gets not one message more.
    let other = world.call("wide", None).await;
    assert_eq!(world.until_ended(&other, SOON).await, "done");
    let sent = State::Sent.code();
    let of_other = world.rows().iter().filter(|row| row.0 == 2 && row.3 == sent).count();
    assert_eq!(seen(&world), at_the_pause + of_other);
    engine.stop(Duration::from_secs(2)).await;

    let engine = world.start();
    let another = world.call("wide", None).await;
    assert_eq!(world.until_ended(&another, SOON).await, "done");
    let of_another = world.rows().iter().filter(|row| row.0 == 3 && row.3 == sent).count();
    assert_eq!(seen(&world), at_the_pause + of_other + of_another, "it rests after a restart too");
    let [kept] = engine.control().pauses().await.unwrap().try_into().unwrap();
    assert_eq!((kept.who.as_str(), kept.reason.as_str()), ("apikey/desk", "a wrong text"));

    engine.control().resume(&scenario("narrow")).await.unwrap().unwrap();
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    assert_eq!(engine.control().resume(&scenario("narrow")).await.unwrap(), None);
    engine.stop(Duration::from_secs(1)).await;
    adds_up(&world, 1, 3000);
}

pub async fn a_pause_that_is_ended_at_once_loses_and_doubles_nothing(place: Place) {
    let (world, engine, call) = begun(place, 3000).await;
    let control = engine.control();
    for scope in [scenario("narrow"), PauseScope::Call(call.clone()), PauseScope::Runtime, scenario("narrow")]
    {
        let before = seen(&world);
        control.pause(&pause(scope.clone())).await.unwrap().unwrap();
        control.resume(&scope).await.unwrap().unwrap();
        until("it goes on", || seen(&world) > before + 100).await;
    }
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    adds_up(&world, 1, 3000);
    assert_eq!(seen(&world) as i64, world.journeys(1)["messaged"]);
}

pub async fn a_paused_channel_keeps_its_messages_and_the_other_sends(place: Place) {
    let world = World::new(place).await;
    world.populate(400, |n| n).await;
    world.connect(willing(), willing());
    let engine = world.start();
    let control = engine.control();
    let sms = PauseScope::Channel(ChannelName::new("sms"));
    control.pause(&pause(sms.clone())).await.unwrap().unwrap();
    let call = world.call("narrow", None).await;
    control.pause(&pause(PauseScope::Runtime)).await.unwrap().unwrap();
    control.resume(&PauseScope::Runtime).await.unwrap().unwrap();
    let other = world.call("narrow", Some(Timestamp::now() + jiff::SignedDuration::from_millis(300))).await;
    // It was expired while its channel rested.
    world.until_ended(&other, SOON).await;
    assert!(world.record.lock().unwrap().iter().all(|seen| seen.channel != "sms"));
    control.resume(&sms).await.unwrap().unwrap();
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    adds_up(&world, 1, 400);
    adds_up(&world, 2, 400);
}

pub async fn what_is_cancelled_while_it_rests_is_counted_exactly(place: Place) {
    let (world, engine, call) = begun(place, 3000).await;
    let control = engine.control();
    control.pause(&pause(PauseScope::Call(call.clone()))).await.unwrap().unwrap();
    assert_eq!(control.cancel(&scenario("wide")).await.unwrap(), 0);
    assert_eq!(control.cancel(&PauseScope::Channel(ChannelName::new("pigeon"))).await.unwrap(), 0);
    assert_eq!(control.cancel(&PauseScope::Channel(ChannelName::new("sms"))).await.unwrap(), 1);
    assert_eq!(world.until_ended(&call, SOON).await, "cancelled");
    engine.stop(Duration::from_secs(1)).await;
    adds_up(&world, 1, 3000);
    assert_eq!(seen(&world) as i64, world.journeys(1)["messaged"]);
    let ends = world.journeys(1);
    let skipped = ends.get("skipped").copied().unwrap_or_default();
    assert_eq!(ends["cancelled"], 3000 - ends["messaged"] - skipped, "{ends:?}");
    assert!(ends["cancelled"] > 1000, "{ends:?}");
}

pub async fn a_run_that_expires_while_it_rests_comes_to_its_end(place: Place) {
    let world = World::new(place).await;
    world.populate(500, |n| n * 26 + 2).await;
    world.connect(willing(), willing());
    let engine = world.start();
    engine.control().pause(&pause(PauseScope::Runtime)).await.unwrap().unwrap();
    let call = world.call("narrow", Some(Timestamp::now() + jiff::SignedDuration::from_millis(400))).await;
    assert_eq!(world.until_ended(&call, SOON).await, "expired");
    engine.stop(Duration::from_secs(1)).await;
    assert_eq!(seen(&world), 0);
    assert!(world.rows().is_empty(), "nothing was opened");
    assert_eq!(open_runs_and_chunks(&world), 0);
    assert_eq!(world.place.count("SELECT count(*) FROM run"), 1);

    // The same for one that had begun.
    world.connect(slow(), willing());
    world.populate(12_000, |n| n * 26 + 2).await;
    let engine = world.start();
    let control = engine.control();
    control.resume(&PauseScope::Runtime).await.unwrap().unwrap();
    let call = world.call("narrow", Some(Timestamp::now() + jiff::SignedDuration::from_secs(4))).await;
    until("one is sent", || seen(&world) > 0).await;
    control.pause(&pause(PauseScope::Runtime)).await.unwrap().unwrap();
    assert_eq!(world.until_ended(&call, SOON).await, "expired");
    engine.stop(Duration::from_secs(1)).await;
    assert_eq!(open_runs_and_chunks(&world), 0);
    adds_up(&world, 2, 12_000);
    let ends = world.journeys(2);
    assert_eq!(ends["messaged"], seen(&world) as i64, "{ends:?}");
    assert!(ends["expired"] > 0, "{ends:?}");
}

/// How many runs and chunks are not at their end.
fn open_runs_and_chunks(world: &World) -> i64 {
    let (selecting, running) = (RunState::Selecting.code(), RunState::Running.code());
    let runs = format!("SELECT count(*) FROM run WHERE state IN ({selecting}, {running})");
    world.place.count(&runs) + world.place.count("SELECT count(*) FROM chunk WHERE counts IS NULL")
}

/// How much was sent, once nothing more is under way. A replica that sends opens the next messages in the commit that
/// writes the outcomes of the last ones, so that between two of them something is always under way.
async fn until_still(world: &World) -> usize {
    let sending =
        format!("SELECT count(*) FROM delivery WHERE run = 1 AND state = {}", State::Sending.code());
    until("nothing is under way", || (0..5).all(|_| world.place.count(&sending) == 0)).await;
    seen(world)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_replica_rests_as_well() {
    let (world, engine, call) = begun(Place::postgres(), 6000).await;
    let (ledger, customers) = world.place.open_both().await;
    let channels = ChannelHandles::default();
    channels.store(Arc::new(world.providers(["other", "other"], slow(), slow())));
    let replica = world.start_on(&ledger, &customers, &channels);
    let by_other = || world.record.lock().unwrap().iter().filter(|seen| seen.channel == "other").count();
    until("both send", || by_other() > 50).await;
    engine.control().pause(&pause(scenario("narrow"))).await.unwrap().unwrap();
    let rests = until_still(&world).await;
    assert!(rests < 6000, "it went on to the end");
    let other = world.call("wide", None).await;
    assert_eq!(world.until_ended(&other, SOON).await, "done");
    let of_other = world.rows().iter().filter(|row| row.0 == 2 && row.3 == State::Sent.code()).count();
    assert_eq!(seen(&world), rests + of_other);
    // The one that was not asked ends the pause.
    replica.control().resume(&scenario("narrow")).await.unwrap().unwrap();
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    replica.stop(Duration::from_secs(1)).await;
    ledger.close().await;
    adds_up(&world, 1, 6000);
}

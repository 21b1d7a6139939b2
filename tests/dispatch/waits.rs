//! Journeys that wait: at rest they are rows and nothing else, and each goes on once.

use std::sync::Arc;
use std::time::Duration;

use fanfare::domain::name::CallId;
use fanfare::domain::pause::PauseScope;
use fanfare::domain::state::RunState;
use fanfare::runtime::engine::RunningEngine;
use jiff::{SignedDuration, Timestamp};

use crate::harness::Place;
use crate::pauses::{adds_up, pause, scenario, until};
use crate::provider::{Manner, sent, unknown, willing};
use crate::world::World;

const SOON: Duration = Duration::from_secs(30);
/// Of moods 0 to 389: who meets a message at all, and whom of them a second one behind the wait.
const CUSTOMERS: i64 = 390;
const RESTING: &str = "SELECT count(*) FROM run WHERE state = 6";

/// A run of `waits-long` that has come to rest: all its journeys have ended or wait for an hour.
async fn resting(place: Place, expires_at: Option<Timestamp>) -> (World, RunningEngine, CallId) {
    let world = World::new(place).await;
    world.populate(CUSTOMERS, |n| n).await;
    world.connect(willing(), willing());
    let engine = world.start();
    let call = world.call("waits-long", expires_at).await;
    until("the run rests", || world.place.count(RESTING) == 1).await;
    until("nothing of it is in memory", || engine.runs_under_way() == 0).await;
    (world, engine, call)
}

fn waiting(world: &World) -> i64 {
    world.place.count("SELECT count(*) FROM waiting_journey WHERE woken_into IS NULL")
}

fn second_messages(world: &World) -> usize {
    world.rows().iter().filter(|row| row.2 == 4).count()
}

pub async fn who_waits_goes_on_once_and_the_run_adds_up(place: Place) {
    let world = World::new(place).await;
    world.populate(CUSTOMERS, |n| n).await;
    world.connect(willing(), willing());
    let engine = world.start();
    let call = world.call("waits", None).await;
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    adds_up(&world, 1, CUSTOMERS);
    assert_eq!(waiting(&world), 0);
    // The same moods as above decide: 12 of 13 meet a message, 4 of 5 wait, 2 of 3 get the second.
    let expected = (0..CUSTOMERS).filter(|mood| mood % 13 != 12 && mood % 5 != 4 && mood % 3 != 2).count();
    assert_eq!(second_messages(&world), expected);
    let [run] = world.ledger.log.runs_of_call(&call).await.unwrap().try_into().unwrap();
    assert_eq!((run.state, run.at_waits, run.next_wake_at), (RunState::Done, 0, None));
    engine.stop(Duration::from_secs(1)).await;
}

/// One message of the first chunk takes longer than the others wait: what these get behind the wait is not that chunk's.
pub async fn who_is_woken_before_the_chunk_is_done_is_counted_once(place: Place) {
    let world = World::new(place).await;
    world.populate(CUSTOMERS, |n| n).await;
    let first_is_slow: Manner = Arc::new(|_, message| match message.address.as_str() {
        "@c2" => (true, sent(), Duration::from_secs(3)),
        _ => (true, sent(), Duration::ZERO),
    });
    world.connect(first_is_slow, willing());
    let engine = world.start();
    let call = world.call("waits", None).await;
    until("others got their second message", || second_messages(&world) > 0).await;
    let [run] = world.ledger.log.runs_of_call(&call).await.unwrap().try_into().unwrap();
    assert_eq!(run.state, RunState::Running);
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    adds_up(&world, 1, CUSTOMERS);
    let [run] = world.ledger.log.runs_of_call(&call).await.unwrap().try_into().unwrap();
    let sent = run.run_counts.by_state()["sent"];
    assert_eq!(sent as usize, world.record.lock().unwrap().len());
    engine.stop(Duration::from_secs(1)).await;
}

pub async fn a_run_that_rests_is_told_and_survives_a_restart(place: Place) {
    let (world, engine, call) = resting(place, None).await;
    let [run] = world.ledger.log.runs_of_call(&call).await.unwrap().try_into().unwrap();
    assert_eq!(run.state, RunState::Waiting);
    assert_eq!(run.at_waits as i64, waiting(&world));
    let ended = run.run_counts.journeys.total();
    assert_eq!(ended + run.at_waits, CUSTOMERS as u64, "audience = ended + waiting");
    assert!(run.next_wake_at.unwrap() > Timestamp::now() + SignedDuration::from_mins(30));
    let backlog = world.ledger.log.backlog().await.unwrap();
    assert_eq!((backlog.runs, backlog.resting_runs, backlog.oldest_call), (0, 1, None));
    assert_eq!(backlog.next_wake_at, run.next_wake_at);
    engine.stop(Duration::from_secs(1)).await;
    let engine = world.start();
    let other = world.call("narrow", None).await;
    assert_eq!(world.until_ended(&other, SOON).await, "done");
    assert_eq!((world.place.count(RESTING), second_messages(&world)), (1, 0));
    engine.stop(Duration::from_secs(1)).await;
}

/// What is cancelled while it waits is not sent, and each of its customers is counted by what they got before.
pub async fn a_run_that_rests_is_cancelled_by_a_person(place: Place) {
    let (world, engine, call) = resting(place, None).await;
    assert_eq!(engine.control().cancel(&scenario("other")).await, Ok(0));
    assert_eq!(engine.control().cancel(&scenario("waits-long")).await, Ok(1));
    assert_eq!(world.until_ended(&call, SOON).await, "cancelled");
    assert_eq!((second_messages(&world), waiting(&world)), (0, 0));
    adds_up(&world, 1, CUSTOMERS);
    engine.stop(Duration::from_secs(1)).await;
}

pub async fn a_run_that_rests_ends_with_its_scenario(place: Place) {
    let (world, engine, call) = resting(place, None).await;
    world.books.stopped.lock().unwrap().insert("waits-long".into());
    assert_eq!(world.until_ended(&call, SOON).await, "cancelled");
    assert_eq!((second_messages(&world), waiting(&world)), (0, 0));
    adds_up(&world, 1, CUSTOMERS);
    engine.stop(Duration::from_secs(1)).await;
}

pub async fn a_wait_ends_when_its_call_expires(place: Place) {
    let expires_at = Timestamp::now() + SignedDuration::from_secs(6);
    let (world, engine, call) = resting(place, Some(expires_at)).await;
    assert_eq!(world.until_ended(&call, SOON).await, "expired");
    assert_eq!((second_messages(&world), waiting(&world)), (0, 0));
    adds_up(&world, 1, CUSTOMERS);
    engine.stop(Duration::from_secs(1)).await;
}

pub async fn who_is_woken_while_the_scenario_is_paused_goes_on_when_it_is_resumed(place: Place) {
    let world = World::new(place).await;
    world.populate(CUSTOMERS, |n| n).await;
    world.connect(willing(), willing());
    let engine = world.start();
    let call = world.call("waits", None).await;
    until("some wait", || waiting(&world) > 0).await;
    engine.control().pause(&pause(scenario("waits"))).await.unwrap().unwrap();
    until("their time has come", || waiting(&world) == 0).await;
    let sent = second_messages(&world);
    let other = world.call("narrow", None).await;
    assert_eq!(world.until_ended(&other, SOON).await, "done");
    assert_eq!(second_messages(&world), sent, "none goes on while it is paused");
    engine.control().resume(&scenario("waits")).await.unwrap().unwrap();
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    adds_up(&world, 1, CUSTOMERS);
    engine.stop(Duration::from_secs(1)).await;
}

/// A person lets a message be sent again from which the journey has gone on to its wait.
pub async fn what_was_held_before_the_wait_is_sent_again_while_the_run_rests(place: Place) {
    let world = World::new(place).await;
    world.populate(4, |_| 6).await;
    let first_is_unknown: Manner = Arc::new(|n, seen| match n {
        0 => (false, unknown(), Duration::ZERO),
        _ => willing()(n, seen),
    });
    world.connect(first_is_unknown, willing());
    let engine = world.start();
    let call = world.call("waits-long", None).await;
    until("the run rests", || world.place.count(RESTING) == 1).await;
    assert_eq!(waiting(&world), 4, "whatever became of their message");
    let held = world.place.count("SELECT customer FROM delivery WHERE state = 6");
    let filter = fanfare::store::run_log::DeliveryFilter { limit: 9, ..Default::default() };
    let [record] = world.ledger.log.deliveries(filter).await.unwrap().try_into().unwrap();
    assert_eq!(record.delivery.id.customer.0, held);
    assert_eq!(engine.control().resend(record.delivery.id).await, Ok(true));
    until("it is sent", || world.place.count("SELECT count(*) FROM delivery WHERE state = 3") == 4).await;
    until("the run rests again", || world.place.count(RESTING) == 1).await;
    assert_eq!(waiting(&world), 4);
    assert_eq!(engine.control().cancel(&PauseScope::Call(call.clone())).await, Ok(1));
    assert_eq!(world.until_ended(&call, SOON).await, "cancelled");
    assert_eq!(world.journeys(1).values().sum::<i64>(), 4);
    engine.stop(Duration::from_secs(1)).await;
}

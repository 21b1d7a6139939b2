//! The rules of the ledger that the engine leans on, told against the traits.

use std::sync::Arc;

use fanfare::domain::customer::CustomerKey;
use fanfare::domain::delivery::{DeliveryId, MessageDigest};
use fanfare::domain::name::{ChannelName, NodeIndex, RunId, ScenarioName};
use fanfare::domain::run_counts::RunCounts;
use fanfare::domain::state::{DeliveryState as State, RunState};
use fanfare::store::deliveries::{Advanced, Cursor, Decided, Opened, Outcome, SendIntent, Step};
use fanfare::store::runs::{ChunkId, Fence, Matched, Taken, TakenChunk};
use jiff::Timestamp;

use crate::harness::Place;
use crate::world::World;

/// A run with one chunk of the customers 1 to 3, taken once.
pub async fn one_chunk(world: &World) -> (ChunkId, Fence) {
    world.call("narrow", None).await;
    let fired = vec![ScenarioName::new("narrow")];
    let matched = Matched { fired, not_fired: Vec::new() };
    let runs = world.ledger.runs.begin_runs(1, matched.clone(), "first", Timestamp::now()).await.unwrap();
    assert_eq!(
        world.ledger.runs.begin_runs(1, matched, "first", Timestamp::now()).await.unwrap(),
        Vec::new()
    );
    let keys = (1..=3).map(CustomerKey).collect();
    let chunks = Arc::new(vec![keys]);
    let fence = world
        .ledger
        .runs
        .set_audience(runs[0], Arc::clone(&chunks), "by hand".into(), "first")
        .await
        .unwrap();
    let again = world.ledger.runs.set_audience(runs[0], chunks, "by hand".into(), "second").await.unwrap();
    assert_eq!(again, None, "an audience is written once");
    (ChunkId { run: runs[0], n: 0 }, fence.unwrap())
}

async fn take(world: &World, chunk: ChunkId, owner: &str) -> TakenChunk {
    match world.ledger.runs.take_chunk(chunk, owner).await.unwrap() {
        Taken::Here(taken) => taken,
        other => panic!("{other:?}"),
    }
}

pub fn opening(run: RunId, fence: Fence, customer: i64) -> SendIntent {
    SendIntent {
        id: DeliveryId { run, customer: CustomerKey(customer), node: NodeIndex(0) },
        channel: ChannelName::new("sms"),
        chunk: 0,
        fence,
        attempt: 1,
        is_retry: false,
        address: "+43".into(),
        digest: MessageDigest([7; 16]),
        predecessor: None,
        segments: None,
    }
}

async fn open(world: &World, opening: SendIntent, repeated: bool) -> Opened {
    let step = Step { at: Timestamp::now(), openings: vec![opening], repeated, ..Step::default() };
    world.ledger.deliveries.commit(Arc::new(step)).await.unwrap().opened[0]
}

pub fn sent(id: DeliveryId, attempt: u32) -> Outcome {
    Outcome {
        id,
        attempt,
        fence: Fence(1),
        attempts_counted: attempt,
        state: State::Sent,
        maybe_sent: false,
        provider_id: None,
        reason: None,
        retry_at: None,
        advanced: true,
    }
}

pub async fn only_the_owner_of_a_chunk_opens_windows(place: Place) {
    let world = World::new(place).await;
    let (chunk, first) = one_chunk(&world).await;
    assert_eq!(open(&world, opening(chunk.run, first, 1), false).await, Opened::Yes);
    let second = take(&world, chunk, "second").await.fence;
    assert!(second > first);
    assert_eq!(open(&world, opening(chunk.run, first, 2), false).await, Opened::Lost);
    assert_eq!(open(&world, opening(chunk.run, second, 2), false).await, Opened::Yes);
    let cursors = vec![Cursor { chunk, fence: first, position: 3 }];
    world.ledger.deliveries.commit(Arc::new(Step { cursors, ..Step::default() })).await.unwrap();
    assert_eq!(take(&world, chunk, "third").await.position, 0);
}

pub async fn a_delivery_is_opened_once_unless_it_is_the_same_step_again(place: Place) {
    let world = World::new(place).await;
    let (chunk, fence) = one_chunk(&world).await;
    assert_eq!(open(&world, opening(chunk.run, fence, 1), false).await, Opened::Yes);
    assert_eq!(open(&world, opening(chunk.run, fence, 1), false).await, Opened::Lost);
    assert_eq!(open(&world, opening(chunk.run, fence, 1), true).await, Opened::Yes);
    let other = SendIntent { digest: MessageDigest([8; 16]), ..opening(chunk.run, fence, 1) };
    assert_eq!(open(&world, other, true).await, Opened::Lost);
}

pub async fn an_outcome_counts_only_while_its_attempt_is_under_way(place: Place) {
    let world = World::new(place).await;
    let (chunk, fence) = one_chunk(&world).await;
    let one = opening(chunk.run, fence, 1);
    assert_eq!(open(&world, one.clone(), false).await, Opened::Yes);
    let refused = Outcome { state: State::Failed, ..sent(one.id, 1) };
    let outcomes = vec![sent(one.id, 2), sent(one.id, 1), refused];
    world.ledger.deliveries.commit(Arc::new(Step { outcomes, ..Step::default() })).await.unwrap();
    assert_eq!(world.ledger.deliveries.get(&[one.id]).await.unwrap()[0].state, State::Sent);
}

pub async fn a_run_that_was_told_to_stop_opens_nothing_more(place: Place) {
    let world = World::new(place).await;
    let (chunk, fence) = one_chunk(&world).await;
    assert!(world.ledger.runs.stop_run(chunk.run).await.unwrap());
    assert_eq!(open(&world, opening(chunk.run, fence, 1), false).await, Opened::Stopping);
    assert_eq!(world.ledger.deliveries.get(&[opening(chunk.run, fence, 1).id]).await.unwrap(), Vec::new());
}

pub async fn neither_chunk_nor_run_is_done_while_something_is_open(place: Place) {
    let world = World::new(place).await;
    let (chunk, fence) = one_chunk(&world).await;
    let one = opening(chunk.run, fence, 1);
    assert_eq!(open(&world, one.clone(), false).await, Opened::Yes);
    let counts = RunCounts::default();
    let finish = || world.ledger.runs.finish_chunk(chunk, fence, 3, &counts);
    let end = || world.ledger.runs.end_run(chunk.run, RunState::Done, None, Timestamp::now());
    assert_eq!(finish().await, Ok(false));
    assert_eq!(end().await, Ok(false));
    world
        .ledger
        .deliveries
        .commit(Arc::new(Step { outcomes: vec![sent(one.id, 1)], ..Step::default() }))
        .await
        .unwrap();
    assert_eq!(finish().await, Ok(true));
    assert_eq!(end().await, Ok(true));
    assert_eq!(world.ledger.runs.take_chunk(chunk, "late").await.unwrap(), Taken::Done);
}

pub async fn who_lost_a_chunk_decides_nothing_in_it_and_still_brings_outcomes(place: Place) {
    let world = World::new(place).await;
    let (chunk, first) = one_chunk(&world).await;
    let (one, two) = (opening(chunk.run, first, 1), opening(chunk.run, first, 2));
    assert_eq!(open(&world, one.clone(), false).await, Opened::Yes);
    assert_eq!(open(&world, two.clone(), false).await, Opened::Yes);
    let second = take(&world, chunk, "second").await.fence;
    let decided = |id, fence, state, reason: &str| Decided {
        id,
        channel: ChannelName::new("sms"),
        chunk: 0,
        fence,
        state,
        maybe_sent: true,
        reason: Some(reason.into()),
        retry_at: Some(Timestamp::now()),
        advanced: false,
        predecessor: None,
    };
    let commit = async |step| world.ledger.deliveries.commit(Arc::new(step)).await.unwrap();
    let get = async |id| world.ledger.deliveries.get(&[id]).await.unwrap().remove(0);

    let step = Step {
        decided: vec![decided(one.id, first, State::Cancelled, "mine")],
        advanced: vec![Advanced { id: two.id, chunk: 0, fence: first }],
        ..Step::default()
    };
    assert!(commit(step).await.lost);
    assert_eq!((get(one.id).await.state, get(two.id).await.advanced), (State::Sending, false));

    // What is under way when the chunk is taken is in doubt, until its outcome comes from whoever has it.
    let doubts = [one.id, two.id].map(|id| decided(id, second, State::Retrying, "in doubt"));
    assert!(!commit(Step { decided: doubts.into(), ..Step::default() }).await.lost);
    let outcomes = vec![sent(one.id, 1), Outcome { state: State::Held, maybe_sent: true, ..sent(two.id, 1) }];
    commit(Step { outcomes, ..Step::default() }).await;
    assert_eq!(get(one.id).await.state, State::Sent);
    assert_eq!(get(two.id).await.state, State::Held);
    let backlog = world.ledger.log.backlog().await.unwrap();
    assert_eq!(backlog.deliveries, [(ChannelName::new("sms"), State::Held, 1)]);
}

//! The rules of the ledger that the engine leans on, told against the traits.

use std::sync::Arc;

use fanfare::domain::customer::CustomerKey;
use fanfare::domain::delivery::{DeliveryId, MessageDigest};
use fanfare::domain::name::{ChannelName, NodeIndex, RunId, ScenarioName};
use fanfare::domain::run_counts::RunCounts;
use fanfare::domain::state::{DeliveryState as State, RunState};
use fanfare::store::deliveries::{Advanced, Cursor, Decided, JourneyWait, Opened, Outcome, SendIntent, Step};
use fanfare::store::runs::{ChunkId, Fence, Matched, Taken, TakenChunk, Woken};
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
        id: DeliveryId::to_only_target(run, CustomerKey(customer), NodeIndex(0)),
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

/// A journey waits by the chunk's fence, and of those who wake it at the same time one does.
pub async fn a_wait_is_its_owners_and_is_woken_once(place: Place) {
    let world = World::new(place).await;
    let runs = &world.ledger.runs;
    let (chunk, first) = one_chunk(&world).await;
    let second = take(&world, chunk, "second").await.fence;
    let due = Timestamp::from_second(2_000_000_000).unwrap();
    let wait = |fence, customer| JourneyWait {
        chunk,
        fence,
        customer: CustomerKey(customer),
        node: NodeIndex(1),
        until: due,
    };
    let commit = async |waits| {
        world.ledger.deliveries.commit(Arc::new(Step { waits, ..Step::default() })).await.unwrap()
    };
    let left = async || world.ledger.deliveries.journeys_elsewhere(chunk).await.unwrap().left.len();
    assert!(commit(vec![wait(first, 1)]).await.lost);
    assert_eq!(left().await, 0);
    assert!(!commit(vec![wait(second, 1), wait(second, 2)]).await.lost);
    assert!(!commit(vec![wait(second, 1)]).await.lost, "once more is the same");
    assert_eq!(left().await, 2);

    let before = Timestamp::from_second(1_999_999_999).unwrap();
    let early = runs.wake_due(before, 8).await.unwrap();
    assert_eq!((early.chunks.len(), early.is_more_due, early.next_at), (0, false, Some(due)));
    let (one, other) = tokio::join!(runs.wake_due(due, 8), runs.wake_due(due, 8));
    let chunks = [one.unwrap().chunks, other.unwrap().chunks].concat();
    let woken = ChunkId { run: chunk.run, n: 1 };
    assert_eq!(chunks, [(woken, 2)]);
    assert_eq!(runs.wake_due(due, 8).await.unwrap().next_at, None);
    let taken = take(&world, woken, "third").await;
    assert_eq!((taken.fence, taken.position), (Fence(1), 0));
    assert_eq!(taken.keys, [CustomerKey(1), CustomerKey(2)]);
    assert_eq!(taken.woken, Some(Woken { node: NodeIndex(1), at: due }));

    // The second wait of a journey, in the chunk that it was woken into; the first chunk has nothing to do with it.
    let again = JourneyWait { chunk: woken, node: NodeIndex(3), ..wait(taken.fence, 1) };
    assert!(!commit(vec![again]).await.lost);
    assert_eq!(left().await, 2);
    let counts = RunCounts::default();
    assert!(!runs.rest_run(chunk.run).await.unwrap(), "chunks are open");
    assert!(runs.finish_chunk(chunk, second, 3, &counts).await.unwrap());
    assert!(!runs.rest_run(chunk.run).await.unwrap(), "one chunk is open");
    assert!(runs.finish_chunk(woken, taken.fence, 2, &counts).await.unwrap());
    assert!(runs.rest_run(chunk.run).await.unwrap());
    assert_eq!(runs.unfinished_runs(&[]).await.unwrap(), [], "nobody looks at it");
    assert_eq!(runs.waiting_runs().await.unwrap().len(), 1);

    // Told to stop, it is under way again, and all that waits is woken whatever its time.
    assert!(runs.stop_run(chunk.run).await.unwrap());
    assert!(!runs.rest_run(chunk.run).await.unwrap());
    assert_eq!(runs.wake_run(chunk.run, before).await.unwrap(), 1);
    let last = ChunkId { n: 2, ..woken };
    assert_eq!(take(&world, last, "third").await.woken, Some(Woken { node: NodeIndex(3), at: before }));
}

/// A run that ended in another way lets go whoever waits: nothing is looked at for ever.
pub async fn who_waits_in_a_run_that_failed_is_let_go(place: Place) {
    let world = World::new(place).await;
    let runs = &world.ledger.runs;
    let (chunk, fence) = one_chunk(&world).await;
    let due = Timestamp::from_second(2_000_000_000).unwrap();
    let (customer, node) = (CustomerKey(1), NodeIndex(1));
    let waits = vec![JourneyWait { chunk, fence, customer, node, until: due }];
    world.ledger.deliveries.commit(Arc::new(Step { waits, ..Step::default() })).await.unwrap();
    assert!(runs.end_run(chunk.run, RunState::Failed, None, due).await.unwrap());
    let woken = runs.wake_due(due, 8).await.unwrap();
    assert_eq!((woken.chunks.len(), woken.next_at), (0, None));
}

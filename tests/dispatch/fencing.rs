//! Who may decide, while statements of several replicas cross: one of them is held open in a session of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare::domain::customer::CustomerKey;
use fanfare::domain::name::ScenarioName;
use fanfare::domain::run_counts::RunCounts;
use fanfare::domain::state::DeliveryState;
use fanfare::store::deliveries::{Opened, Outcome, SendIntent, Step};
use fanfare::store::runs::{ChunkId, Fence, Matched, OpenChunks, SelectionLease, Taken};
use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::harness::{Ledger, Place};
use crate::ledger::{one_chunk, opening, sent};
use crate::world::World;

/// A ledger with one chunk of the owner `first`, whose lease runs, and a session that holds things open.
struct Crossing {
    world: World,
    chunk: ChunkId,
    fence: Fence,
    session: Client,
}

impl Crossing {
    async fn new() -> Crossing {
        let world = World::new(Place::postgres()).await;
        let (chunk, fence) = one_chunk(&world).await;
        world.ledger.replicas.renew("first").await.unwrap();
        let session = world.place.session().await;
        Crossing { world, chunk, fence, session }
    }

    fn ledger(&self) -> &Ledger {
        &self.world.ledger
    }

    async fn run(&self, sql: &str) {
        self.session.batch_execute(sql).await.unwrap();
    }

    async fn take(&self) -> Taken {
        self.ledger().runs.take_chunk(self.chunk, "second").await.unwrap()
    }

    /// Opens a window for a customer, beside what the test does.
    fn open(&self, customer: i64) -> JoinHandle<Opened> {
        let (ledger, opening) = (self.ledger().clone(), opening(self.chunk.run, self.fence, customer));
        tokio::spawn(async move { open(&ledger, opening).await })
    }

    /// Waits until so many statements wait for the session, or for one that waits for it.
    async fn until_waiting(&self, statements: i64) {
        let waiting = "WITH RECURSIVE waiting (pid) AS (SELECT $1::int UNION
                SELECT a.pid FROM pg_stat_activity a JOIN waiting w ON w.pid = ANY (pg_blocking_pids(a.pid)))
            SELECT count(*) - 1 FROM waiting";
        let pid: i32 = self.session.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
        let watching = self.world.place.session().await;
        let deadline = Instant::now() + Duration::from_secs(10);
        while watching.query_one(waiting, &[&pid]).await.unwrap().get::<_, i64>(0) < statements {
            assert!(Instant::now() < deadline, "they do not wait");
        }
    }

    /// Lets the lease of the chunk's owner have run out.
    async fn let_lease_run_out(&self) {
        self.run("UPDATE replica SET lease_until = clock_timestamp() - interval '1 second'").await;
    }

    fn deliveries(&self) -> i64 {
        self.world.place.count("SELECT count(*) FROM delivery")
    }
}

async fn open(ledger: &Ledger, opening: SendIntent) -> Opened {
    let step = Step { at: Timestamp::now(), openings: vec![opening], ..Step::default() };
    ledger.deliveries.commit(Arc::new(step)).await.unwrap().opened[0]
}

/// What a taker writes.
const TAKE: &str = "BEGIN;
    SELECT FROM chunk WHERE n = 0 FOR UPDATE;
    UPDATE chunk SET owner = 'second', fence = fence + 1 WHERE n = 0";

#[tokio::test]
async fn a_chunk_is_its_owners_while_the_lease_runs_and_anybodys_behind_it() {
    let crossing = Crossing::new().await;
    assert_eq!(crossing.take().await, Taken::Elsewhere);
    let open = crossing.ledger().runs.open_chunks(crossing.chunk.run, "second").await.unwrap();
    assert_eq!(open, OpenChunks { free: Vec::new(), elsewhere: 1 });
    crossing.let_lease_run_out().await;
    let open = crossing.ledger().runs.open_chunks(crossing.chunk.run, "second").await.unwrap();
    assert_eq!(open, OpenChunks { free: vec![0], elsewhere: 0 });
    assert!(matches!(crossing.take().await, Taken::Here(taken) if taken.fence > crossing.fence));
    let renewed = crossing.ledger().replicas.renew("first").await.unwrap();
    assert_eq!(renewed.lost, Some(Vec::new()), "it learns that nothing is its own any more");
    let renewed = crossing.ledger().replicas.renew("first").await.unwrap();
    assert_eq!(renewed.lost, None);
}

#[tokio::test]
async fn a_lease_that_ran_out_and_nobody_used_it_keeps_what_it_had() {
    let crossing = Crossing::new().await;
    crossing.let_lease_run_out().await;
    let renewed = crossing.ledger().replicas.renew("first").await.unwrap();
    assert_eq!(renewed.lost, Some(vec![(crossing.chunk, crossing.fence)]));
    assert_eq!(crossing.take().await, Taken::Elsewhere);
}

#[tokio::test]
async fn what_is_given_back_can_be_taken_at_once() {
    let crossing = Crossing::new().await;
    assert_eq!(crossing.take().await, Taken::Elsewhere);
    crossing.ledger().replicas.give_back("first").await.unwrap();
    assert!(matches!(crossing.take().await, Taken::Here(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taker_passes_by_a_chunk_in_which_something_is_being_opened() {
    let crossing = Crossing::new().await;
    // The opening waits at its row, with its chunk and run locked.
    let key = format!("{}, 1, 0", crossing.chunk.run.0);
    crossing
        .run(&format!(
            "BEGIN; INSERT INTO delivery (run, customer, node, accepted_at, channel, state, attempt)
             SELECT {key}, accepted_at, 'sms', 1, 1 FROM run"
        ))
        .await;
    let opened = crossing.open(1);
    crossing.until_waiting(1).await;
    let expired = crossing.world.place.session().await;
    let end = "UPDATE replica SET lease_until = clock_timestamp() - interval '1 second'";
    expired.batch_execute(end).await.unwrap();
    assert_eq!(crossing.take().await, Taken::Elsewhere);
    assert!(!opened.is_finished());
    crossing.run("ROLLBACK").await;
    assert_eq!(opened.await.unwrap(), Opened::Yes);
    assert!(matches!(crossing.take().await, Taken::Here(_)));
    assert_eq!(open(crossing.ledger(), opening(crossing.chunk.run, crossing.fence, 2)).await, Opened::Lost);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_a_run_waits_for_what_is_being_opened() {
    let crossing = Crossing::new().await;
    crossing
        .run(
            "BEGIN; INSERT INTO delivery (run, customer, node, accepted_at, channel, state, attempt)
              SELECT id, 1, 0, accepted_at, 'sms', 1, 1 FROM run",
        )
        .await;
    let opened = crossing.open(1);
    crossing.until_waiting(1).await;
    let (ledger, run) = (crossing.ledger().clone(), crossing.chunk.run);
    let stopped = tokio::spawn(async move { ledger.runs.stop_run(run).await });
    crossing.until_waiting(2).await;
    assert!(!stopped.is_finished(), "nothing may be opened once it is stopped");
    crossing.run("ROLLBACK").await;
    assert_eq!(opened.await.unwrap(), Opened::Yes);
    assert_eq!(stopped.await.unwrap(), Ok(true));
    let late = opening(crossing.chunk.run, crossing.fence, 2);
    assert_eq!(open(crossing.ledger(), late).await, Opened::Stopping);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_opened_while_the_chunk_is_being_taken_is_lost() {
    let crossing = Crossing::new().await;
    crossing.run(TAKE).await;
    let opened = crossing.open(1);
    crossing.until_waiting(1).await;
    crossing.run("COMMIT").await;
    assert_eq!(opened.await.unwrap(), Opened::Lost);
    assert_eq!(crossing.deliveries(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_opened_while_the_chunk_was_nearly_taken_is_opened() {
    let crossing = Crossing::new().await;
    crossing.run(TAKE).await;
    let opened = crossing.open(1);
    crossing.until_waiting(1).await;
    crossing.run("ROLLBACK").await;
    assert_eq!(opened.await.unwrap(), Opened::Yes);
    assert_eq!(crossing.deliveries(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_renewed_while_somebody_takes_over_learns_that_it_had_run_out() {
    let crossing = Crossing::new().await;
    crossing.let_lease_run_out().await;
    crossing.run("BEGIN; SELECT FROM replica WHERE lease_until <= clock_timestamp() FOR UPDATE").await;
    let ledger = crossing.ledger().clone();
    let renewed = tokio::spawn(async move { ledger.replicas.renew("first").await });
    crossing.until_waiting(1).await;
    crossing.run("UPDATE chunk SET owner = 'second', fence = fence + 1; COMMIT").await;
    assert_eq!(renewed.await.unwrap().unwrap().lost, Some(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taker_passes_by_a_lease_that_is_just_being_renewed() {
    let crossing = Crossing::new().await;
    crossing.let_lease_run_out().await;
    crossing.run("BEGIN; UPDATE replica SET lease_until = clock_timestamp() + interval '8 seconds'").await;
    assert_eq!(crossing.take().await, Taken::Elsewhere);
    crossing.run("COMMIT").await;
    assert_eq!(crossing.take().await, Taken::Elsewhere);
}

#[tokio::test]
async fn an_audience_is_read_by_one_and_by_another_once_the_lease_has_run_out() {
    let world = World::new(Place::postgres()).await;
    world.call("narrow", None).await;
    let matched = Matched { fired: vec![ScenarioName::new("narrow")], not_fired: Vec::new() };
    let ledger = &world.ledger;
    ledger.replicas.renew("first").await.unwrap();
    let run = ledger.runs.begin_runs(1, matched, "first", Timestamp::now()).await.unwrap()[0];
    let lease = async |owner: &str| ledger.runs.lease_selection(run, owner).await.unwrap();
    assert_eq!(lease("first").await, SelectionLease::Here);
    assert_eq!(lease("second").await, SelectionLease::Elsewhere);
    let session = world.place.session().await;
    let end = "UPDATE replica SET lease_until = clock_timestamp() - interval '1 second'";
    session.batch_execute(end).await.unwrap();
    assert_eq!(lease("second").await, SelectionLease::Here);
    let chunks = Arc::new(vec![vec![CustomerKey(1)]]);
    let written = ledger.runs.set_audience(run, chunks, "by hand".into(), "second").await.unwrap();
    assert!(written.is_some());
    assert_eq!(lease("first").await, SelectionLease::Over);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_is_not_done_while_somebody_lets_a_delivery_of_it_be_sent_again() {
    let crossing = Crossing::new().await;
    let id = opening(crossing.chunk.run, crossing.fence, 1).id;
    assert_eq!(crossing.open(1).await.unwrap(), Opened::Yes);
    let held = Outcome { state: DeliveryState::Held, ..sent(id, 1) };
    let step = Step { outcomes: vec![held], ..Step::default() };
    crossing.ledger().deliveries.commit(Arc::new(step)).await.unwrap();
    // Both wait for the chunk, the one who sends it again first; its delivery is changed by then.
    crossing.run("BEGIN; SELECT FROM chunk FOR UPDATE").await;
    let ledger = crossing.ledger().clone();
    let again = tokio::spawn(async move { ledger.log.resend(id, Timestamp::now()).await });
    crossing.until_waiting(1).await;
    let (ledger, chunk, fence) = (crossing.ledger().clone(), crossing.chunk, crossing.fence);
    let done =
        tokio::spawn(async move { ledger.runs.finish_chunk(chunk, fence, 3, &RunCounts::default()).await });
    crossing.until_waiting(2).await;
    crossing.run("COMMIT").await;
    assert!(again.await.unwrap().unwrap().is_some());
    assert_eq!(done.await.unwrap(), Ok(false), "it would never be sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_waits_for_a_doubt_leaves_nothing_waiting_behind() {
    let crossing = Crossing::new().await;
    let id = opening(crossing.chunk.run, crossing.fence, 1).id;
    assert_eq!(crossing.open(1).await.unwrap(), Opened::Yes);
    crossing
        .run("BEGIN; UPDATE delivery SET state = 2, doubtful = true;
             INSERT INTO pending_delivery SELECT run, customer, node, accepted_at, channel, state FROM delivery")
        .await;
    let step = Step { outcomes: vec![sent(id, 1)], ..Step::default() };
    let ledger = crossing.ledger().clone();
    let committed = tokio::spawn(async move { ledger.deliveries.commit(Arc::new(step)).await });
    crossing.until_waiting(1).await;
    crossing.run("COMMIT").await;
    committed.await.unwrap().unwrap();
    assert_eq!(crossing.ledger().deliveries.get(&[id]).await.unwrap()[0].state, DeliveryState::Sent);
    assert_eq!(crossing.world.place.count("SELECT count(*) FROM pending_delivery"), 0);
}

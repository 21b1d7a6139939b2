//! Does what the board says is next, every piece a task of its own, and counts what fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

use super::board::Task;
use super::finish::finish_run;
use super::select::select_audience;
use super::walk::{WalkEnd, walk_chunk};
use super::{Board, Desk, Halt, LiveRun};
use crate::domain::state::RunState;
use crate::store::StoreError;
use crate::store::runs::{ChunkId, OpenChunks};
use crate::telemetry::Sampled;

/// How often a step may fail for a reason trying again cannot heal.
const FAILURES_MAX: u32 = 3;
/// How often the board is looked at when no bell rings: channels open and runs expire by themselves.
const TICK: Duration = Duration::from_millis(100);
/// How long something that failed rests before it is tried again; it doubles with every failure in a row, up to the
/// longest.
const FIRST_REST: Duration = Duration::from_millis(250);
const LONGEST_REST: Duration = Duration::from_secs(2);

/// A store that fails, fails every step of every run.
static FAILED_STEPS: Sampled = Sampled::every(Duration::from_secs(10));

/// A piece of work that ended.
struct Done {
    run: Arc<LiveRun>,
    piece: Piece,
    result: Result<Gave, StoreError>,
}

/// What a piece of work gave.
enum Gave {
    /// The chunks of the run that are not done.
    Chunks(OpenChunks),
    /// A walk went to its end.
    Walked,
    /// A walk was left because its run is paused.
    Paused,
    /// Another process has it.
    Elsewhere,
}

#[derive(Debug, Clone, Copy)]
enum Piece {
    Select,
    WindUp,
    Walk(u32),
    Look,
    Finish,
}

/// Works until told to stop; then drops what it does, for all that matters is in the ledger.
pub(in crate::runtime) async fn work(board: Arc<Board>, mut stop: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    let mut under_way: HashMap<Id, (Arc<LiveRun>, Piece)> = HashMap::new();
    let failed = Arc::new(AtomicU32::new(0));
    while !*stop.borrow() {
        while let Some(task) = board.next() {
            let (run, piece) = (Arc::clone(task.run()), task.piece());
            let handle = tasks.spawn(begin(Arc::clone(&board), task, Arc::clone(&failed)));
            under_way.insert(handle.id(), (run, piece));
        }
        tokio::select! {
            Some(joined) = tasks.join_next_with_id(), if !tasks.is_empty() => {
                let done = settle(joined, &mut under_way);
                if let Some(done) = done {
                    note(&board, done).await;
                }
            }
            () = board.bell.notified() => {}
            () = tokio::time::sleep(TICK) => {}
            _ = stop.changed() => {}
        }
    }
    tasks.shutdown().await;
}

impl Task {
    fn run(&self) -> &Arc<LiveRun> {
        match self {
            Task::Select(run)
            | Task::WindUp(run)
            | Task::Walk(run, ..)
            | Task::Look(run)
            | Task::Finish(run) => run,
        }
    }

    fn piece(&self) -> Piece {
        match self {
            Task::Select(_) => Piece::Select,
            Task::WindUp(_) => Piece::WindUp,
            Task::Walk(_, n, _) => Piece::Walk(*n),
            Task::Look(_) => Piece::Look,
            Task::Finish(_) => Piece::Finish,
        }
    }
}

/// Does a piece of work. One that failed, for whatever reason, rests before it counts as ended.
async fn begin(board: Arc<Board>, task: Task, failed: Arc<AtomicU32>) -> Done {
    let desk = board.desk.clone();
    let (run, piece) = (Arc::clone(task.run()), task.piece());
    let result = match task {
        Task::Select(run) => {
            select_audience(&desk, &run).await.map(|chunks| chunks.map_or(Gave::Elsewhere, Gave::Chunks))
        }
        Task::WindUp(run) => wind_up(&board, &run).await.map(Gave::Chunks),
        Task::Walk(run, n, slot) => {
            let id = ChunkId { run: run.id, n };
            walk_chunk(desk, run, id, slot).await.map(|end| match end {
                WalkEnd::Done => Gave::Walked,
                WalkEnd::Elsewhere => Gave::Elsewhere,
                WalkEnd::Paused => Gave::Paused,
            })
        }
        Task::Look(run) => desk.runs.open_chunks(run.id, &desk.owner).await.map(Gave::Chunks),
        Task::Finish(run) => finish_run(&desk, &run).await.map(Gave::Chunks),
    };
    match &result {
        Ok(_) => failed.store(0, Ordering::Relaxed),
        Err(_) => tokio::time::sleep(rest(failed.fetch_add(1, Ordering::Relaxed))).await,
    }
    Done { run, piece, result }
}

/// How long a piece rests after so many failures in a row.
fn rest(failed: u32) -> Duration {
    FIRST_REST.saturating_mul(1 << failed.min(4)).min(LONGEST_REST)
}

/// Closes what nobody ever took of a halted run; gives the chunks that must still be seen to.
async fn wind_up(board: &Board, run: &LiveRun) -> Result<OpenChunks, StoreError> {
    let Desk { runs, owner, .. } = &board.desk;
    let Some(halt) = run.halt(Timestamp::now()) else { return runs.open_chunks(run.id, owner).await };
    if halt == Halt::Failed {
        return Ok(OpenChunks::default());
    }
    board.desk.post.wake_all();
    runs.finish_untouched(run.id, halt.journey_end()).await?;
    runs.open_chunks(run.id, owner).await
}

/// What ended, a panic among it as a failure for good.
fn settle(
    joined: Result<(Id, Done), JoinError>,
    under_way: &mut HashMap<Id, (Arc<LiveRun>, Piece)>,
) -> Option<Done> {
    match joined {
        Ok((id, done)) => {
            under_way.remove(&id);
            Some(done)
        }
        Err(error) => {
            let (run, piece) = under_way.remove(&error.id())?;
            Some(Done { run, piece, result: Err(StoreError::Refused(error.to_string())) })
        }
    }
}

async fn note(board: &Board, done: Done) {
    let Done { run, piece, result } = done;
    let gave = match result {
        Ok(gave) => Some(gave),
        Err(error) => {
            note_failure(board, &run, &error).await;
            None
        }
    };
    match (piece, gave) {
        (Piece::Select, Some(Gave::Elsewhere)) => board.is_selected_elsewhere(run.id),
        (Piece::Walk(n), Some(Gave::Elsewhere)) => board.is_elsewhere(run.id, n),
        (Piece::Walk(n), Some(Gave::Paused)) => board.walked(run.id, n, false),
        (Piece::Walk(n), gave) => board.walked(run.id, n, gave.is_some()),
        (Piece::Select, gave) => board.prepared(run.id, gave.and_then(Gave::chunks), true),
        (Piece::WindUp, gave) => board.prepared(run.id, gave.and_then(Gave::chunks), false),
        (Piece::Look, gave) => board.looked(run.id, gave.and_then(Gave::chunks)),
        (Piece::Finish, gave) => board.finished(run.id, gave.and_then(Gave::chunks)),
    }
}

impl Gave {
    fn chunks(self) -> Option<OpenChunks> {
        match self {
            Gave::Chunks(chunks) => Some(chunks),
            Gave::Walked | Gave::Paused | Gave::Elsewhere => None,
        }
    }
}

async fn note_failure(board: &Board, run: &LiveRun, error: &StoreError) {
    if error.is_transient() {
        if let Some(held_back) = FAILED_STEPS.pass(&error.to_string()) {
            tracing::warn!(
                call = %run.call, scenario = %run.scenario, %error, held_back, "a step of the run is tried again"
            );
        }
        return;
    }
    tracing::error!(call = %run.call, scenario = %run.scenario, %error, "a step of the run failed");
    let failures = board.desk.runs.count_failure(run.id, error.to_string()).await;
    if failures.is_ok_and(|failures| failures >= FAILURES_MAX) {
        run.fail();
        let ended =
            board.desk.runs.end_run(run.id, RunState::Failed, Some(error.to_string()), Timestamp::now());
        if let Err(error) = ended.await {
            tracing::error!(call = %run.call, %error, "the run's failure could not be written");
        }
    }
}

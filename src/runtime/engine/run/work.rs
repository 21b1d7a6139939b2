//! The loop that executes what the scheduler returns, each in a task of its own, and counts failures.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::chunk_worker::{ChunkEnd, run_chunk};
use super::finish::finish_run;
use super::scheduler::ScheduledTask;
use super::select::select_audience;
use super::{EngineContext, LiveRun, RunScheduler};
use crate::domain::permit::Halt;
use crate::domain::state::RunState;
use crate::store::StoreError;
use crate::store::runs::{ChunkId, OpenChunks};
use crate::telemetry::Sampled;

/// How often a step may fail for a reason trying again cannot heal.
const FAILURES_MAX: u32 = 3;
/// How often the scheduler is polled without a notification: channels recover and runs expire without one.
const TICK: Duration = Duration::from_millis(100);
/// The backoff before something that failed is retried; it doubles with every failure in a row, up to the longest.
const FIRST_REST: Duration = Duration::from_millis(250);
const LONGEST_REST: Duration = Duration::from_secs(2);

/// A store that fails, fails every step of every run.
static FAILED_STEPS: Sampled = Sampled::every(Duration::from_secs(10));

/// A task that ended.
struct TaskEnd {
    run: Arc<LiveRun>,
    piece: TaskKind,
    result: Result<TaskResult, StoreError>,
}

/// The result of a task.
enum TaskResult {
    /// The chunks of the run that are not done.
    Chunks(OpenChunks),
    /// The chunk is done.
    ChunkDone,
    /// The chunk was left because its run is paused.
    Paused,
    /// Another process has it.
    Elsewhere,
}

#[derive(Debug, Clone, Copy)]
enum TaskKind {
    Select,
    CloseUntouched,
    RunChunk(u32),
    CheckPeers,
    Finish,
}

/// Runs until stopped; then it drops its tasks, since everything that matters is in the ledger.
pub(in crate::runtime) async fn work(scheduler: Arc<RunScheduler>, stop: CancellationToken) {
    let mut tasks = JoinSet::new();
    let mut under_way: HashMap<Id, (Arc<LiveRun>, TaskKind)> = HashMap::new();
    let failed = Arc::new(AtomicU32::new(0));
    while !stop.is_cancelled() {
        while let Some(task) = scheduler.next() {
            let (run, piece) = (Arc::clone(task.run()), task.piece());
            let handle = tasks.spawn(begin(Arc::clone(&scheduler), task, Arc::clone(&failed)));
            under_way.insert(handle.id(), (run, piece));
        }
        // Whatever wakes it, the scheduler is asked next. So a task that ended, which nothing else takes, comes first.
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            Some(joined) = tasks.join_next_with_id(), if !tasks.is_empty() => {
                let done = settle(joined, &mut under_way);
                if let Some(done) = done {
                    note(&scheduler, done).await;
                }
            }
            () = scheduler.wakeup.notified() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
    tasks.shutdown().await;
}

impl ScheduledTask {
    fn run(&self) -> &Arc<LiveRun> {
        match self {
            ScheduledTask::Select(run)
            | ScheduledTask::CloseUntouched(run)
            | ScheduledTask::RunChunk(run, ..)
            | ScheduledTask::CheckPeers(run)
            | ScheduledTask::Finish(run) => run,
        }
    }

    fn piece(&self) -> TaskKind {
        match self {
            ScheduledTask::Select(_) => TaskKind::Select,
            ScheduledTask::CloseUntouched(_) => TaskKind::CloseUntouched,
            ScheduledTask::RunChunk(_, n, _) => TaskKind::RunChunk(*n),
            ScheduledTask::CheckPeers(_) => TaskKind::CheckPeers,
            ScheduledTask::Finish(_) => TaskKind::Finish,
        }
    }
}

/// Executes a task. After a failure it waits for the backoff before it returns.
async fn begin(scheduler: Arc<RunScheduler>, task: ScheduledTask, failed: Arc<AtomicU32>) -> TaskEnd {
    let context = scheduler.context.clone();
    let (run, piece) = (Arc::clone(task.run()), task.piece());
    let result = match task {
        ScheduledTask::Select(run) => select_audience(&context, &run)
            .await
            .map(|chunks| chunks.map_or(TaskResult::Elsewhere, TaskResult::Chunks)),
        ScheduledTask::CloseUntouched(run) => close_untouched(&scheduler, &run).await.map(TaskResult::Chunks),
        ScheduledTask::RunChunk(run, n, slot) => {
            let id = ChunkId { run: run.id, n };
            run_chunk(context, run, id, slot).await.map(|end| match end {
                ChunkEnd::Done => TaskResult::ChunkDone,
                ChunkEnd::Elsewhere => TaskResult::Elsewhere,
                ChunkEnd::Paused => TaskResult::Paused,
            })
        }
        ScheduledTask::CheckPeers(run) => {
            context.runs.open_chunks(run.id, &context.owner).await.map(TaskResult::Chunks)
        }
        ScheduledTask::Finish(run) => finish_run(&context, &run).await.map(TaskResult::Chunks),
    };
    match &result {
        Ok(_) => failed.store(0, Ordering::Relaxed),
        Err(_) => tokio::time::sleep(rest(failed.fetch_add(1, Ordering::Relaxed))).await,
    }
    TaskEnd { run, piece, result }
}

/// The backoff after so many failures in a row.
fn rest(failed: u32) -> Duration {
    FIRST_REST.saturating_mul(1 << failed.min(4)).min(LONGEST_REST)
}

/// Closes the chunks of a halted run that no process ever took. Returns the chunks that are still open.
async fn close_untouched(scheduler: &RunScheduler, run: &LiveRun) -> Result<OpenChunks, StoreError> {
    let EngineContext { runs, owner, clock, .. } = &scheduler.context;
    let Some(halt) = run.halt(clock.now()) else { return runs.open_chunks(run.id, owner).await };
    if halt == Halt::Failed {
        return Ok(OpenChunks::default());
    }
    scheduler.context.dispatchers.wake_all();
    runs.finish_untouched(run.id, halt.journey_end()).await?;
    runs.open_chunks(run.id, owner).await
}

/// What ended, a panic among it as a failure for good.
fn settle(
    joined: Result<(Id, TaskEnd), JoinError>,
    under_way: &mut HashMap<Id, (Arc<LiveRun>, TaskKind)>,
) -> Option<TaskEnd> {
    match joined {
        Ok((id, done)) => {
            under_way.remove(&id);
            Some(done)
        }
        Err(error) => {
            let (run, piece) = under_way.remove(&error.id())?;
            Some(TaskEnd { run, piece, result: Err(StoreError::Refused(error.to_string())) })
        }
    }
}

async fn note(scheduler: &RunScheduler, done: TaskEnd) {
    let TaskEnd { run, piece, result } = done;
    let gave = match result {
        Ok(gave) => Some(gave),
        Err(error) => {
            note_failure(scheduler, &run, &error).await;
            None
        }
    };
    match (piece, gave) {
        (TaskKind::Select, Some(TaskResult::Elsewhere)) => scheduler.is_selected_elsewhere(run.id),
        (TaskKind::RunChunk(n), Some(TaskResult::Elsewhere)) => scheduler.is_elsewhere(run.id, n),
        (TaskKind::RunChunk(n), Some(TaskResult::Paused)) => scheduler.chunk_ended(run.id, n, false),
        (TaskKind::RunChunk(n), gave) => scheduler.chunk_ended(run.id, n, gave.is_some()),
        (TaskKind::Select, gave) => scheduler.prepared(run.id, gave.and_then(TaskResult::chunks), true),
        (TaskKind::CloseUntouched, gave) => {
            scheduler.prepared(run.id, gave.and_then(TaskResult::chunks), false);
        }
        (TaskKind::CheckPeers, gave) => scheduler.peers_checked(run.id, gave.and_then(TaskResult::chunks)),
        (TaskKind::Finish, gave) => scheduler.finished(run.id, gave.and_then(TaskResult::chunks)),
    }
}

impl TaskResult {
    fn chunks(self) -> Option<OpenChunks> {
        match self {
            TaskResult::Chunks(chunks) => Some(chunks),
            TaskResult::ChunkDone | TaskResult::Paused | TaskResult::Elsewhere => None,
        }
    }
}

async fn note_failure(scheduler: &RunScheduler, run: &LiveRun, error: &StoreError) {
    if error.is_transient() {
        if let Some(held_back) = FAILED_STEPS.pass(&error.to_string()) {
            tracing::warn!(
                call = %run.call, scenario = %run.scenario, %error, held_back, "a step of the run is tried again"
            );
        }
        return;
    }
    tracing::error!(call = %run.call, scenario = %run.scenario, %error, "a step of the run failed");
    let failures = scheduler.context.runs.count_failure(run.id, error.to_string()).await;
    if failures.is_ok_and(|failures| failures >= FAILURES_MAX) {
        run.fail();
        let ended = scheduler.context.runs.end_run(
            run.id,
            RunState::Failed,
            Some(error.to_string()),
            scheduler.context.clock.now(),
        );
        if let Err(error) = ended.await {
            tracing::error!(call = %run.call, %error, "the run's failure could not be written");
        }
    }
}

//! Takes accepted calls in their order, matches each with the scenarios of its version and begins the runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{ChunkEvent, EngineContext, LiveRun, RunScheduler, VersionError};
use crate::domain::name::RunId;
use crate::domain::permit::{Halt, PermitFacts, permit};
use crate::domain::state::RunState;
use crate::runtime::engine::traces;
use crate::store::StoreError;
use crate::store::calls::{AcceptedCall, Calls, UnreadableCall};
use crate::store::replicas::Replicas;
use crate::store::runs::{UnfinishedRun, UnmatchedEnd};
use crate::telemetry::Sampled;

/// How many calls are read at once.
const CALLS_AT_ONCE: u32 = 256;
/// How often accepted calls and runs started by other processes are polled for when no notification arrives.
const TICK: Duration = Duration::from_secs(1);
/// How long to wait when the store does not answer.
const FIRST_REST: Duration = Duration::from_millis(250);
const LONGEST_REST: Duration = Duration::from_secs(2);

static BARRED: Sampled = Sampled::every(Duration::from_secs(30));
static NOT_TAKEN: Sampled = Sampled::every(Duration::from_secs(10));

/// Resumes unfinished runs and starts the runs of accepted calls, until stopped.
pub(in crate::runtime) async fn take_calls(
    scheduler: Arc<RunScheduler>,
    calls: Arc<dyn Calls>,
    replicas: Arc<dyn Replicas>,
    stop: CancellationToken,
) {
    let (wakeup, work) = (calls.arrived(), replicas.work());
    let clock = scheduler.context.clock.clone();
    let mut looked_at: Option<Instant> = None;
    let mut failed = 0;
    while !stop.is_cancelled() {
        if looked_at.is_none_or(|at| clock.since(at) >= TICK) {
            match poll_store(&scheduler, &stop).await {
                Ok(()) => looked_at = Some(clock.instant()),
                Err(error) => {
                    rest(&error, "unfinished runs cannot be taken up yet", &mut failed, &stop).await;
                    continue;
                }
            }
        }
        let taken = take_some(&scheduler, calls.as_ref(), &stop).await;
        failed = if taken.is_ok() { 0 } else { failed };
        match taken {
            // Calls are read after each of them, so none needs to come before what others have left.
            Ok(0) => tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = work.notified() => {
                    looked_at = None;
                    scheduler.look();
                }
                () = wakeup.notified() => {}
                () = tokio::time::sleep(TICK) => {}
            },
            Ok(_) => {}
            Err(error) => rest(&error, "accepted calls cannot be taken yet", &mut failed, &stop).await,
        }
    }
}

/// Relays retries that other replicas request for chunks this process works on, until stopped.
pub(in crate::runtime) async fn relay_retries(
    scheduler: Arc<RunScheduler>,
    replicas: Arc<dyn Replicas>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            told = replicas.told() => {
                if let Some(chunk) = scheduler.live(told.chunk) {
                    chunk.begin(1);
                    chunk.tell(ChunkEvent::Retry(told.id));
                }
            }
        }
    }
}

/// Backs off exponentially after a failure and logs the reason at most every few seconds.
async fn rest(error: &StoreError, what: &str, failed: &mut u32, stop: &CancellationToken) {
    if let Some(held_back) = NOT_TAKEN.pass(&format!("{what} {error}")) {
        tracing::warn!(%error, held_back, "{what}");
    }
    let rest = FIRST_REST.saturating_mul(1 << (*failed).min(4)).min(LONGEST_REST);
    *failed = failed.saturating_add(1);
    let _stopped_or_rested = tokio::time::timeout(rest, stop.cancelled()).await;
}

/// Reads the store: resumes runs that an earlier process left or another one started, and applies cancellations.
pub(super) async fn poll_store(scheduler: &RunScheduler, stop: &CancellationToken) -> Result<(), StoreError> {
    let known: Vec<RunId> = scheduler.runs().iter().map(|run| run.id).collect();
    for run in scheduler.context.runs.unfinished_runs(&known).await? {
        if stop.is_cancelled() {
            return Ok(());
        }
        take_up(scheduler, &run).await?;
    }
    let EngineContext { runs, clock, .. } = &scheduler.context;
    for run in runs.stopping_runs().await? {
        if let Some(run) = scheduler.run(run).filter(|run| run.halt(clock.now()).is_none()) {
            run.cancel();
            scheduler.context.dispatchers.wake_all();
            scheduler.wakeup.notify_one();
        }
    }
    Ok(())
}

/// Adds a run of the ledger to the scheduler.
pub(super) async fn take_up(scheduler: &RunScheduler, run: &UnfinishedRun) -> Result<(), StoreError> {
    let found = scheduler.context.versions.get(&run.call.version).await;
    let bound = match found {
        Ok(version) => version.bind(&run.call, &run.scenario),
        Err(VersionError::Store(error)) => return Err(error),
        Err(VersionError::Unusable { .. }) => None,
    };
    let Some(bound) = bound else { return fail(scheduler, run).await };
    let live = Arc::new(LiveRun::new(run, bound));
    if run.state == RunState::Selecting {
        scheduler.add_selecting(live);
    } else {
        let chunks = scheduler.context.runs.open_chunks(run.id, &scheduler.context.owner).await?;
        scheduler.add_running(live, chunks.free);
    }
    Ok(())
}

/// Starts the runs of a batch of accepted calls. Returns how many calls left the queue; after a stop the rest stay in it.
async fn take_some(
    scheduler: &RunScheduler,
    calls: &dyn Calls,
    stop: &CancellationToken,
) -> Result<usize, StoreError> {
    let open = calls.open_calls(CALLS_AT_ONCE).await?;
    let mut count = 0;
    for call in open {
        if stop.is_cancelled() {
            break;
        }
        match call {
            Ok(call) => count += usize::from(begin_or_end(scheduler, call).await?),
            Err(UnreadableCall { seq, id, reason }) => {
                tracing::error!(call = %id, reason, "the call cannot be read");
                end_failed(scheduler, seq, reason).await?;
                count += 1;
            }
        }
    }
    Ok(count)
}

/// Begins the runs of a call. One that the store refuses ends alone: those behind it must not wait for it. False if it
/// waits.
async fn begin_or_end(scheduler: &RunScheduler, call: AcceptedCall) -> Result<bool, StoreError> {
    let (seq, id) = (call.seq, call.id.clone());
    match begin(scheduler, call).await {
        // The call stays queued and is retried; calls behind it go on.
        Err(error @ StoreError::Barred(_)) => {
            if let Some(held_back) = BARRED.pass(id.as_str()) {
                tracing::warn!(call = %id, %error, held_back, "the call waits");
            }
            Ok(false)
        }
        Err(error) if !error.is_transient() => {
            tracing::error!(call = %id, %error, "the call cannot be run");
            end_failed(scheduler, seq, error.to_string()).await.map(|()| true)
        }
        begun => begun.map(|()| true),
    }
}

async fn end_failed(scheduler: &RunScheduler, seq: i64, reason: String) -> Result<(), StoreError> {
    let EngineContext { runs, clock, .. } = &scheduler.context;
    runs.end_unmatched(seq, UnmatchedEnd::Failed(reason), clock.now()).await
}

async fn begin(scheduler: &RunScheduler, call: AcceptedCall) -> Result<(), StoreError> {
    let EngineContext { runs, clock, .. } = &scheduler.context;
    let now = clock.now();
    let facts = PermitFacts { now, expires_at: call.expires_at, ..PermitFacts::default() };
    if permit(&facts).halt() == Some(Halt::Expired) {
        tracing::info!(call = %call.id, trigger = %call.trigger, "the call expired before it was matched");
        return runs.end_unmatched(call.seq, UnmatchedEnd::Expired, now).await;
    }
    let version = match scheduler.context.versions.get(&call.version).await {
        Ok(version) => version,
        Err(VersionError::Store(error)) => return Err(error),
        Err(error) => {
            tracing::error!(call = %call.id, trigger = %call.trigger, %error, "the call cannot be run");
            return end_failed(scheduler, call.seq, error.to_string()).await;
        }
    };
    let mut span = traces::matching(&call, clock);
    let matched = version.match_call(&call);
    tracing::info!(
        call = %call.id, trigger = %call.trigger, fired = matched.fired.len(),
        not_fired = matched.not_fired.iter().map(|one| 1 + one.more).sum::<usize>(), "call matched"
    );
    if let Some(span) = &mut span {
        span.note("fanfare.fired", i64::try_from(matched.fired.len()).unwrap_or(i64::MAX));
    }
    let ids = runs.begin_runs(call.seq, matched.clone(), &scheduler.context.owner, now).await?;
    drop(span);
    for (scenario, id) in matched.fired.into_iter().zip(ids) {
        let bound = version.bind(&call, &scenario);
        let (state, stopping, call) = (RunState::Selecting, false, call.clone());
        let run = UnfinishedRun { id, scenario, state, stopping, call };
        match bound {
            Some(bound) => scheduler.add_selecting(Arc::new(LiveRun::new(&run, bound))),
            None => fail(scheduler, &run).await?,
        }
    }
    Ok(())
}

async fn fail(scheduler: &RunScheduler, run: &UnfinishedRun) -> Result<(), StoreError> {
    tracing::error!(call = %run.call.id, scenario = %run.scenario, "the run's version cannot be used any more");
    let error = format!("version {} has no usable scenario {}", run.call.version, run.scenario);
    let EngineContext { runs, clock, .. } = &scheduler.context;
    runs.end_run(run.id, RunState::Failed, Some(error), clock.now()).await?;
    Ok(())
}

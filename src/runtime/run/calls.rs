//! Takes accepted calls in their order, matches each with the scenarios of its version and begins the runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{Board, LiveRun, News, PlaybookError};
use crate::domain::name::RunId;
use crate::domain::state::RunState;
use crate::runtime::traces;
use crate::store::StoreError;
use crate::store::calls::{AcceptedCall, Calls, UnreadableCall};
use crate::store::replicas::Replicas;
use crate::store::runs::{UnfinishedRun, UnmatchedEnd};
use crate::telemetry::Sampled;

/// How many calls are read at once.
const CALLS_AT_ONCE: u32 = 256;
/// How often calls, and runs that others have begun, are looked for when nobody rings.
const TICK: Duration = Duration::from_secs(1);
/// How long to wait when the store does not answer.
const FIRST_REST: Duration = Duration::from_millis(250);
const LONGEST_REST: Duration = Duration::from_secs(2);

static BARRED: Sampled = Sampled::every(Duration::from_secs(30));
static NOT_TAKEN: Sampled = Sampled::every(Duration::from_secs(10));

/// Takes up unfinished runs and accepted calls as they come, until told to stop.
pub(in crate::runtime) async fn take_calls(
    board: Arc<Board>,
    calls: Arc<dyn Calls>,
    replicas: Arc<dyn Replicas>,
    mut stop: watch::Receiver<bool>,
) {
    let (bell, work) = (calls.arrived(), replicas.work());
    let mut looked_at: Option<Instant> = None;
    let mut failed = 0;
    while !*stop.borrow() {
        if looked_at.is_none_or(|at| at.elapsed() >= TICK) {
            match look_around(&board, &stop).await {
                Ok(()) => looked_at = Some(Instant::now()),
                Err(error) => {
                    rest(&error, "unfinished runs cannot be taken up yet", &mut failed, &mut stop).await;
                    continue;
                }
            }
        }
        let taken = take_some(&board, calls.as_ref(), &stop).await;
        failed = if taken.is_ok() { 0 } else { failed };
        match taken {
            Ok(0) => tokio::select! {
                () = bell.notified() => {}
                () = work.notified() => {
                    looked_at = None;
                    board.look();
                }
                () = tokio::time::sleep(TICK) => {}
                _ = stop.changed() => {}
            },
            Ok(_) => {}
            Err(error) => rest(&error, "accepted calls cannot be taken yet", &mut failed, &mut stop).await,
        }
    }
}

/// Hears what other replicas have to tell about chunks that are walked here, until told to stop.
pub(in crate::runtime) async fn hear(
    board: Arc<Board>,
    replicas: Arc<dyn Replicas>,
    mut stop: watch::Receiver<bool>,
) {
    while !*stop.borrow() {
        tokio::select! {
            told = replicas.told() => {
                if let Some(chunk) = board.live(told.chunk) {
                    chunk.begin(1);
                    chunk.tell(News::Again(told.id));
                }
            }
            _ = stop.changed() => {}
        }
    }
}

/// Rests after a failure, ever longer, and says now and then why.
async fn rest(error: &StoreError, what: &str, failed: &mut u32, stop: &mut watch::Receiver<bool>) {
    if let Some(held_back) = NOT_TAKEN.pass(&format!("{what} {error}")) {
        tracing::warn!(%error, held_back, "{what}");
    }
    let rest = FIRST_REST.saturating_mul(1 << (*failed).min(4)).min(LONGEST_REST);
    *failed = failed.saturating_add(1);
    let _stopped_or_rested = tokio::time::timeout(rest, stop.changed()).await;
}

/// Takes up what an earlier process left and what others have begun, and learns what was told to stop.
async fn look_around(board: &Board, stop: &watch::Receiver<bool>) -> Result<(), StoreError> {
    let known: Vec<RunId> = board.runs().iter().map(|run| run.id).collect();
    for run in board.desk.runs.unfinished_runs(&known).await? {
        if *stop.borrow() {
            return Ok(());
        }
        take_up(board, &run).await?;
    }
    for run in board.desk.runs.stopping_runs().await? {
        if let Some(run) = board.run(run).filter(|run| run.halt(Timestamp::now()).is_none()) {
            run.cancel();
            board.desk.post.wake_all();
            board.bell.notify_one();
        }
    }
    Ok(())
}

/// Puts a run of the ledger on the board.
pub(super) async fn take_up(board: &Board, run: &UnfinishedRun) -> Result<(), StoreError> {
    let found = board.desk.playbooks.get(&run.call.version).await;
    let script = match found {
        Ok(playbook) => playbook.script(&run.call, &run.scenario),
        Err(PlaybookError::Store(error)) => return Err(error),
        Err(PlaybookError::Unusable { .. }) => None,
    };
    let Some(script) = script else { return fail(board, run).await };
    let live = Arc::new(LiveRun::new(run, script));
    if run.state == RunState::Selecting {
        board.add_selecting(live);
    } else {
        let chunks = board.desk.runs.open_chunks(run.id, &board.desk.owner).await?;
        board.add_running(live, chunks.free);
    }
    Ok(())
}

/// Takes calls until told to stop: the others stay open, for whoever comes next. Gives how many do not wait any more.
async fn take_some(
    board: &Board,
    calls: &dyn Calls,
    stop: &watch::Receiver<bool>,
) -> Result<usize, StoreError> {
    let open = calls.open_calls(CALLS_AT_ONCE).await?;
    let mut count = 0;
    for call in open {
        if *stop.borrow() {
            break;
        }
        match call {
            Ok(call) => count += usize::from(begin_or_end(board, call).await?),
            Err(UnreadableCall { seq, id, reason }) => {
                tracing::error!(call = %id, reason, "the call cannot be read");
                end_failed(board, seq, reason).await?;
                count += 1;
            }
        }
    }
    Ok(count)
}

/// Begins the runs of a call. One that the store refuses ends alone: those behind it must not wait for it. False if it
/// waits.
async fn begin_or_end(board: &Board, call: AcceptedCall) -> Result<bool, StoreError> {
    let (seq, id) = (call.seq, call.id.clone());
    match begin(board, call).await {
        // It waits, and is looked at again; those behind it do not wait for it.
        Err(error @ StoreError::Barred(_)) => {
            if let Some(held_back) = BARRED.pass(id.as_str()) {
                tracing::warn!(call = %id, %error, held_back, "the call waits");
            }
            Ok(false)
        }
        Err(error) if !error.is_transient() => {
            tracing::error!(call = %id, %error, "the call cannot be run");
            end_failed(board, seq, error.to_string()).await.map(|()| true)
        }
        begun => begun.map(|()| true),
    }
}

async fn end_failed(board: &Board, seq: i64, reason: String) -> Result<(), StoreError> {
    board.desk.runs.end_unmatched(seq, UnmatchedEnd::Failed(reason), Timestamp::now()).await
}

async fn begin(board: &Board, call: AcceptedCall) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let runs = &board.desk.runs;
    if call.expires_at.is_some_and(|at| at <= now) {
        tracing::info!(call = %call.id, trigger = %call.trigger, "the call expired before it was matched");
        return runs.end_unmatched(call.seq, UnmatchedEnd::Expired, now).await;
    }
    let playbook = match board.desk.playbooks.get(&call.version).await {
        Ok(playbook) => playbook,
        Err(PlaybookError::Store(error)) => return Err(error),
        Err(error) => {
            tracing::error!(call = %call.id, trigger = %call.trigger, %error, "the call cannot be run");
            return end_failed(board, call.seq, error.to_string()).await;
        }
    };
    let mut span = traces::matching(&call);
    let matched = playbook.match_call(&call);
    tracing::info!(
        call = %call.id, trigger = %call.trigger, fired = matched.fired.len(),
        not_fired = matched.not_fired.len(), "call matched"
    );
    if let Some(span) = &mut span {
        span.note("fanfare.fired", i64::try_from(matched.fired.len()).unwrap_or(i64::MAX));
    }
    let ids = runs.begin_runs(call.seq, matched.clone(), &board.desk.owner, now).await?;
    drop(span);
    for (scenario, id) in matched.fired.into_iter().zip(ids) {
        let script = playbook.script(&call, &scenario);
        let (state, stopping, call) = (RunState::Selecting, false, call.clone());
        let run = UnfinishedRun { id, scenario, state, stopping, call };
        match script {
            Some(script) => board.add_selecting(Arc::new(LiveRun::new(&run, script))),
            None => fail(board, &run).await?,
        }
    }
    Ok(())
}

async fn fail(board: &Board, run: &UnfinishedRun) -> Result<(), StoreError> {
    tracing::error!(call = %run.call.id, scenario = %run.scenario, "the run's version cannot be used any more");
    let error = format!("version {} has no usable scenario {}", run.call.version, run.scenario);
    board.desk.runs.end_run(run.id, RunState::Failed, Some(error), Timestamp::now()).await?;
    Ok(())
}

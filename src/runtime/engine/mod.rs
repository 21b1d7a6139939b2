//! The engine: takes accepted calls, executes their scenarios and dispatches the messages. It is started with its
//! dependencies and stopped with a deadline.

mod clock;
mod cpu_time;
pub mod dispatch;
mod lease;
mod lease_renewal;
pub mod live;
pub mod run;
mod traces;
pub mod versions;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use self::clock::Clock;
use self::dispatch::{ChannelDispatchers, ChannelHandles, DispatcherDependencies, telling};
use self::lease::LeaseClock;
use self::lease_renewal::keep_lease;
use self::live::VersionSource;
use self::run::{
    Control, CrashMarkers, EngineContext, RenderPool, RunScheduler, count_crashes, relay_retries, take_calls,
    wake_journeys, watch_pauses, watch_stalled_writing, watch_stops, work,
};
use crate::runtime::metrics::Metrics;
use crate::store::audiences::Audiences;
use crate::store::calls::Calls;
use crate::store::channel_rates::ChannelRates;
use crate::store::customers::Customers;
use crate::store::deliveries::Deliveries;
use crate::store::pauses::PauseBook;
use crate::store::replicas::Replicas;
use crate::store::run_log::RunLog;
use crate::store::runs::Runs;

/// What the engine works on.
pub struct Deps {
    /// Accepted calls.
    pub calls: Arc<dyn Calls>,
    /// Runs and chunks.
    pub runs: Arc<dyn Runs>,
    /// Runs and deliveries as people see them.
    pub log: Arc<dyn RunLog>,
    /// Deliveries.
    pub deliveries: Arc<dyn Deliveries>,
    /// Customers by key.
    pub customers: Arc<dyn Customers>,
    /// Audiences by selection.
    pub audiences: Arc<dyn Audiences>,
    /// Versions, compiled.
    pub versions: Arc<dyn VersionSource>,
    /// What this process shares with others on the same store.
    pub replicas: Arc<dyn Replicas>,
    /// What people have paused.
    pub pauses: Arc<dyn PauseBook>,
    /// Where starts are given out, if several replicas share channels' rates.
    pub rates: Option<Arc<dyn ChannelRates>>,
    /// The channels that can be used now.
    pub channels: ChannelHandles,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whom this process writes for just now, and whom those before it wrote for when they ended.
    pub crash_markers: Arc<CrashMarkers>,
    /// Where CPU-bound work runs.
    pub render_pool: RenderPool,
    /// The name of this process, as the owner of chunks and the holder of its lease. No other process may have it.
    pub owner: Arc<str>,
    /// What time it is.
    pub clock: Clock,
}

/// How long the engine's own loops may take to end once nothing is sent any more: one statement each, and its answer.
const ENDING_MAX: Duration = Duration::from_secs(6);
/// How long giving back may take.
const GIVING_BACK_MAX: Duration = Duration::from_secs(3);

/// Starts runs and sends messages.
pub struct Engine;

/// The engine at work.
pub struct RunningEngine {
    scheduler: Arc<RunScheduler>,
    log: Arc<dyn RunLog>,
    pauses: Arc<dyn PauseBook>,
    dispatchers: Arc<ChannelDispatchers>,
    replicas: Arc<dyn Replicas>,
    stop: CancellationToken,
    /// Ends the lease, which outlives everything that rests on it.
    leave: CancellationToken,
    /// The lease's keeper, alone.
    keeping: JoinSet<()>,
    tasks: JoinSet<()>,
}

impl Engine {
    /// Takes up what an earlier process left, then works until stopped. Must be called within a tokio runtime.
    pub fn start(deps: Deps) -> RunningEngine {
        let lease = Arc::new(LeaseClock::new(deps.clock.clone()));
        let dispatchers = Arc::new(ChannelDispatchers::new(DispatcherDependencies {
            handles: deps.channels,
            ledger: Arc::clone(&deps.deliveries),
            lease: Arc::clone(&lease),
            rates: deps.rates,
            customers: Arc::clone(&deps.customers),
            pauses: Arc::clone(&deps.pauses),
            metrics: deps.metrics,
            clock: deps.clock.clone(),
        }));
        let scheduler = RunScheduler::new(EngineContext {
            runs: deps.runs,
            deliveries: deps.deliveries,
            customers: deps.customers,
            audiences: deps.audiences,
            versions: deps.versions,
            dispatchers: Arc::clone(&dispatchers),
            crash_markers: deps.crash_markers,
            render_pool: deps.render_pool,
            owner: deps.owner,
            clock: deps.clock,
            waits_begun: Arc::default(),
        });
        let (stop, leave) = (CancellationToken::new(), CancellationToken::new());
        let (mut tasks, mut keeping) = (JoinSet::new(), JoinSet::new());
        let ended = || dispatchers.ended().clone();
        let keeper =
            keep_lease(Arc::clone(&scheduler), Arc::clone(&deps.replicas), Arc::clone(&lease), leave.clone());
        keeping.spawn(telling(ended(), keeper));
        let taking = take_calls(Arc::clone(&scheduler), deps.calls, Arc::clone(&deps.replicas), stop.clone());
        let (stopped, counting) = (stop.clone(), Arc::clone(&scheduler));
        let taking = async move {
            tokio::select! {
                biased;
                () = stopped.cancelled() => return,
                () = lease.begun() => {}
            }
            count_crashes(&counting.context, &stopped).await;
            taking.await;
        };
        tasks.spawn(telling(ended(), taking));
        let hearing = relay_retries(Arc::clone(&scheduler), Arc::clone(&deps.replicas), stop.clone());
        tasks.spawn(telling(ended(), hearing));
        tasks.spawn(telling(ended(), work(Arc::clone(&scheduler), stop.clone())));
        tasks.spawn(telling(ended(), wake_journeys(Arc::clone(&scheduler), stop.clone())));
        tasks.spawn(telling(ended(), watch_stalled_writing(Arc::clone(&scheduler), stop.clone())));
        tasks.spawn(telling(ended(), watch_stops(Arc::clone(&scheduler), stop.clone())));
        let pausing = watch_pauses(Arc::clone(&scheduler), Arc::clone(&deps.pauses), stop.clone());
        tasks.spawn(telling(ended(), pausing));
        let Deps { log, pauses, replicas, .. } = deps;
        RunningEngine { scheduler, log, pauses, dispatchers, replicas, stop, leave, keeping, tasks }
    }
}

impl RunningEngine {
    /// Begins nothing more, waits for the answers of what is under way until the deadline, writes them, and gives back
    /// what other replicas may go on with. What has no answer by then is in doubt, as after a crash.
    pub async fn stop(mut self, deadline: Duration) {
        self.stop.cancel();
        let deadline = self.scheduler.context.clock.instant() + deadline;
        self.dispatchers.close(deadline).await;
        end_within(ENDING_MAX, &mut self.tasks).await;
        self.leave.cancel();
        end_within(ENDING_MAX, &mut self.keeping).await;
        let given_back =
            tokio::time::timeout(GIVING_BACK_MAX, self.replicas.give_back(&self.scheduler.context.owner));
        match given_back.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "nothing could be given back: others wait for the lease to end");
            }
            Err(_) => tracing::warn!("nothing was given back in time: others wait for the lease to end"),
        }
    }

    /// Waits until a part of it has ended without having been told to: the rest is of no use without it.
    pub async fn ended(&self) {
        self.dispatchers.ended().cancelled().await;
    }

    /// What people may do to runs under way.
    pub fn control(&self) -> Control {
        Control {
            scheduler: Arc::clone(&self.scheduler),
            log: Arc::clone(&self.log),
            pauses: Arc::clone(&self.pauses),
        }
    }

    /// How many runs are under way.
    pub fn runs_under_way(&self) -> usize {
        self.scheduler.runs().len()
    }
}

/// Waits for all of them up to a limit: a process that is told to end would be killed before it has released its lease.
async fn end_within(time_max: Duration, tasks: &mut JoinSet<()>) {
    let ending = async {
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a part of the engine ended by a panic");
            }
        }
    };
    if tokio::time::timeout(time_max, ending).await.is_err() {
        tracing::warn!("{} parts of the engine did not end in time: they are ended", tasks.len());
        tasks.shutdown().await;
    }
}

//! One replica: its engine on a runtime of its own whose time is simulated, from its start to its crash.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::compile::Snapshot;
use fanfare::domain::name::{ChannelName, VersionId};
use fanfare::runtime::engine::dispatch::{ChannelHandle, ChannelHandles};
use fanfare::runtime::engine::run::RenderPool;
use fanfare::runtime::engine::versions::VersionCache;
use fanfare::runtime::engine::{Clock, Deps, Engine, RunningEngine};
use fanfare::sandbox::Protocol;
use fanfare::store::calls::{Admitted, Calls as _, NewRequest};
use futures_util::FutureExt as _;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use crate::clock::SimulatedClock;
use crate::crash::CrashSwitch;
use crate::database::DatabaseClock;
use crate::harness::{Ledger, Random, Store};
use crate::mutants::Planted;
use crate::plan::Plan;
use crate::provider::{SimulatedProvider, Taking};
use crate::rights::Rights;
use crate::store::SimulatedStore;
use crate::trace::{ReplicaTrace, Trace};

/// How long an engine that is told to end waits for answers.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// What every incarnation of every replica shares.
pub struct Shared {
    pub plan: Plan,
    /// The versions so far; the last is in force.
    pub versions: Vec<Arc<Snapshot>>,
    pub real: tokio::runtime::Handle,
    pub database_clock: DatabaseClock,
    pub trace: Arc<Trace>,
    pub taking: Arc<Taking>,
    pub planted: Planted,
    /// Calls that were answered 202.
    pub acknowledged: Arc<Mutex<Vec<String>>>,
}

/// A process.
pub struct Process {
    runtime: Runtime,
    engine: Option<RunningEngine>,
    store: Arc<SimulatedStore>,
    in_force: Arc<Mutex<Arc<Snapshot>>>,
    crash: Arc<CrashSwitch>,
    pub clock: Arc<SimulatedClock>,
    has_stopped: Arc<AtomicBool>,
}

impl Process {
    /// Starts a process of the replica with this number, on its way to the store.
    pub fn start(
        shared: &Shared,
        number: usize,
        incarnation: usize,
        (now, ahead_ms): (Duration, i64),
        (ledger, customers): (Ledger, Arc<dyn Store>),
        mut random: Random,
    ) -> Self {
        let latest = shared.versions.last().expect("there is a first version");
        let in_force = Arc::new(Mutex::new(Arc::clone(latest)));
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (store, engine, crash, clock) = runtime.block_on(async {
            let clock = Arc::new(SimulatedClock::new(now, ahead_ms));
            let trace = ReplicaTrace {
                trace: Arc::clone(&shared.trace),
                replica: number + 1,
                clock: Arc::clone(&clock),
            };
            let crash = Arc::new(CrashSwitch::new(trace.clone()));
            let store = Arc::new(SimulatedStore {
                ledger,
                customers,
                real: shared.real.clone(),
                database_clock: shared.database_clock.clone(),
                manner: shared.plan.store,
                random: Mutex::new(random.fork()),
                crash: Arc::clone(&crash),
                trace: trace.clone(),
                planted: shared.planted.clone(),
                rights: Arc::default(),
                arrived: Arc::new(Notify::new()),
                work: Arc::new(Notify::new()),
            });
            let channels = channels(shared, &store.rights, &crash, &trace, &mut random);
            let owner = format!("replica-{}-{incarnation}", number + 1);
            trace.note(format_args!("{owner} starts"));
            let engine = Engine::start(deps(&in_force, &store, channels, &owner, &clock));
            (store, engine, crash, clock)
        });
        let has_stopped = Arc::new(AtomicBool::new(false));
        Process { runtime, engine: Some(engine), store, in_force, crash, clock, has_stopped }
    }

    /// Lets it work until then, or until it crashes.
    pub fn run_until(&self, moment: Duration) {
        let until = self.clock.instant_of(moment);
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.crash.crashed.notified() => {}
                () = tokio::time::sleep_until(until) => {}
            }
        });
    }

    /// Lets that much time pass of which it notices nothing.
    pub fn stand_still(&self, time: Duration) {
        self.runtime.block_on(tokio::time::advance(time));
    }

    /// Whether it has ended: by a crash, or as it was told to.
    pub fn has_ended(&self) -> bool {
        self.crash.has_crashed() || self.has_stopped.load(Ordering::Relaxed)
    }

    /// Puts a version in force.
    pub fn put_in_force(&self, version: &Arc<Snapshot>) {
        *self.in_force.lock().unwrap() = Arc::clone(version);
    }

    /// The version with which calls come in.
    pub fn in_force(&self) -> VersionId {
        self.in_force.lock().unwrap().version.clone()
    }

    /// Whether a part of the engine has ended though nobody told it to.
    pub fn is_broken(&self) -> bool {
        let Some(engine) = &self.engine else { return false };
        self.runtime.block_on(async { engine.ended().now_or_never().is_some() })
    }

    /// Tells it to end.
    pub fn stop(&mut self) {
        let Some(engine) = self.engine.take() else { return };
        let has_stopped = Arc::clone(&self.has_stopped);
        self.runtime.spawn(async move {
            engine.stop(STOPS_WITHIN).await;
            has_stopped.store(true, Ordering::Relaxed);
        });
    }

    /// A call comes in; it is acknowledged once the store has it.
    pub fn receive(&self, shared: &Shared, request: NewRequest) {
        let (store, acknowledged) = (Arc::clone(&self.store), Arc::clone(&shared.acknowledged));
        let id = request.calls[0].id.to_string();
        self.runtime.spawn(async move {
            if let Ok(Admitted::Accepted(_)) = store.accept(request).await {
                acknowledged.lock().unwrap().push(id);
                store.arrived.notify_one();
            }
        });
    }

    /// Ends it at once, wherever it is. Returns its way to the store.
    pub fn kill(self) -> (Ledger, Arc<dyn Store>) {
        let Process { runtime, engine, store, .. } = self;
        drop(engine);
        runtime.shutdown_background();
        (store.ledger.clone(), Arc::clone(&store.customers))
    }
}

fn channels(
    shared: &Shared,
    rights: &Arc<Rights>,
    crash: &Arc<CrashSwitch>,
    trace: &ReplicaTrace,
    random: &mut Random,
) -> ChannelHandles {
    let plan = &shared.plan;
    let providers = [
        ("sms", Protocol::Twilio, plan.sms),
        ("mail", Protocol::Smtp, plan.mail),
        ("hook", Protocol::Webhook, plan.hook),
    ];
    let handles = providers.map(|(name, protocol, manner)| {
        let channel = ChannelName::new(name);
        let provider = SimulatedProvider {
            name,
            protocol,
            manner,
            random: Mutex::new(random.fork()),
            taking: Arc::clone(&shared.taking),
            crash: Arc::clone(crash),
            rights: Arc::clone(rights),
            under_way: AtomicUsize::new(0),
            trace: trace.clone(),
            planted: shared.planted.clone(),
        };
        let mut handle = ChannelHandle::new(&shared.versions[0].channels[&channel], Arc::new(provider));
        handle.window = shared.planted.window_of(handle.window);
        (channel, Arc::new(handle))
    });
    let channels = ChannelHandles::default();
    channels.store(Arc::new(HashMap::from(handles)));
    channels
}

fn deps(
    in_force: &Arc<Mutex<Arc<Snapshot>>>,
    store: &Arc<SimulatedStore>,
    channels: ChannelHandles,
    owner: &str,
    clock: &Arc<SimulatedClock>,
) -> Deps {
    let (in_force, clock) = (Arc::clone(in_force), Arc::clone(clock));
    Deps {
        calls: store.clone(),
        runs: store.clone(),
        log: store.clone(),
        deliveries: store.clone(),
        customers: store.clone(),
        audiences: store.clone(),
        versions: Arc::new(VersionCache::new("default", store.clone(), move || {
            Arc::clone(&in_force.lock().unwrap())
        })),
        replicas: store.clone(),
        pauses: store.clone(),
        rates: None,
        channels,
        metrics: Arc::default(),
        crash_markers: Arc::default(),
        render_pool: RenderPool::inline(),
        owner: owner.into(),
        clock: Clock::of(move || clock.wall()),
    }
}

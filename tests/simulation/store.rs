//! The real store as one simulated replica reaches it: every request takes simulated time, and may fail as a request to a
//! database may. While the store itself answers, simulated time stands still.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fanfare::domain::customer::{Customer, CustomerKey, EventNeeds};
use fanfare::domain::delivery::DeliveryId;
use fanfare::domain::name::{CallId, RunId, ScenarioName, TriggerName, VersionId};
use fanfare::domain::pause::{Pause, PauseScope};
use fanfare::domain::render::AttributesSeen;
use fanfare::domain::run_counts::{JourneyEnd, JourneysElsewhere, RunCounts};
use fanfare::domain::selection::{IndexNeed, Selection};
use fanfare::store::StoreError;
use fanfare::store::audiences::{AccessPlan, Audiences, IndexState, Selected};
use fanfare::store::calls::{
    AcceptedCall, Admitted, CallFilter, CallRecord, Calls, NewRequest, RefusalCount, RefusedCall,
    UnreadableCall,
};
use fanfare::store::customers::{CustomerWrite, Customers, EventWrite, LatestEvents, LineResult};
use fanfare::store::deliveries::{Committed, Deliveries, Delivery, Step};
use fanfare::store::pauses::PauseBook;
use fanfare::store::replicas::{Lease, Replicas, Told};
use fanfare::store::run_log::{
    Backlog, DeliveryFilter, DeliveryRecord, Reopened, RunLog, RunRecord, ScenarioLeftOut,
};
use fanfare::store::runs::{
    ChunkId, Fence, Matched, OpenChunks, RunEnd, RunTotals, RunUnderWay, Runs, SelectionLease, Taken,
    UnfinishedRun, UnmatchedEnd, WokenChunks,
};
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::crash::CrashSwitch;
use crate::database::DatabaseClock;
use crate::harness::{Ledger, Random, Store};
use crate::mutants::Planted;
use crate::plan::StoreManner;
use crate::rights::Rights;
use crate::trace::ReplicaTrace;

/// What a request to the store meets.
enum Fate {
    Answered,
    /// It does not reach the store.
    Refused,
    /// It is carried out, and the answer is lost.
    AnswerLost,
    CrashBefore,
    CrashBehind,
}

/// The store of one incarnation of a replica.
pub struct SimulatedStore {
    pub ledger: Ledger,
    pub customers: Arc<dyn Store>,
    /// Where the store's own tasks and timers run, in real time.
    pub real: tokio::runtime::Handle,
    pub database_clock: DatabaseClock,
    pub manner: StoreManner,
    pub random: Mutex<Random>,
    pub crash: Arc<CrashSwitch>,
    pub trace: ReplicaTrace,
    pub planted: Planted,
    pub rights: Arc<Rights>,
    pub arrived: Arc<Notify>,
    pub work: Arc<Notify>,
}

impl SimulatedStore {
    /// Carries a request out, in simulated time.
    async fn request<T: Debug + Send>(
        &self,
        name: &'static str,
        asked: String,
        request: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.crash.wait_if_crashed().await;
        let (before, behind, fate) = self.draw();
        tokio::time::sleep(before).await;
        match fate {
            Fate::Refused => {
                self.trace.note(format_args!("{name} {asked} is refused"));
                return Err(StoreError::Unavailable("simulated: it cannot be reached".into()));
            }
            Fate::CrashBefore => self.crash.crash(&format!("before {name}")).await,
            Fate::Answered | Fate::AnswerLost | Fate::CrashBehind => {}
        }
        // It may have crashed meanwhile by another request.
        self.crash.wait_if_crashed().await;
        let answer = self.really(request);
        self.trace.note(format_args!("{name} {asked} -> {answer:?}"));
        match fate {
            Fate::CrashBehind => self.crash.crash(&format!("behind {name}")).await,
            Fate::AnswerLost => {
                tokio::time::sleep(behind).await;
                self.trace.note(format_args!("the answer of {name} is lost"));
                return Err(StoreError::Unavailable("simulated: no answer".into()));
            }
            Fate::Answered | Fate::Refused | Fate::CrashBefore => {}
        }
        tokio::time::sleep(behind).await;
        self.crash.wait_if_crashed().await;
        answer
    }

    /// Lets the store answer while simulated time stands still.
    fn really<T: Send>(&self, answer: impl Future<Output = T> + Send) -> T {
        self.database_clock.set(self.trace.clock.now());
        wait_for(&self.real, answer)
    }

    /// Gives a commit up that a server carries out later.
    async fn give_up(&self, step: Arc<Step>, late_by: Duration) -> StoreError {
        let (deliveries, real) = (Arc::clone(&self.ledger.deliveries), self.real.clone());
        let (trace, database_clock) = (self.trace.clone(), self.database_clock.clone());
        tokio::spawn(async move {
            tokio::time::sleep(late_by).await;
            database_clock.set(trace.clock.now());
            let committed = wait_for(&real, deliveries.commit(Arc::clone(&step)));
            trace.note(format_args!("commit {step:?} arrives late -> {committed:?}"));
        });
        tokio::time::sleep(late_by / 3).await;
        StoreError::Unavailable("simulated: it was given up".into())
    }

    /// How late a server carries out a commit, if the next one is given up.
    fn draw_late(&self) -> Option<Duration> {
        let (mut random, manner) = (self.random.lock().unwrap(), self.manner.at(self.trace.clock.now()));
        let (drawn, late_by) = (random.below(1_000), Duration::from_millis(u64::from(random.below(3_000))));
        let is_late = self.database_clock.is_a_servers() && drawn < manner.late_per_mille;
        is_late.then_some(late_by)
    }

    /// How long the request takes to the store and back, and what it meets.
    fn draw(&self) -> (Duration, Duration, Fate) {
        let (mut random, manner) = (self.random.lock().unwrap(), self.manner.at(self.trace.clock.now()));
        let (mut before, behind) = (manner.latency(&mut random), manner.latency(&mut random));
        if random.below(1_000) < manner.stalls_per_mille {
            before += manner.stall;
        }
        let (drawn, crashes) = (random.below(1_000), random.below(10_000) < manner.crashes_per_myriad);
        let fate = match drawn {
            _ if crashes && drawn % 2 == 0 => Fate::CrashBefore,
            _ if crashes => Fate::CrashBehind,
            drawn if drawn < manner.refused_per_mille => Fate::Refused,
            drawn if drawn < manner.refused_per_mille + manner.lost_per_mille => Fate::AnswerLost,
            _ => Fate::Answered,
        };
        (before, behind, fate)
    }
}

/// What the store answers, while simulated time stands still.
fn wait_for<T: Send>(real: &tokio::runtime::Handle, answer: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| scope.spawn(|| real.block_on(answer)).join().unwrap())
}

/// A trait of the store: requests that reach it as they are, and the rest as it is written.
macro_rules! simulated {
    ($trait:ident by |$this:ident| $store:expr => {
        $(fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $answer:ty;)*
    } $($rest:tt)*) => {
        #[async_trait]
        impl $trait for SimulatedStore {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                let asked = format!("{:?}", ($(&$argument,)*));
                let $this = self;
                let request = $store.$name($($argument),*);
                self.request(stringify!($name), asked, request).await
            })*
            $($rest)*
        }
    };
}

simulated! {
    Deliveries by |it| it.ledger.deliveries => {
        fn of_chunk(chunk: ChunkId) -> Vec<Delivery>;
        fn journeys_elsewhere(chunk: ChunkId) -> JourneysElsewhere;
        fn get(ids: &[DeliveryId]) -> Vec<Delivery>;
    }
    async fn commit(&self, step: Arc<Step>) -> Result<Committed, StoreError> {
        self.crash.wait_if_crashed().await;
        let asked = format!("{step:?}");
        if let Some(late_by) = self.draw_late() {
            self.trace.note(format_args!("commit {asked} is given up"));
            return Err(self.give_up(step, late_by).await);
        }
        let request = async {
            let committed = self.ledger.deliveries.commit(self.planted.in_step(&step)).await?;
            Ok(self.planted.in_committed(&step, committed))
        };
        self.request("commit", asked, request).await
    }
}

simulated! {
    Calls by |it| it.ledger.calls => {
        fn refuse(calls: Vec<RefusedCall>, counts: Vec<RefusalCount>) -> ();
        fn list(filter: CallFilter) -> Vec<CallRecord>;
        fn get(id: &CallId) -> Option<CallRecord>;
        fn counted_refusals(trigger: Option<TriggerName>, minutes: Range<i64>) -> Vec<RefusalCount>;
        fn accepted_times(trigger: &TriggerName, since: Timestamp, limit: u32) -> Vec<Timestamp>;
        fn forget_keys(now: Timestamp, limit: u32) -> usize;
        fn put_version(id: &VersionId, content: String, now: Timestamp) -> ();
        fn note_in_force(id: &VersionId, now: Timestamp) -> bool;
        fn get_version(id: &VersionId) -> Option<String>;
    }
    async fn accept(&self, request: NewRequest) -> Result<Admitted, StoreError> {
        let asked = format!("{:?}", request.calls);
        self.request("accept", asked, self.ledger.calls.accept(request)).await
    }
    async fn open_calls(&self, limit: u32) -> Result<Vec<Result<AcceptedCall, UnreadableCall>>, StoreError> {
        let request = async { Ok(self.planted.in_open_calls(self.ledger.calls.open_calls(limit).await?)) };
        self.request("open_calls", limit.to_string(), request).await
    }
    fn keeps_rates(&self) -> bool {
        self.ledger.calls.keeps_rates()
    }
    fn arrived(&self) -> Arc<Notify> {
        Arc::clone(&self.arrived)
    }
}

simulated! {
    Runs by |it| it.ledger.runs => {
        fn begin_runs(call_seq: i64, matched: Matched, owner: &str, now: Timestamp) -> Vec<RunId>;
        fn end_unmatched(call_seq: i64, end: UnmatchedEnd, now: Timestamp) -> ();
        fn unfinished_runs(known: &[RunId]) -> Vec<UnfinishedRun>;
        fn stopping_runs() -> Vec<RunId>;
        fn lease_selection(run: RunId, owner: &str) -> SelectionLease;
        fn open_chunks(run: RunId, owner: &str) -> OpenChunks;
        fn finish_untouched(run: RunId, end: JourneyEnd) -> u64;
        fn run_totals(run: RunId) -> RunTotals;
        fn wake_due(now: Timestamp, groups: u32) -> WokenChunks;
        fn wake_run(run: RunId, now: Timestamp) -> u64;
        fn rest_run(run: RunId) -> bool;
        fn waiting_runs() -> Vec<RunUnderWay>;
        fn runs_under_way() -> Vec<RunUnderWay>;
        fn end_run_as(run: RunId, end: RunEnd, now: Timestamp) -> bool;
        fn stop_run(run: RunId) -> bool;
        fn count_crash(run: RunId, customer: CustomerKey, process: &str) -> u32;
        fn count_failure(run: RunId, error: String) -> u32;
        fn take_chunk(chunk: ChunkId, owner: &str) -> Taken;
    }
    async fn set_audience(
        &self,
        run: RunId,
        chunks: Arc<Vec<Vec<CustomerKey>>>,
        access: String,
        owner: &str,
    ) -> Result<Option<Fence>, StoreError> {
        let asked = format!("{:?}", (run, &chunks, &access, owner));
        let chunks = self.planted.in_audience(chunks);
        self.request("set_audience", asked, self.ledger.runs.set_audience(run, chunks, access, owner)).await
    }
    async fn finish_chunk(
        &self,
        chunk: ChunkId,
        fence: Fence,
        position: usize,
        counts: &RunCounts,
    ) -> Result<bool, StoreError> {
        let asked = format!("{:?}", (chunk, fence, position, counts));
        let counts = self.planted.in_counts(counts);
        let request = self.ledger.runs.finish_chunk(chunk, fence, position, &counts);
        self.request("finish_chunk", asked, request).await
    }
}

simulated! {
    RunLog by |it| it.ledger.log => {
        fn backlog() -> Backlog;
        fn scenarios_under_way(most: u32) -> BTreeSet<ScenarioName>;
        fn left_out() -> Vec<ScenarioLeftOut>;
        fn runs_of_call(call: &CallId) -> Vec<RunRecord>;
        fn deliveries_of_call(call: &CallId, filter: DeliveryFilter) -> Vec<DeliveryRecord>;
        fn deliveries(filter: DeliveryFilter) -> Vec<DeliveryRecord>;
        fn resend(id: DeliveryId, now: Timestamp) -> Option<Reopened>;
        fn close_held(id: DeliveryId, now: Timestamp) -> bool;
    }
}

simulated! {
    PauseBook by |it| it.ledger.pauses => {
        fn pause(pause: &Pause) -> Option<Pause>;
        fn resume(scope: &PauseScope) -> Option<Pause>;
    }
    async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        let pauses = self.request("pauses", String::new(), self.ledger.pauses.pauses()).await?;
        self.rights.read_pauses(&pauses, tokio::time::Instant::now().into_std());
        Ok(self.planted.in_pauses(pauses))
    }
}

simulated! {
    Customers by |it| it.customers => {
        fn upsert_customers(lines: Vec<CustomerWrite>) -> Vec<LineResult>;
        fn insert_events(lines: Vec<EventWrite>) -> Vec<LineResult>;
        fn load(keys: &[CustomerKey], needs: &EventNeeds) -> Vec<Customer>;
        fn latest_events(customer: CustomerKey, limit: u32) -> LatestEvents;
        fn find(registered: &str) -> Option<CustomerKey>;
        fn event_types() -> BTreeSet<String>;
        fn attributes_seen() -> AttributesSeen;
        fn count_customers() -> u64;
    }
}

simulated! {
    Audiences by |it| it.customers => {
        fn select(selection: &Selection) -> Selected;
        fn explain(selection: &Selection) -> AccessPlan;
        fn require_indexes(needs: BTreeSet<IndexNeed>) -> ();
        fn index_states() -> Vec<IndexState>;
    }
    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

simulated! {
    Replicas by |it| it.ledger.replicas => {
        fn give_back(owner: &str) -> ();
    }
    async fn renew(&self, owner: &str) -> Result<Lease, StoreError> {
        let request = async {
            let asked = std::time::Instant::now();
            let lease = self.ledger.replicas.renew(owner).await?;
            // The store reads the clock of this machine a little later.
            let time = lease.until.saturating_duration_since(asked).as_secs();
            Ok((Duration::from_secs(time), lease.lost))
        };
        let asked = tokio::time::Instant::now().into_std();
        let (time, lost) = self.request("renew", owner.to_owned(), request).await?;
        self.rights.extend_lease(asked + time);
        Ok(self.planted.in_lease(Lease { until: asked + time, lost }))
    }
    fn renew_every(&self) -> Duration {
        self.ledger.replicas.renew_every()
    }
    fn work(&self) -> Arc<Notify> {
        Arc::clone(&self.work)
    }
    async fn told(&self) -> Told {
        std::future::pending().await
    }
}

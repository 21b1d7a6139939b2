//! A simulation: the world of a plan, from its beginning until every call is at its end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::domain::name::{CallId, ChannelName, TriggerName};
use fanfare::domain::pause::{Pause, PauseScope};
use fanfare::store::calls::{NewCall, NewRequest};

use crate::checker::{Claims, Violation, check};
use crate::clock;
use crate::database::Database;
use crate::harness::{Ledger, Random, Store};
use crate::mutants::Planted;
use crate::plan::{EVENTFUL, Event, Plan};
use crate::provider::Taking;
use crate::replica::{Process, Shared};
use crate::trace::Trace;
use crate::world::{Customers, WINDOW, compiled};

/// How long everything may take to come to its end, the longest backoff of a retry among it.
const END_MAX: Duration = Duration::from_secs(3_600);
/// How far replicas work before it is another's turn.
const TURN: Duration = Duration::from_millis(20);
/// How often it is looked whether everything is at its end.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What came of a simulation.
pub struct Simulated {
    pub violations: Vec<Violation>,
    /// What was sent without the right to, and what ended though nobody told it to.
    pub wrong: Vec<String>,
    /// The digest of the trace, and its lines.
    pub digest: (u64, u64),
    pub trace: Arc<Trace>,
    /// How long it was, in simulated time.
    pub time: Duration,
    /// How many faults happened.
    pub faults: u64,
    pub messages: usize,
}

struct Replica {
    process: Option<Process>,
    incarnations: usize,
    /// When the next process begins.
    begins_at: Duration,
    frozen_until: Option<(Duration, Duration)>,
    /// How far its machine's clock is ahead.
    ahead_ms: i64,
}

struct Simulation {
    shared: Shared,
    database: Database,
    runtime: tokio::runtime::Runtime,
    ledger: Ledger,
    customers: Arc<dyn Store>,
    replicas: Vec<Replica>,
    events: BTreeMap<(Duration, usize), Happening>,
    random: Random,
    now: Duration,
    /// Engines of which a part ended though nobody told it to.
    broken: Vec<String>,
    calls: usize,
    /// The number of the next happening: of two at the same time the first comes first.
    numbered: usize,
    faults: u64,
}

/// What happens, and what follows from it later.
#[derive(Debug)]
enum Happening {
    Event(Event),
    Resume(PauseScope),
    /// A replica puts a version in force.
    PutInForce(usize, usize),
}

impl Simulated {
    /// What was not as promised.
    pub fn complaints(&self) -> Vec<String> {
        let violations = self.violations.iter().map(|violation| format!("{violation:?}"));
        violations.chain(self.wrong.iter().cloned()).collect()
    }
}

/// Runs the plan with a fault that is planted, or none.
pub fn simulate(plan: &Plan, planted: Planted) -> Simulated {
    let mut simulation = Simulation::new(plan.clone(), planted);
    simulation.prepare();
    let is_at_end = simulation.run();
    simulation.finish(is_at_end)
}

impl Simulation {
    fn new(plan: Plan, planted: Planted) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let database = Database::new(plan.replicas);
        let (ledger, customers) = runtime.block_on(database.open());
        let shared = Shared {
            versions: Vec::new(),
            real: runtime.handle().clone(),
            database_clock: database.clock(),
            trace: Arc::default(),
            taking: Arc::new(Taking::default()),
            planted,
            acknowledged: Arc::new(Mutex::default()),
            plan: plan.clone(),
        };
        let replica = || Replica {
            process: None,
            incarnations: 0,
            begins_at: Duration::ZERO,
            frozen_until: None,
            ahead_ms: 0,
        };
        let events = plan.events.into_iter().enumerate();
        Simulation {
            shared,
            database,
            runtime,
            ledger,
            customers,
            replicas: (0..plan.replicas).map(|_| replica()).collect(),
            events: events.map(|(n, (at, event))| ((at, n), Happening::Event(event))).collect(),
            random: Random::of_seed(plan.seed).fork(),
            now: Duration::ZERO,
            broken: Vec::new(),
            calls: 0,
            numbered: 1_000,
            faults: 0,
        }
    }

    fn prepare(&mut self) {
        self.edit();
        let customers = Customers(self.shared.plan.customers);
        self.runtime.block_on(async {
            self.customers.upsert_customers(customers.lines()).await.unwrap();
            self.customers.insert_events(customers.events()).await.unwrap();
        });
    }

    /// Another version: it is kept before a replica puts it in force, which each does some time later.
    fn edit(&mut self) {
        let (sources, snapshot) = compiled(self.shared.versions.len() + 1);
        let keep = self.ledger.calls.put_version(&snapshot.version, sources.content(), clock::wall(self.now));
        self.runtime.block_on(keep).unwrap();
        self.shared.versions.push(Arc::new(snapshot));
        for number in 0..self.replicas.len() {
            let at = self.now + Duration::from_millis(u64::from(self.random.below(2_000)));
            self.then(at, Happening::PutInForce(number, self.shared.versions.len() - 1));
        }
    }

    fn then(&mut self, at: Duration, happening: Happening) {
        self.events.insert((at, self.numbered), happening);
        self.numbered += 1;
    }

    /// Whether every call came to its end.
    fn run(&mut self) -> bool {
        let mut looks_at = EVENTFUL;
        while self.now < END_MAX {
            self.begin_processes();
            let until = self.next_turn();
            let first = self.random.below(self.replicas.len() as u32) as usize;
            for step in 0..self.replicas.len() {
                self.turn((first + step) % self.replicas.len(), until);
            }
            self.now = until;
            self.happen();
            if self.now >= looks_at && self.events.is_empty() {
                looks_at = self.now + LOOK_EVERY;
                if self.is_at_end() {
                    return true;
                }
            }
        }
        false
    }

    /// Until when replicas work before it is looked what happens.
    fn next_turn(&self) -> Duration {
        let turn = if self.replicas.len() > 1 { TURN } else { LOOK_EVERY };
        let next = self.events.keys().next().map_or(Duration::MAX, |(at, _)| *at);
        next.clamp(self.now, self.now + turn)
    }

    fn begin_processes(&mut self) {
        for number in 0..self.replicas.len() {
            let replica = &mut self.replicas[number];
            if replica.process.is_none() && replica.begins_at <= self.now {
                replica.incarnations += 1;
                let way = if self.database.is_shared() {
                    self.shared.database_clock.set(self.now);
                    self.runtime.block_on(self.database.open())
                } else {
                    (self.ledger.clone(), Arc::clone(&self.customers))
                };
                let random = self.random.fork();
                replica.process = Some(Process::start(
                    &self.shared,
                    number,
                    replica.incarnations,
                    (self.now, replica.ahead_ms),
                    way,
                    random,
                ));
            }
        }
    }

    fn turn(&mut self, number: usize, until: Duration) {
        let replica = &mut self.replicas[number];
        let Some(process) = &replica.process else { return };
        if let Some((from, thaws)) = replica.frozen_until {
            if until < thaws {
                return;
            }
            replica.frozen_until = None;
            process.stand_still(thaws.saturating_sub(from));
        }
        process.run_until(until);
        if process.is_broken() {
            self.broken.push(format!("a part of the engine of replica {} ended by itself", number + 1));
        }
        if process.has_ended() {
            let back_after = Duration::from_millis(u64::from(self.random.below(4_000)));
            self.kill(number, until + back_after);
        }
    }

    fn kill(&mut self, number: usize, begins_at: Duration) {
        let replica = &mut self.replicas[number];
        replica.frozen_until = None;
        if let Some(process) = replica.process.take() {
            self.faults += 1;
            replica.begins_at = begins_at;
            self.end(process);
        }
    }

    fn end(&self, process: Process) {
        let way = process.kill();
        if self.database.is_shared() {
            self.runtime.block_on(async {
                way.0.close().await;
                way.1.close().await;
            });
        }
    }

    fn note(&self, what: std::fmt::Arguments<'_>) {
        self.shared.trace.note(self.now, 0, what);
    }

    fn happen(&mut self) {
        while let Some(next) = self.events.first_entry().filter(|next| next.key().0 <= self.now) {
            let happening = next.remove();
            self.note(format_args!("{happening:?}"));
            match happening {
                Happening::Event(event) => self.happens(event),
                Happening::PutInForce(replica, version) => {
                    if let Some(process) = &self.replicas[replica].process {
                        process.put_in_force(&self.shared.versions[version]);
                    }
                }
                Happening::Resume(scope) => {
                    drop(self.runtime.block_on(self.ledger.pauses.resume(&scope)).unwrap());
                }
            }
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Call { replica } => self.call(replica),
            Event::Kill { replica, back_after } => self.kill(replica, self.now + back_after),
            Event::Freeze { replica, time } => self.freeze(replica, time),
            Event::SetClock { replica, ahead_ms } => {
                let replica = &mut self.replicas[replica];
                replica.ahead_ms = ahead_ms;
                if let Some(process) = &replica.process {
                    process.clock.set_ahead(ahead_ms);
                }
            }
            Event::Pause { channel, time } => {
                let scope = PauseScope::Channel(ChannelName::new(channel));
                let since = clock::wall(self.now);
                let pause =
                    Pause { scope: scope.clone(), who: "a person".into(), reason: "a test".into(), since };
                drop(self.runtime.block_on(self.ledger.pauses.pause(&pause)).unwrap());
                self.then(self.now + time, Happening::Resume(scope));
            }
            Event::Edit => self.edit(),
            Event::Restart { replica } => {
                if let Some(process) = &mut self.replicas[replica].process {
                    process.stop();
                }
            }
        }
    }

    /// One that is frozen already thaws at the later time.
    fn freeze(&mut self, replica: usize, time: Duration) {
        let replica = &mut self.replicas[replica];
        if replica.process.is_none() {
            return;
        }
        self.faults += 1;
        let thaws = self.now + time;
        let (from, thaws) =
            replica.frozen_until.map_or((self.now, thaws), |(from, at)| (from, at.max(thaws)));
        replica.frozen_until = Some((from, thaws));
    }

    /// A call comes in by this replica, or by the next that is there.
    fn call(&mut self, replica: usize) {
        let order = (0..self.replicas.len()).map(|step| (replica + step) % self.replicas.len());
        let Some(process) = order.filter_map(|number| self.replicas[number].process.as_ref()).next() else {
            return;
        };
        self.calls += 1;
        let id = CallId::new(format!("00000000-0000-7000-8000-{:012}", self.calls));
        let params = r#"{"region": "north"}"#.to_owned();
        let request = NewRequest {
            trigger: TriggerName::new("alert"),
            credential: "test".into(),
            received_at: clock::wall(self.now),
            version: process.in_force(),
            body_digest: [0; 32],
            request: None,
            idempotency: None,
            calls: vec![NewCall { id, expires_at: None, params, deduplication: None }],
            gate: None,
            rate: None,
            trace: None,
        };
        process.receive(&self.shared, request);
    }

    fn is_at_end(&self) -> bool {
        let open = self.database.place.count("SELECT count(*) FROM call WHERE finished_at IS NULL");
        open == 0
    }

    fn finish(mut self, is_at_end: bool) -> Simulated {
        for number in 0..self.replicas.len() {
            if let Some(process) = self.replicas[number].process.take() {
                self.end(process);
            }
        }
        let ledger = self.runtime.block_on(async {
            self.ledger.close().await;
            self.customers.close().await;
            self.database.read().await
        });
        let record = self.shared.taking.record();
        let claims = Claims {
            acknowledged: self.shared.acknowledged.lock().unwrap().clone(),
            faults: self.faults,
            replicas: self.replicas.len() as u64,
            window: u64::from(WINDOW),
            stories: Customers(self.shared.plan.customers).stories(),
            calls_max: self.calls,
        };
        let violations = check(&claims, &record, &ledger);
        self.runtime.block_on(self.database.remove());
        if !is_at_end {
            self.note(format_args!("not everything came to its end"));
        }
        Simulated {
            violations,
            wrong: [self.shared.taking.forbidden(), self.broken].concat(),
            digest: self.shared.trace.digest(),
            trace: Arc::clone(&self.shared.trace),
            time: self.now,
            faults: self.faults,
            messages: record.taken.len(),
        }
    }
}

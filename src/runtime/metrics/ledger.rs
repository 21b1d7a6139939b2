//! Numbers of the ledger: what is not at its end, how long commits take, and whose the work is.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::whole;
use crate::store::run_log::Backlog;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfWork {
    work: &'static str,
}

/// What is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerWork {
    /// A request's calls, the wait for others in its commit included.
    Calls,
    /// A step of a channel: openings and outcomes.
    Deliveries,
}

/// The ledger's numbers.
#[derive(Debug)]
pub struct LedgerNumbers {
    calls_open: Gauge,
    oldest_seconds: Gauge<f64, AtomicU64>,
    runs_open: Gauge,
    calls_seconds: Histogram,
    step_seconds: Histogram,
    step_rows: Histogram,
    failures: Family<OfWork, Counter<u64, AtomicU64>>,
    commits: AtomicU64,
    renewed_at: Gauge<f64, AtomicU64>,
    renewal_failures: Counter<u64, AtomicU64>,
    taken_over: Counter<u64, AtomicU64>,
    lost: Counter<u64, AtomicU64>,
    store_ready: Gauge,
    refused_connections: Counter<u64, AtomicU64>,
}

impl LedgerNumbers {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let seconds =
            || Histogram::new([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]);
        let commits = Family::<OfWork, Histogram>::new_with_constructor(seconds);
        let help = "How long the ledger takes to commit, by what is committed";
        registry.register("ledger_commit_duration_seconds", help, commits.clone());
        let of = |work| commits.get_or_create(&OfWork { work }).clone();
        let step_rows = Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0]);
        let help = "Openings and outcomes that one commit of a channel carries";
        registry.register("ledger_commit_rows", help, step_rows.clone());
        let numbers = LedgerNumbers {
            calls_open: Gauge::default(),
            oldest_seconds: Gauge::default(),
            runs_open: Gauge::default(),
            calls_seconds: of("calls"),
            step_seconds: of("deliveries"),
            step_rows,
            failures: Family::default(),
            commits: AtomicU64::default(),
            renewed_at: Gauge::default(),
            renewal_failures: Counter::default(),
            taken_over: Counter::default(),
            lost: Counter::default(),
            store_ready: Gauge::default(),
            refused_connections: Counter::default(),
        };
        // A counter that first shows with its first failure cannot be told from one that never failed.
        for work in ["calls", "deliveries"] {
            drop(numbers.failures.get_or_create(&OfWork { work }));
        }
        let mut add = |name: &str, help: &str, gauge: Gauge| registry.register(name, help, gauge);
        add("calls_open", "Calls accepted and not at their end", numbers.calls_open.clone());
        add("runs_open", "Runs not at their end, without those that wait", numbers.runs_open.clone());
        let help = "Age of the oldest call that is neither at its end nor at a wait, or behind one; 0 if there is none";
        registry.register("calls_oldest_open_age_seconds", help, numbers.oldest_seconds.clone());
        let help = "Commits that failed, by what was to be committed";
        registry.register("ledger_commit_failures", help, numbers.failures.clone());
        let help = "When the lease was renewed last, in Unix time; nothing is sent once it has run out";
        registry.register("lease_renewed_timestamp_seconds", help, numbers.renewed_at.clone());
        let help = "Renewals of the lease that failed or came late";
        registry.register("lease_renewal_failures", help, numbers.renewal_failures.clone());
        let help = "Chunks taken that another process, or an earlier one, had begun";
        registry.register("chunks_taken_over", help, numbers.taken_over.clone());
        let help = "Chunks that another process took because the lease had run out";
        registry.register("chunks_lost", help, numbers.lost.clone());
        let help = "Whether the store answers and keeps what it is given: 1, or 0 while it does not";
        registry.register("store_ready", help, numbers.store_ready.clone());
        let help =
            "Connections to the database that were refused because their server has been replaced by another";
        registry.register("store_connections_refused", help, numbers.refused_connections.clone());
        numbers
    }

    /// Notes a commit of so many rows.
    pub fn committed(&self, work: LedgerWork, rows: usize, took: Duration, is_kept: bool) {
        let seconds = match work {
            LedgerWork::Calls => &self.calls_seconds,
            LedgerWork::Deliveries => {
                self.step_rows.observe(rows as f64);
                &self.step_seconds
            }
        };
        seconds.observe(took.as_secs_f64());
        self.commits.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if !is_kept {
            let work = if work == LedgerWork::Calls { "calls" } else { "deliveries" };
            self.failures.get_or_create(&OfWork { work }).inc();
        }
    }

    /// How many commits of calls and steps there were: who works in the background sees by it whether others do.
    pub fn commits(&self) -> u64 {
        self.commits.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Notes a renewal of the lease, or that it failed.
    pub fn lease_renewed(&self, at: Option<Timestamp>) {
        match at {
            Some(at) => drop(self.renewed_at.set(at.as_microsecond() as f64 / 1e6)),
            None => drop(self.renewal_failures.inc()),
        }
    }

    /// Counts a chunk that others had begun.
    pub fn took_over(&self) {
        self.taken_over.inc();
    }

    /// Counts a chunk that others have taken.
    pub fn lost(&self) {
        self.lost.inc();
    }

    /// Shows whether the store keeps what it is given, and how many connections to replaced servers were refused.
    pub fn set_store(&self, is_ready: bool, refused_connections: u64) {
        self.store_ready.set(is_ready.into());
        self.refused_connections.inner().store(refused_connections, std::sync::atomic::Ordering::Relaxed);
    }

    pub(super) fn set_backlog(&self, backlog: &Backlog, now: Timestamp) {
        self.calls_open.set(whole(usize::try_from(backlog.calls).unwrap_or(usize::MAX)));
        self.runs_open.set(whole(usize::try_from(backlog.runs).unwrap_or(usize::MAX)));
        let age = backlog.oldest_call.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64());
        self.oldest_seconds.set(age.max(0.0));
    }
}

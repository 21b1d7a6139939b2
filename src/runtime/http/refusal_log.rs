//! Refused requests on their way to the trigger log, through a small queue of their own.
//!
//! They can neither fill the ledger nor delay a call: above ten a second and trigger of what anybody can ask for
//! without a credential, and whenever the queue is full or the store is away, they are only counted, by status, reason
//! and minute. The process's log has a line for as many, and one for how many more there were.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::domain::admission::Refusal;
use crate::domain::name::{CallId, TriggerName};
use crate::store::calls::{Calls, RefusalCount, RefusedCall};

/// How many refusals may wait to be written.
const QUEUE_MAX: usize = 256;
/// How many refusals of those without a credential, of a trigger and second, are written in full.
const IN_FULL_A_SECOND: u32 = 10;
/// How many refusals a second, of all triggers and callers together, get a line of the process's log.
const LINES_A_SECOND: u32 = 50;
/// How long counts are gathered before they are written.
const COUNTS_WRITTEN_EVERY: Duration = Duration::from_secs(1);
/// How long what is left at the end may take to be written.
const LAST_WRITE_MAX: Duration = Duration::from_secs(3);

/// Takes refusals; cheap to clone.
#[derive(Clone)]
pub struct RefusalLog {
    queue: mpsc::Sender<Waiting>,
    counts: Arc<RefusalCounts>,
}

/// Writes what [`RefusalLog`] took; the process that starts the runtime runs and joins it.
pub struct RefusalWriter {
    queue: mpsc::Receiver<Waiting>,
    counts: Arc<RefusalCounts>,
    calls: Arc<dyn Calls>,
}

#[derive(Default)]
struct RefusalCounts {
    counts: Mutex<Counts>,
    changed: Notify,
}

/// A refusal that is to be written in full, and as what it is counted if it cannot be.
type Waiting = (RefusedCall, Counted);

type Counted = (TriggerName, u16, &'static str, i64);

#[derive(Default)]
struct Counts {
    /// The second at hand, and how many refusals without a credential each trigger had in it. Requests to triggers
    /// that do not exist share one entry, so a caller who makes up names fills nothing.
    second: i64,
    in_full: HashMap<TriggerName, u32>,
    /// What is only counted; bounded by triggers, statuses and minutes not written yet.
    counted: HashMap<Counted, u64>,
    /// The second at hand, and how many refusals of all triggers got a line of the process's log in it.
    line_second: i64,
    lines: u32,
    /// How many got none since that was said last.
    left_out: u64,
}

/// Under this name requests to triggers that do not exist are counted; no trigger can be called so.
const UNKNOWN: &str = "(unknown)";

impl RefusalLog {
    /// A log and its writer.
    pub fn new(calls: Arc<dyn Calls>) -> (Self, RefusalWriter) {
        let (send, receive) = mpsc::channel(QUEUE_MAX);
        let counts = Arc::<RefusalCounts>::default();
        let log = RefusalLog { queue: send, counts: Arc::clone(&counts) };
        (log, RefusalWriter { queue: receive, counts, calls })
    }

    /// Takes one refusal. Never waits.
    pub fn log(
        &self,
        id: CallId,
        trigger: &TriggerName,
        credential: Option<Arc<str>>,
        refusal: &Refusal,
        received_at: Timestamp,
    ) {
        let status = refusal.status();
        let scope = if status == 404 { TriggerName::new(UNKNOWN) } else { trigger.clone() };
        let counted = (scope, status, refusal.title(), received_at.as_second().div_euclid(60));
        let is_anybodys = credential.is_none() || status == 403;
        let is_above = is_anybodys && self.counts.is_above_limit(&counted.0, received_at.as_second());
        if is_above || !self.counts.takes_line(received_at.as_second()) {
            self.counts.leave_out_line();
        } else {
            tracing::info!(call = %id, %trigger, status, reason = %refusal, "refused");
        }
        if status == 503 || is_above {
            return self.counts.count(counted, 1);
        }
        let (trigger, reason) = (trigger.clone(), refusal.to_string());
        let call = RefusedCall { id, trigger, credential, received_at, http_status: status, reason };
        if let Err(error) = self.queue.try_send((call, counted)) {
            let (_, counted) = error.into_inner();
            self.counts.count(counted, 1);
        }
    }
}

impl RefusalCounts {
    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_above_limit(&self, trigger: &TriggerName, second: i64) -> bool {
        let mut counts = self.lock();
        if counts.second != second {
            counts.second = second;
            counts.in_full.clear();
        }
        let in_full = counts.in_full.entry(trigger.clone()).or_insert(0);
        *in_full += 1;
        *in_full > IN_FULL_A_SECOND
    }

    /// Whether a refusal still gets a line of the process's log in this second.
    fn takes_line(&self, second: i64) -> bool {
        let mut counts = self.lock();
        if counts.line_second != second {
            counts.line_second = second;
            counts.lines = 0;
        }
        counts.lines += 1;
        counts.lines <= LINES_A_SECOND
    }

    fn leave_out_line(&self) {
        self.lock().left_out += 1;
        self.changed.notify_one();
    }

    /// Says how many refusals got no line since it was said last.
    fn say_left_out(&self) {
        let refusals = std::mem::take(&mut self.lock().left_out);
        if refusals > 0 {
            tracing::info!(refusals, "more were refused, and only counted");
        }
    }

    fn count(&self, counted: Counted, refusals: u64) {
        *self.lock().counted.entry(counted).or_insert(0) += refusals;
        self.changed.notify_one();
    }

    fn take(&self) -> HashMap<Counted, u64> {
        std::mem::take(&mut self.lock().counted)
    }
}

impl RefusalWriter {
    /// Writes until it is told to stop, and then what is left.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(QUEUE_MAX);
        loop {
            // First whether to stop: while the store is gone there are always counts that wait.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = self.queue.recv_many(&mut batch, QUEUE_MAX) => {}
                () = self.counts.changed.notified() => {
                    // Many counts of a second are one row.
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(COUNTS_WRITTEN_EVERY) => {}
                    }
                }
            }
            self.write(&mut batch).await;
        }
        while let Ok(call) = self.queue.try_recv() {
            batch.push(call);
        }
        if tokio::time::timeout(LAST_WRITE_MAX, self.write(&mut batch)).await.is_err() {
            tracing::warn!("the last refusals were not written in time");
        }
    }

    async fn write(&self, batch: &mut Vec<Waiting>) {
        self.counts.say_left_out();
        let counted = self.counts.take();
        let (calls, uncounted): (Vec<RefusedCall>, Vec<Counted>) = std::mem::take(batch).into_iter().unzip();
        let counts = counted.iter().map(|((trigger, http_status, reason, minute), refusals)| RefusalCount {
            trigger: trigger.clone(),
            http_status: *http_status,
            reason: (*reason).to_owned(),
            minute: *minute,
            refusals: *refusals,
        });
        let written = self.calls.refuse(calls, counts.collect()).await;
        if let Err(error) = written {
            tracing::warn!(%error, "refusals could not be written; their counts are kept until the store is back");
            let in_full = uncounted.into_iter().map(|counted| (counted, 1));
            for (counted, refusals) in counted.into_iter().chain(in_full) {
                self.counts.count(counted, refusals);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// What was written to the process's log.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Written {
        fn lines(&self) -> Vec<String> {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
        }
    }

    /// What 1,000 refusals of one second leave in the process's log, and what waits to be written to the trigger log.
    fn refused(credential: Option<&str>, refusal: &Refusal) -> (Vec<String>, usize, u64) {
        let written = Written::default();
        let writer = written.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let (send, mut receive) = mpsc::channel(QUEUE_MAX);
        let log = RefusalLog { queue: send, counts: Arc::default() };
        tracing::subscriber::with_default(subscriber, || {
            for n in 0..1_000 {
                let id = CallId::new(n.to_string());
                let credential = credential.map(Arc::from);
                log.log(id, &TriggerName::new("t"), credential, refusal, Timestamp::UNIX_EPOCH);
            }
            log.counts.say_left_out();
            log.counts.say_left_out();
        });
        let mut waiting = 0;
        while receive.try_recv().is_ok() {
            waiting += 1;
        }
        (written.lines(), waiting, log.counts.take().values().sum())
    }

    #[test]
    fn a_flood_of_anybodys_refusals_is_a_few_lines_and_a_count() {
        for refusal in [Refusal::Unauthenticated("no"), Refusal::NoSuchTrigger, Refusal::Method] {
            let (lines, waiting, counted) = refused(None, &refusal);
            assert_eq!((lines.len(), waiting, counted), (11, 10, 990), "{refusal}");
            assert!(lines[10].contains("more were refused, and only counted refusals=990"), "{lines:?}");
        }
    }

    #[test]
    fn a_flood_of_a_callers_own_refusals_and_of_an_outage_is_sampled_too() {
        let (lines, waiting, counted) = refused(Some("ann"), &Refusal::WrongBody("no".into()));
        assert_eq!((lines.len(), waiting as u64 + counted), (51, 1_000));
        let (lines, waiting, counted) = refused(Some("ann"), &Refusal::Unavailable);
        assert_eq!((lines.len(), waiting, counted), (51, 0, 1_000));
    }
}

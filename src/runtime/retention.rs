//! Removes calls and events that are older than they are to be kept, a small batch at a time, with rests between them: while
//! calls come in or messages are sent, batches are shorter, and rests several times as long as they.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::http::app::App;
use super::metrics::GrowsOld;
use crate::domain::name::VersionId;
use crate::domain::retention::RetentionPolicy;
use crate::store::StoreError;
use crate::store::retention::{Removal, RemovalBounds, RetentionStore};

/// It rests so many times as long as a batch took, while no other work writes and while other work does; and at most so long.
const RESTS_ALONE: u32 = 1;
const RESTS_BESIDE_OTHERS: u32 = 7;
const REST_MAX: Duration = Duration::from_secs(2);
/// Others write as long as somebody did within this time.
const LOOK_AT_OTHERS_EVERY: Duration = Duration::from_millis(200);
/// How often it is looked for what has grown old: a tenth of how long it is kept, within these.
const LOOK_EVERY_MIN: Duration = Duration::from_secs(5);
const LOOK_EVERY_MAX: Duration = Duration::from_secs(60);
/// How soon it follows an edit.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);
/// How often a version in force is noted as such: far more often than within the day that others are kept longer.
const NOTE_EVERY: Duration = Duration::from_secs(3_600);

/// What removes what is old.
pub struct RetentionTask {
    app: Arc<App>,
    calls: Arc<dyn RetentionStore>,
    events: Arc<dyn RetentionStore>,
    noted: Option<(VersionId, Instant)>,
    policy: RetentionPolicy,
    said: [Option<String>; 2],
}

impl RetentionTask {
    /// Removes from these, as long as what is in force says.
    pub fn new(app: Arc<App>, calls: Arc<dyn RetentionStore>, events: Arc<dyn RetentionStore>) -> Self {
        let policy = RetentionPolicy::default();
        RetentionTask { app, calls, events, noted: None, policy, said: [None, None] }
    }

    /// Removes until it is told to stop. A batch that is under way then is undone or kept whole.
    pub async fn run(mut self, stop: CancellationToken) {
        let removing = async {
            loop {
                self.once(Timestamp::now()).await;
                self.rest().await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = removing => {}
        }
    }

    /// Waits until it is time to look again, or something else is declared.
    async fn rest(&self) {
        let began = Instant::now();
        while began.elapsed() < look_every(&self.policy) && self.app.snapshot.load().retention == self.policy
        {
            tokio::time::sleep(FOLLOW_EVERY).await;
        }
    }

    async fn once(&mut self, now: Timestamp) {
        let now = match self.calls.clock().await {
            Ok(there) => there.map_or(now, |there| there.min(now)),
            Err(error) => return self.tell(GrowsOld::Calls, Err(error)),
        };
        let snapshot = self.app.snapshot.load_full();
        self.follow(snapshot.retention);
        let (calls, events) = (Arc::clone(&self.calls), Arc::clone(&self.events));
        let since =
            |outcome: &Result<Option<Timestamp>, StoreError>| outcome.as_ref().ok().copied().flatten();
        let of_calls = match self.note_in_force(&snapshot.version, now).await {
            Ok(is_kept) => {
                let versions_before = self.policy.versions_before(now).filter(|_| is_kept);
                let bounds = RemovalBounds { before: self.policy.calls_before(now), versions_before };
                self.pass(GrowsOld::Calls, calls.as_ref(), bounds).await
            }
            Err(error) => Err(error),
        };
        let oldest_call = since(&of_calls);
        self.tell(GrowsOld::Calls, of_calls.map(drop));
        let bounds = RemovalBounds { before: self.policy.events_before(now), versions_before: None };
        let of_events = self.pass(GrowsOld::Events, events.as_ref(), bounds).await;
        let is_declared = self.policy != RetentionPolicy::default();
        let kept = is_declared.then(|| self.policy.in_words_since(oldest_call, since(&of_events)));
        self.app.kept.store(kept.map(Arc::new));
        self.tell(GrowsOld::Events, of_events.map(drop));
    }

    fn follow(&mut self, policy: RetentionPolicy) {
        if self.policy != policy {
            tracing::info!("what is older is removed from now on: {} are kept", policy.in_words());
            self.policy = policy;
        }
    }

    /// Whether what is in force is kept and known as such. Before something is in force, nothing is.
    async fn note_in_force(&mut self, version: &VersionId, now: Timestamp) -> Result<bool, StoreError> {
        let is_noted =
            self.noted.as_ref().is_some_and(|(noted, at)| noted == version && at.elapsed() < NOTE_EVERY);
        if !is_noted {
            if !self.app.calls.note_in_force(version, now).await? {
                return Ok(false);
            }
            self.noted = Some((version.clone(), Instant::now()));
        }
        Ok(true)
    }

    /// Goes once over all that is old, unless another replica does. Gives how old the oldest is that stays.
    async fn pass(
        &self,
        what: GrowsOld,
        store: &dyn RetentionStore,
        bounds: RemovalBounds,
    ) -> Result<Option<Timestamp>, StoreError> {
        if let Some(mut removal) = store.begin_removal(bounds).await? {
            let removed = self.remove_all(removal.as_mut()).await;
            removal.end().await;
            removed?;
        }
        let oldest = store.oldest().await?;
        self.app.metrics.retention.set_oldest(what, oldest);
        Ok(oldest)
    }

    /// Ends at once when another length of time is declared: a long passage must not go on by one that was a mistake.
    async fn remove_all(&self, removal: &mut dyn Removal) -> Result<(), StoreError> {
        let (mut others_write, mut commits) = (true, self.app.metrics.ledger.commits());
        let mut seen_at = Instant::now();
        while self.app.snapshot.load().retention == self.policy {
            let began = Instant::now();
            let batch = removal.next_batch(others_write).await?;
            for (kind, rows) in batch.rows {
                self.app.metrics.retention.removed(kind, rows);
            }
            if !batch.is_more {
                return Ok(());
            }
            let rests = if others_write { RESTS_BESIDE_OTHERS } else { RESTS_ALONE };
            tokio::time::sleep((began.elapsed() * rests).min(REST_MAX)).await;
            if seen_at.elapsed() >= LOOK_AT_OTHERS_EVERY {
                let now = self.app.metrics.ledger.commits();
                (others_write, commits, seen_at) = (now != commits, now, Instant::now());
            }
        }
        Ok(())
    }

    /// Says what went wrong once, and that it is over.
    fn tell(&mut self, what: GrowsOld, outcome: Result<(), StoreError>) {
        let said = &mut self.said[what as usize];
        let (word, error) = (what.word(), outcome.err().filter(|error| *error != StoreError::Closed));
        match error {
            Some(error) => {
                self.app.metrics.retention.failed(what);
                let error = error.to_string();
                if said.as_ref() != Some(&error) {
                    tracing::warn!(%error, "old {word} cannot be removed: they stay, and it is tried again; nothing else is held up");
                    *said = Some(error);
                }
            }
            None if said.take().is_some() => tracing::info!("old {word} are removed again"),
            None => {}
        }
    }
}

fn look_every(policy: &RetentionPolicy) -> Duration {
    let shortest = policy.calls.into_iter().chain(policy.events).min();
    shortest.map_or(LOOK_EVERY_MAX, |kept| (kept / 10).clamp(LOOK_EVERY_MIN, LOOK_EVERY_MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use async_trait::async_trait;

    use super::*;
    use crate::compile::{Sources, compile};
    use crate::runtime::http::RefusalLog;
    use crate::store::calls::Calls;
    use crate::store::retention::{RemovedBatch, RowKind};
    use crate::store::sqlite::{Ledger, SqliteCustomers};

    /// Has so many batches, and fails behind them.
    struct Fake {
        batches: u32,
        clock: Option<Timestamp>,
        taken: Arc<AtomicU32>,
        asked: Mutex<Vec<RemovalBounds>>,
        error: Option<&'static str>,
    }

    #[async_trait]
    impl RetentionStore for Fake {
        async fn begin_removal(&self, bounds: RemovalBounds) -> Result<Option<Box<dyn Removal>>, StoreError> {
            self.asked.lock().unwrap().push(bounds);
            let taken = Arc::clone(&self.taken);
            Ok(Some(Box::new(FakeRemoval { left: self.batches, taken, error: self.error })))
        }

        async fn clock(&self) -> Result<Option<Timestamp>, StoreError> {
            Ok(self.clock)
        }

        async fn oldest(&self) -> Result<Option<Timestamp>, StoreError> {
            Ok(Some(Timestamp::UNIX_EPOCH))
        }
    }

    struct FakeRemoval {
        left: u32,
        taken: Arc<AtomicU32>,
        error: Option<&'static str>,
    }

    #[async_trait]
    impl Removal for FakeRemoval {
        async fn next_batch(&mut self, _: bool) -> Result<RemovedBatch, StoreError> {
            if self.left == 0 {
                let error = self.error.map(|error| StoreError::Unavailable(error.into()));
                return error.map_or(Ok(RemovedBatch::default()), Err);
            }
            self.left -= 1;
            self.taken.fetch_add(1, Relaxed);
            Ok(RemovedBatch { rows: vec![(RowKind::Calls, 2)], is_more: true })
        }

        async fn end(self: Box<Self>) {}
    }

    fn fake(batches: u32) -> Fake {
        Fake { batches, clock: None, taken: Arc::default(), asked: Mutex::default(), error: None }
    }

    async fn put_in_force(app: &App, retention: &str) {
        let spec = format!("{{storage: {{sqlite: {{size: 1Gi}}}}, retention: {retention}}}");
        let runtime = Some(serde_yaml_ng::from_str(&spec).unwrap());
        let sources = Sources { runtime, ..Sources::default() };
        let snapshot = Arc::new(compile(&sources).snapshot);
        app.put_in_force(&sources, snapshot, Default::default(), Timestamp::now()).await.unwrap();
    }

    fn app(folder: &tempfile::TempDir) -> Arc<App> {
        let calls: Arc<dyn Calls> = Arc::new(Ledger::open(folder.path()).unwrap());
        let customers = Arc::new(SqliteCustomers::open(&folder.path().join("customers.db")).unwrap());
        let (refusals, _) = RefusalLog::new(Arc::clone(&calls));
        Arc::new(App::new("default", calls, customers, refusals))
    }

    #[tokio::test]
    async fn a_clock_that_is_ahead_makes_nothing_older_and_what_went_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(&folder);
        put_in_force(&app, "{calls: 1h}").await;
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let calls = Arc::new(Fake { clock: Some(now - Duration::from_secs(86_400)), ..fake(3) });
        let mut task = RetentionTask::new(Arc::clone(&app), calls.clone(), Arc::new(fake(0)));
        task.once(now).await;
        let before = calls.asked.lock().unwrap()[0].before.unwrap();
        assert_eq!(before, now - Duration::from_secs(86_400 + 3_600));
        assert!(app.metrics.text().contains("retention_removed_rows_total{kind=\"calls\"} 6"));
        let kept = app.kept.load().as_deref().cloned();
        assert_eq!(
            kept.as_deref(),
            Some("calls for 1h (since 1970-01-01), events for ever (since 1970-01-01)")
        );
    }

    #[tokio::test]
    async fn a_failure_is_counted_each_time_and_holds_up_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(&folder);
        put_in_force(&app, "{calls: 1h, events: 1h}").await;
        let calls = Arc::new(Fake { error: Some("the disk is full"), ..fake(1) });
        let events = Arc::new(fake(1));
        let mut task = RetentionTask::new(Arc::clone(&app), calls, events.clone());
        for _ in 0..2 {
            task.once(Timestamp::now()).await;
        }
        assert_eq!(events.taken.load(Relaxed), 2);
        assert!(task.said[GrowsOld::Calls as usize].as_deref().unwrap().contains("the disk is full"));
        let numbers = app.metrics.text();
        assert!(numbers.contains("retention_failures_total{what=\"calls\"} 2"), "{numbers}");
        assert!(numbers.contains("retention_failures_total{what=\"events\"} 0"), "{numbers}");
    }

    #[tokio::test]
    async fn a_passage_ends_when_it_is_declared_that_all_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(&folder);
        put_in_force(&app, "{calls: 1m}").await;
        let calls = Arc::new(fake(u32::MAX));
        let mut task = RetentionTask::new(Arc::clone(&app), calls.clone(), Arc::new(fake(0)));
        let edit = async {
            while calls.taken.load(Relaxed) < 3 {
                tokio::task::yield_now().await;
            }
            put_in_force(&app, "{}").await;
        };
        tokio::join!(task.once(Timestamp::now()), edit);
        assert!(calls.taken.load(Relaxed) < u32::MAX);
        let asked = calls.asked.lock().unwrap().len();
        assert_eq!(asked, 1);
    }
}

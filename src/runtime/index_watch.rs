//! Watches how far indexes of audiences are filled, and tells it: in metrics, in the log, and to those who report it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::http::app::App;
use crate::domain::index_filling::IndexFilling;
use crate::domain::selection::IndexNeed;
use crate::store::audiences::{Audiences, IndexProgress, IndexState};

/// How often it is looked while an index is filled, and while none is.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_EVERY_IDLE: Duration = Duration::from_secs(5);
/// How often the log tells of an index that is being filled.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// What watches them.
pub struct IndexWatch {
    app: Arc<App>,
    audiences: Arc<dyn Audiences>,
    seen: BTreeMap<IndexNeed, Seen>,
}

/// An index that is being filled.
struct Seen {
    filling: IndexFilling,
    since: Instant,
    told_at: Instant,
}

impl IndexWatch {
    /// Watches the indexes of these audiences.
    pub fn new(app: Arc<App>, audiences: Arc<dyn Audiences>) -> Self {
        IndexWatch { app, audiences, seen: BTreeMap::new() }
    }

    /// Watches until it is told to stop. A store that fails is asked again.
    pub async fn run(mut self, stop: CancellationToken) {
        let watching = async {
            loop {
                if let Ok(states) = self.audiences.index_states().await {
                    self.note(states, Instant::now());
                }
                let pause = if self.seen.is_empty() { LOOK_EVERY_IDLE } else { LOOK_EVERY };
                tokio::time::sleep(pause).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = watching => {}
        }
    }

    fn note(&mut self, states: Vec<IndexState>, now: Instant) {
        let (mut shares, mut seen) = (Vec::new(), BTreeMap::new());
        for IndexState { need, progress } in states {
            match progress {
                IndexProgress::Unneeded => drop(self.seen.remove(&need)),
                IndexProgress::Complete => {
                    if let Some(it) = self.seen.remove(&need) {
                        let seconds = now.duration_since(it.since).as_secs();
                        tracing::info!(index = %need, seconds, "the index is filled: audiences are found by it");
                    }
                    shares.push(1.0);
                }
                IndexProgress::Filling(share) => {
                    let it = self.seen_again(&need, share, now);
                    shares.push(it.filling.share());
                    seen.insert(need, it);
                }
            }
        }
        self.seen = seen;
        self.app.metrics.indexes.set(shares);
        let filling = self.seen.iter().map(|(need, it)| (need.clone(), it.filling)).collect();
        self.app.indexes_filling.store(Arc::new(filling));
    }

    fn seen_again(&mut self, need: &IndexNeed, share: f64, now: Instant) -> Seen {
        let Some(mut it) = self.seen.remove(need) else {
            tracing::info!(index = %need, "the index is being filled; until then all customers are read");
            return Seen { filling: IndexFilling::seen(share), since: now, told_at: now };
        };
        it.filling.note(share, now.duration_since(it.since));
        if now.duration_since(it.told_at) >= TELL_EVERY {
            tracing::info!(index = %need, "the index is being filled: {}", it.filling.in_words());
            it.told_at = now;
        }
        it
    }
}

//! How many rows a batch in the background takes, by how long the last one took: no statement may wait long for one.

use std::time::{Duration, Instant};

/// How long one batch should take: half of what it may.
const BATCH_TIME: Duration = Duration::from_millis(10);

/// The size of batches.
#[derive(Debug)]
pub(super) struct Pace {
    rows: i64,
    rows_max: i64,
}

impl Pace {
    /// Begins with so many rows, and takes at most so many.
    pub(super) fn new(rows_first: i64, rows_max: i64) -> Self {
        Pace { rows: rows_first, rows_max }
    }

    /// How many rows the next batch takes.
    pub(super) fn rows(&self) -> i64 {
        self.rows
    }

    /// Waits for a batch and learns from how long it took.
    pub(super) async fn keep<T, E>(&mut self, batch: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let began = Instant::now();
        let done = batch.await?;
        self.learn(began.elapsed());
        Ok(done)
    }

    fn learn(&mut self, took: Duration) {
        if took > 2 * BATCH_TIME {
            self.rows = (self.rows / 2).max(1);
        } else if took < BATCH_TIME {
            self.rows = (self.rows * 2).min(self.rows_max);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_grows_while_it_is_short_and_is_halved_when_it_is_long() {
        let mut pace = Pace::new(200, 1_000);
        for (took, rows) in [(1, 400), (1, 800), (1, 1_000), (15, 1_000), (30, 500), (500, 250)] {
            pace.learn(Duration::from_millis(took));
            assert_eq!(pace.rows(), rows);
        }
        (0..20).for_each(|_| pace.learn(Duration::from_secs(1)));
        assert_eq!(pace.rows(), 1);
    }
}

//! What becomes of an engine that has lost a part of itself, or whose store answers no more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use fanfare::domain::pause::{Pause, PauseScope};
use fanfare::store::StoreError;
use fanfare::store::pauses::PauseBook;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::harness::Place;
use crate::world::World;

/// A book that cannot be read.
enum Unreadable {
    /// Whoever reads it panics.
    Panics,
    /// Whoever reads it waits, and that is told.
    Hangs(Arc<Notify>),
}

#[async_trait]
impl PauseBook for Unreadable {
    async fn pause(&self, _: &Pause) -> Result<Option<Pause>, StoreError> {
        Ok(None)
    }

    async fn resume(&self, _: &PauseScope) -> Result<Option<Pause>, StoreError> {
        Ok(None)
    }

    async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        match self {
            Unreadable::Panics => panic!("as a defect would"),
            Unreadable::Hangs(asked) => {
                asked.notify_one();
                std::future::pending().await
            }
        }
    }
}

#[tokio::test]
async fn an_engine_says_that_a_part_of_it_has_ended_by_a_panic() {
    let mut world = World::new(Place::sqlite()).await;
    let engine = world.start();
    assert!(timeout(Duration::from_millis(300), engine.ended()).await.is_err(), "nothing has happened");
    engine.stop(Duration::ZERO).await;
    world.ledger.pauses = Arc::new(Unreadable::Panics);
    let engine = world.start();
    timeout(Duration::from_secs(10), engine.ended()).await.unwrap();
    engine.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn an_engine_ends_while_a_part_of_it_waits_for_the_store() {
    let mut world = World::new(Place::sqlite()).await;
    let asked = Arc::new(Notify::new());
    world.ledger.pauses = Arc::new(Unreadable::Hangs(Arc::clone(&asked)));
    let engine = world.start();
    timeout(Duration::from_secs(10), asked.notified()).await.unwrap();
    let began = Instant::now();
    timeout(Duration::from_secs(20), engine.stop(Duration::ZERO)).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

//! What becomes of an engine whose store answers no more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use fanfare::domain::pause::{Pause, Scope};
use fanfare::store::StoreError;
use fanfare::store::pauses::PauseBook;
use tokio::time::timeout;

use crate::harness::Place;
use crate::world::World;

/// A book whose readers wait.
struct Unreadable;

#[async_trait]
impl PauseBook for Unreadable {
    async fn pause(&self, _: &Pause) -> Result<Option<Pause>, StoreError> {
        Ok(None)
    }

    async fn resume(&self, _: &Scope) -> Result<Option<Pause>, StoreError> {
        Ok(None)
    }

    async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn an_engine_ends_while_a_part_of_it_waits_for_the_store() {
    let mut world = World::new(Place::sqlite()).await;
    world.ledger.pauses = Arc::new(Unreadable);
    let engine = world.start();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    timeout(Duration::from_secs(20), engine.stop(Duration::ZERO)).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

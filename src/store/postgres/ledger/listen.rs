//! What replicas tell one another: a ring, behind which the tables are looked at. A ring that is lost costs the time
//! until the next look, nothing else.
//!
//! Rings are rare, a few a run: PostgreSQL lets the commits that ring take turns.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::PostgresLedger;
use crate::domain::customer::CustomerKey;
use crate::domain::delivery::{DeliveryId, TargetId};
use crate::domain::name::{NodeIndex, RunId};
use crate::store::StoreError;
use crate::store::postgres::PostgresDatabase;
use crate::store::replicas::Told;
use crate::store::runs::ChunkId;

/// Rings.
pub(super) const RING: &str = "SELECT pg_notify($1, $2)";

/// How long to wait before listening again.
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);
/// How long the server may take to listen.
const LISTEN_MAX: Duration = Duration::from_secs(2);
/// How many rings about deliveries wait to be read; beyond them the chunks' own ends find what was missed.
pub(super) const TOLD_MAX: usize = 1024;

/// Listens until told to stop.
pub(super) async fn listen(database: Arc<PostgresDatabase>, heard: Heard, stop: CancellationToken) {
    let listening = async {
        loop {
            if let Err(error) = listen_once(&database, &heard).await {
                tracing::debug!(%error, "other replicas cannot be heard; listening again");
            }
            tokio::time::sleep(AFTER_A_FAILURE).await;
            // Whatever was rung meanwhile is found by looking.
            heard.work.notify_one();
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = listening => {}
    }
}

/// Where rings go.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    /// Rung when there may be something to take up.
    pub work: Arc<Notify>,
    /// What was told about single deliveries.
    pub told: tokio::sync::mpsc::Sender<Told>,
}

async fn listen_once(database: &PostgresDatabase, heard: &Heard) -> Result<(), StoreError> {
    let (rings, mut rung) = mpsc::channel(TOLD_MAX);
    let unavailable = |error: &dyn std::fmt::Display| StoreError::Unavailable(error.to_string());
    let connected = database.listener(rings).connect().await.map_err(|error| unavailable(&error))?;
    let listen = format!("LISTEN {}", database.schema());
    let asked = tokio::time::timeout(LISTEN_MAX, connected.client.batch_execute(&listen)).await;
    asked.map_err(|late| unavailable(&late))?.map_err(|error| unavailable(&error))?;
    while let Some(ring) = rung.recv().await {
        heard.note(&ring);
    }
    Ok(())
}

impl Heard {
    fn note(&self, payload: &str) {
        match Told::parse(payload) {
            // A full queue is no loss: see `TOLD_MAX`.
            Some(told) => drop(self.told.try_send(told)),
            None => self.work.notify_one(),
        }
    }
}

impl Told {
    /// What other replicas are told about a delivery that a person lets be sent again.
    pub(super) fn payload(chunk: ChunkId, id: DeliveryId) -> String {
        let (customer, node, target) = (id.customer.0, id.node.0, id.target.number());
        match id.target {
            // Replicas of the version before read this too.
            TargetId::ONLY => format!("again {} {} {customer} {node}", chunk.run.0, chunk.n),
            _ => format!("again {} {} {customer} {node} {target}", chunk.run.0, chunk.n),
        }
    }

    fn parse(payload: &str) -> Option<Told> {
        let mut numbers = payload.strip_prefix("again ")?.split(' ');
        let mut next = || numbers.next()?.parse::<i64>().ok();
        let (run, n, customer, node) = (RunId(next()?), next()?, next()?, next()?);
        let target = match numbers.next() {
            None => TargetId::ONLY,
            Some(number) => TargetId::from_number(number.parse().ok()?)?,
        };
        let (customer, node) = (CustomerKey(customer), NodeIndex(node.try_into().ok()?));
        let id = DeliveryId { run, customer, node, target };
        Some(Told { chunk: ChunkId { run, n: n.try_into().ok()? }, id })
    }
}

impl PostgresLedger {
    /// Rings for all replicas.
    pub(super) async fn ring(&self) -> Result<(), StoreError> {
        let mut session = self.database.ledger().await?;
        session.query(RING, &[&self.database.schema(), &"work"]).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_understood() {
        let (run, customer, node) = (RunId(7), CustomerKey(-3), NodeIndex(2));
        let (chunk, only) = (ChunkId { run, n: 4 }, DeliveryId::to_only_target(run, customer, node));
        assert_eq!(Told::payload(chunk, only), "again 7 4 -3 2", "as replicas of the version before read it");
        let other = DeliveryId { target: TargetId::from_number(i32::MAX).unwrap(), ..only };
        for id in [only, other] {
            let told = Told::parse(&Told::payload(chunk, id)).unwrap();
            assert_eq!((told.chunk, told.id), (chunk, id));
        }
        for other in ["work", "again", "again 1 2 3", "again 1 2 3 x", "again 1 2 3 4 x", "again 1 2 3 4 -1"]
        {
            assert!(Told::parse(other).is_none(), "{other}");
        }
    }
}

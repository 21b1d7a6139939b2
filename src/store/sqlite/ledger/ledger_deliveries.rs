//! The trait [`Deliveries`] on the ledger's file.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{delivery, delivery_columns};
use super::waiting::{self, made_in_chunk};
use super::{Ledger, window};
use crate::domain::delivery::DeliveryId;
use crate::domain::run_counts::JourneysElsewhere;
use crate::store::StoreError;
use crate::store::deliveries::{Committed, Deliveries, Delivery, Step};
use crate::store::runs::ChunkId;

#[async_trait]
impl Deliveries for Ledger {
    async fn commit(&self, step: Arc<Step>) -> Result<Committed, StoreError> {
        self.database.write(move |c| window::commit(c, &step)).await
    }

    async fn of_chunk(&self, chunk: ChunkId) -> Result<Vec<Delivery>, StoreError> {
        self.database.read(move |c| of_chunk(c, chunk)).await
    }

    async fn journeys_elsewhere(&self, chunk: ChunkId) -> Result<JourneysElsewhere, StoreError> {
        self.database.read(move |c| waiting::elsewhere(c, chunk)).await
    }

    async fn get(&self, ids: &[DeliveryId]) -> Result<Vec<Delivery>, StoreError> {
        let ids = ids.to_vec();
        self.database.read(move |c| ids.iter().filter_map(|id| get(c, *id).transpose()).collect()).await
    }
}

pub(super) fn of_chunk(connection: &Connection, chunk: ChunkId) -> rusqlite::Result<Vec<Delivery>> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        delivery_columns!(),
        " FROM chunk c JOIN delivery d ON ",
        made_in_chunk!(),
        " WHERE c.run = ?1 AND c.n = ?2 ORDER BY d.customer, d.node, d.target"
    ))?;
    statement.query_map(params![chunk.run.0, chunk.n], delivery)?.collect()
}

pub(super) fn get(connection: &Connection, id: DeliveryId) -> rusqlite::Result<Option<Delivery>> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        delivery_columns!(),
        " FROM delivery d WHERE d.run = ?1 AND d.customer = ?2 AND d.node = ?3 AND d.target = ?4"
    ))?;
    let key = params![id.run.0, id.customer.0, id.node.0, id.target.number()];
    statement.query_row(key, delivery).optional()
}

//! What a person decides about a held delivery: send it again, or leave it unknown for ever.

use jiff::Timestamp;
use tokio_postgres::types::ToSql;

use super::PostgresLedger;
use super::listen::RING;
use super::rows::{call_columns, get, small, unfinished_run};
use crate::domain::delivery::DeliveryId;
use crate::store::StoreError;
use crate::store::deliveries::{self, Deliveries, Step};
use crate::store::replicas::Told;
use crate::store::run_log::Reopened;
use crate::store::runs::ChunkId;

/// The customer's present address and message count: a person has decided that it may differ.
const RESEND: &str = "SELECT resend_3($1, $2, $3, $4, $5, $6)";

const CLOSE: &str = sql!(
    "
    WITH closed AS (
        UPDATE delivery d SET state = {delivery.unknown}, done_at = $6,
            reason = coalesce(d.reason || '; ', '') || 'closed by a person'
        WHERE d.accepted_at = $5 AND d.run = $1 AND d.customer = $2 AND d.node = $3 AND d.target = $4
            AND d.state = {delivery.held}
        RETURNING d.run),
    no_longer_pending AS (
        DELETE FROM pending_delivery p USING closed c
        WHERE p.run = $1 AND p.customer = $2 AND p.node = $3 AND p.target = $4 AND p.run = c.run)
    SELECT run FROM closed"
);

const FINISHED_CHUNK: &str = sql!(
    "SELECT n, position, counts FROM chunk
    WHERE run = $1 AND made_in_chunk_1(chunk, $2, $3) AND state = {chunk.done} AND counts IS NOT NULL"
);

/// Counted from what was read: if another close came between, its count is newer and this one is made anew.
const COUNT_ANEW: &str = sql!(
    "UPDATE chunk SET counts = $3 WHERE run = $1 AND n = $2 AND state = {chunk.done} AND counts = $4
    RETURNING n"
);

const RUN: &str = concat!(
    "SELECT r.id, r.scenario, r.state, r.stopping, ",
    call_columns!(),
    " FROM run r JOIN call c ON c.seq = r.call WHERE r.id = $1 AND c.seq = (SELECT call FROM run WHERE id = $1)"
);

/// How often a chunk is counted anew because another process counted it meanwhile.
const COUNTS_MAX: usize = 16;

impl PostgresLedger {
    pub(super) async fn send_again(
        &self,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Option<Reopened>, StoreError> {
        let accepted_at = self.accepted_at(id.run).await?;
        let (node, target) = (i32::from(id.node.0), id.target.number());
        let mut session = self.database.ledger().await?;
        let values: [&(dyn ToSql + Sync); 6] =
            [&id.run.0, &id.customer.0, &node, &target, &accepted_at, &now.as_microsecond()];
        let row = session.one(RESEND, &values).await?;
        let Some(n) = get::<Option<i32>>(&row, 0)? else { return Ok(None) };
        let run = session.one(RUN, &[&id.run.0]).await?;
        let chunk = ChunkId { run: id.run, n: small(n.into())? };
        session.query(RING, &[&self.database.schema(), &Told::payload(chunk, id)]).await?;
        Ok(Some(Reopened { run: unfinished_run(&run)?, chunk }))
    }

    /// A finished chunk is counted anew, so that its run still adds up.
    pub(super) async fn close_one(&self, id: DeliveryId, now: Timestamp) -> Result<bool, StoreError> {
        let accepted_at = self.accepted_at(id.run).await?;
        let (node, target) = (i32::from(id.node.0), id.target.number());
        let values: [&(dyn ToSql + Sync); 6] =
            [&id.run.0, &id.customer.0, &node, &target, &accepted_at, &now.as_microsecond()];
        let closed = self.database.ledger().await?.first(CLOSE, &values).await?.is_some();
        if closed {
            self.count_anew(id).await?;
        }
        Ok(closed)
    }

    /// Outcomes came of deliveries that were held: their chunks may be finished, and then count them as held.
    pub(super) async fn count_told(&self, step: &Step) -> Result<(), StoreError> {
        for outcome in &step.outcomes {
            self.count_anew(outcome.id).await?;
        }
        Ok(())
    }

    async fn count_anew(&self, id: DeliveryId) -> Result<(), StoreError> {
        for _ in 0..COUNTS_MAX {
            if self.count_chunk_of(id).await? {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable("others keep counting the chunk; its counts are not yet right".into()))
    }

    /// Whether the counts of the delivery's chunk are right now; false if another process counted meanwhile.
    async fn count_chunk_of(&self, id: DeliveryId) -> Result<bool, StoreError> {
        let found = {
            let mut session = self.database.ledger().await?;
            session.first(FINISHED_CHUNK, &[&id.run.0, &id.customer.0, &i32::from(id.node.0)]).await?
        };
        let Some(row) = found else { return Ok(true) };
        let n: i32 = get(&row, 0)?;
        let (position, written) = (small::<usize>(get(&row, 1)?)?, get::<&str>(&row, 2)?);
        let before = super::run_log::run_counts(written)?;
        let chunk = ChunkId { run: id.run, n: small(n.into())? };
        let (keys, rows) = (self.chunk_customers(chunk).await?, self.of_chunk(chunk).await?);
        let elsewhere = self.elsewhere(chunk).await?;
        let counts = deliveries::count_anew(&before, &rows, &elsewhere, &keys, position).written();
        let mut session = self.database.ledger().await?;
        Ok(session.first(COUNT_ANEW, &[&id.run.0, &n, &counts, &written]).await?.is_some())
    }
}

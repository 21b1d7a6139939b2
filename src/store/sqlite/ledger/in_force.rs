//! What was in force last and who holds the tenant, on SQLite: one row each.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::OptionalExtension as _;

use super::Ledger;
use crate::domain::name::VersionId;
use crate::store::StoreError;
use crate::store::in_force::{Holder, InForce, InForceRecord};

const PUT: &str = "INSERT INTO in_force (one, version, credentials, since) VALUES (1, ?1, ?2, ?3)
    ON CONFLICT (one) DO UPDATE SET version = ?1, credentials = ?2, since = ?3";
const HOLD: &str = "INSERT INTO holder (one, cluster, namespace, since) VALUES (1, ?1, ?2, ?3)
    ON CONFLICT (one) DO UPDATE SET cluster = ?1, namespace = ?2, since = ?3
    WHERE cluster = ?4 AND namespace = ?5";
const HOLDER: &str = "SELECT cluster, namespace FROM holder";

#[async_trait]
impl InForce for Ledger {
    async fn put_in_force(&self, record: &InForceRecord, now: Timestamp) -> Result<(), StoreError> {
        let InForceRecord { version, credentials } = record.clone();
        let put = move |connection: &rusqlite::Connection| {
            let row = (version.as_str(), credentials, now.as_microsecond());
            connection.prepare_cached(PUT)?.execute(row).map(drop)
        };
        self.database.write(put).await
    }

    async fn get_in_force(&self) -> Result<Option<InForceRecord>, StoreError> {
        let get = |connection: &rusqlite::Connection| {
            let record = |row: &rusqlite::Row<'_>| {
                let version = VersionId::new(row.get::<_, String>(0)?);
                Ok(InForceRecord { version, credentials: row.get(1)? })
            };
            connection.query_row("SELECT version, credentials FROM in_force", [], record).optional()
        };
        self.database.read(get).await
    }

    async fn hold(
        &self,
        holder: &Holder,
        from: Option<&Holder>,
        now: Timestamp,
    ) -> Result<Holder, StoreError> {
        let (holder, from) = (holder.clone(), from.unwrap_or(holder).clone());
        let hold = move |connection: &rusqlite::Connection| {
            let row =
                (&holder.cluster, &holder.namespace, now.as_microsecond(), &from.cluster, &from.namespace);
            connection.execute(HOLD, row)?;
            connection
                .query_row(HOLDER, [], |row| Ok(Holder { cluster: row.get(0)?, namespace: row.get(1)? }))
        };
        self.database.write(hold).await
    }
}

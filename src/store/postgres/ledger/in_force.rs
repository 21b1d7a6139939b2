//! What was in force last and who holds the tenant, on PostgreSQL: one row each.

use async_trait::async_trait;
use jiff::Timestamp;

use super::PostgresLedger;
use super::rows::get;
use crate::domain::name::VersionId;
use crate::store::StoreError;
use crate::store::in_force::{Holder, InForce, InForceRecord};

const PUT: &str = "INSERT INTO in_force (one, version, credentials, since) VALUES (1, $1, $2, $3)
    ON CONFLICT (one) DO UPDATE SET version = $1, credentials = $2, since = $3";
const HOLD: &str = "INSERT INTO holder AS held (one, cluster, namespace, since) VALUES (1, $1, $2, $3)
    ON CONFLICT (one) DO UPDATE SET cluster = $1, namespace = $2, since = $3
    WHERE held.cluster = $4 AND held.namespace = $5";

#[async_trait]
impl InForce for PostgresLedger {
    async fn put_in_force(&self, record: &InForceRecord, now: Timestamp) -> Result<(), StoreError> {
        let mut session = self.database.ledger().await?;
        let row: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&record.version.as_str(), &record.credentials, &now.as_microsecond()];
        session.query(PUT, &row).await.map(drop)
    }

    async fn get_in_force(&self) -> Result<Option<InForceRecord>, StoreError> {
        let mut session = self.database.ledger().await?;
        let Some(row) = session.first("SELECT version, credentials FROM in_force", &[]).await? else {
            return Ok(None);
        };
        let version = VersionId::new(get::<&str>(&row, 0)?);
        Ok(Some(InForceRecord { version, credentials: get(&row, 1)? }))
    }

    async fn hold(
        &self,
        holder: &Holder,
        from: Option<&Holder>,
        now: Timestamp,
    ) -> Result<Holder, StoreError> {
        let from = from.unwrap_or(holder);
        let mut session = self.database.ledger().await?;
        let since = now.as_microsecond();
        let row: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&holder.cluster, &holder.namespace, &since, &from.cluster, &from.namespace];
        session.query(HOLD, &row).await?;
        let row = session.one("SELECT cluster, namespace FROM holder", &[]).await?;
        Ok(Holder { cluster: get(&row, 0)?, namespace: get(&row, 1)? })
    }
}

//! Pauses on PostgreSQL: a row each.

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::PostgresLedger;
use super::rows::get;
use crate::domain::pause::{Pause, PauseScope};
use crate::store::StoreError;
use crate::store::pauses::{PAUSES_MAX, PauseBook};

const PUT: &str = "INSERT INTO pause (kind, name, who, reason, since)
    SELECT $1::text, $2::text, $3::text, $4::text, $5::bigint
    WHERE (SELECT count(*) FROM pause) < $6 ON CONFLICT (kind, name) DO NOTHING";
const GET: &str = "SELECT kind, name, who, reason, since FROM pause WHERE kind = $1 AND name = $2";
const DELETE: &str =
    "DELETE FROM pause WHERE kind = $1 AND name = $2 RETURNING kind, name, who, reason, since";
const ALL: &str =
    "SELECT kind, name, who, reason, since FROM pause ORDER BY since, kind COLLATE \"C\", name COLLATE \"C\"";

#[async_trait]
impl PauseBook for PostgresLedger {
    async fn pause(&self, pause: &Pause) -> Result<Option<Pause>, StoreError> {
        let mut session = self.database.ledger().await?;
        let (kind, name) = (pause.scope.kind(), pause.scope.name());
        let (since, most) = (pause.since.as_microsecond(), i64::try_from(PAUSES_MAX).unwrap_or(i64::MAX));
        let row: [&(dyn ToSql + Sync); 6] = [&kind, &name, &pause.who, &pause.reason, &since, &most];
        session.query(PUT, &row).await?;
        let kept = session.first(GET, &[&kind, &name]).await?;
        kept.map(|row| pause_of(&row)).transpose().map(Option::flatten)
    }

    async fn resume(&self, scope: &PauseScope) -> Result<Option<Pause>, StoreError> {
        let mut session = self.database.ledger().await?;
        let ended = session.first(DELETE, &[&scope.kind(), &scope.name()]).await?;
        ended.map(|row| pause_of(&row)).transpose().map(Option::flatten)
    }

    async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        let mut session = self.database.ledger().await?;
        let rows = session.query(ALL, &[]).await?;
        rows.iter().filter_map(|row| pause_of(row).transpose()).collect()
    }
}

/// `None` for a kind that a newer version wrote.
fn pause_of(row: &Row) -> Result<Option<Pause>, StoreError> {
    let (kind, name): (&str, &str) = (get(row, 0)?, get(row, 1)?);
    let since = Timestamp::from_microsecond(get(row, 4)?).unwrap_or(Timestamp::UNIX_EPOCH);
    let Some(scope) = PauseScope::read(kind, name) else { return Ok(None) };
    Ok(Some(Pause { scope, who: get(row, 2)?, reason: get(row, 3)?, since }))
}

//! Pauses on SQLite: a row each.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row};

use super::Ledger;
use crate::domain::pause::{Pause, PauseScope};
use crate::store::StoreError;
use crate::store::pauses::{PAUSES_MAX, PauseBook};

const PUT: &str = "INSERT INTO pause (kind, name, who, reason, since) SELECT ?1, ?2, ?3, ?4, ?5
    WHERE (SELECT count(*) FROM pause) < ?6 ON CONFLICT (kind, name) DO NOTHING";
const GET: &str = "SELECT kind, name, who, reason, since FROM pause WHERE kind = ?1 AND name = ?2";
const DELETE: &str =
    "DELETE FROM pause WHERE kind = ?1 AND name = ?2 RETURNING kind, name, who, reason, since";
const ALL: &str = "SELECT kind, name, who, reason, since FROM pause ORDER BY since, kind, name";

#[async_trait]
impl PauseBook for Ledger {
    async fn pause(&self, pause: &Pause) -> Result<Option<Pause>, StoreError> {
        let pause = pause.clone();
        let put = move |connection: &rusqlite::Connection| {
            let (kind, name) = (pause.scope.kind(), pause.scope.name());
            let most = i64::try_from(PAUSES_MAX).unwrap_or(i64::MAX);
            let row = (kind, name, &pause.who, &pause.reason, pause.since.as_microsecond(), most);
            connection.prepare_cached(PUT)?.execute(row)?;
            connection.prepare_cached(GET)?.query_row((kind, name), pause_of).optional()
        };
        self.database.write(put).await.map(Option::flatten)
    }

    async fn resume(&self, scope: &PauseScope) -> Result<Option<Pause>, StoreError> {
        let scope = scope.clone();
        let delete = move |connection: &rusqlite::Connection| {
            let named = (scope.kind(), scope.name());
            connection.prepare_cached(DELETE)?.query_row(named, pause_of).optional()
        };
        self.database.write(delete).await.map(Option::flatten)
    }

    async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        let all = |connection: &rusqlite::Connection| {
            let mut statement = connection.prepare_cached(ALL)?;
            statement.query_map([], pause_of)?.collect::<Result<Vec<_>, _>>()
        };
        Ok(self.database.read(all).await?.into_iter().flatten().collect())
    }
}

/// `None` for a kind that a newer version wrote.
fn pause_of(row: &Row<'_>) -> rusqlite::Result<Option<Pause>> {
    let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
    let since = Timestamp::from_microsecond(row.get(4)?).unwrap_or(Timestamp::UNIX_EPOCH);
    let (who, reason) = (row.get(2)?, row.get(3)?);
    Ok(PauseScope::read(&kind, &name).map(|scope| Pause { scope, who, reason, since }))
}

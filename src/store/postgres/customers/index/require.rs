//! Which indexes are needed, as the scenarios in force of all living replicas say together; and how far each is.
//!
//! While replicas are replaced one by one, the scenarios of old and new ones differ for a moment. So a need is noted
//! with who has it, and renewed: an index is unneeded once no replica has needed it for a minute, or has taken it
//! back. Only who says what it needs judges that, so that nothing is lost while all replicas are away.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::Mutex;

use super::registry::side_indexes;
use crate::domain::selection::IndexNeed;
use crate::store::StoreError;
use crate::store::audiences::{IndexProgress, IndexState};
use crate::store::postgres::PostgresDatabase;
use crate::store::side_index::{SideIndex, definition};

const REQUIRE: &str = "SELECT require_indexes($1, $2)";
const STATES: &str = sql!(
    "SELECT id, definition, state::bigint, filled_to, unneeded_since IS NULL,
     (SELECT max(key) FROM customer) FROM side_index WHERE state <> {side_index.dropping} ORDER BY id"
);

/// How often a replica says again what it needs; the database forgets it after a minute.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// What this replica needs.
#[derive(Debug)]
pub(in crate::store::postgres::customers) struct Needs {
    replica: String,
    /// None until it was said for the first time. Held while it is being said, so that it is never taken back by
    /// what was said before.
    definitions: Mutex<Option<Vec<String>>>,
}

impl Needs {
    /// Nothing is said yet.
    pub(in crate::store::postgres::customers) fn new() -> Self {
        Needs { replica: uuid::Uuid::now_v7().to_string(), definitions: Mutex::new(None) }
    }

    /// Makes these the needs of this replica.
    pub(in crate::store::postgres::customers) async fn require(
        &self,
        database: &PostgresDatabase,
        needs: &BTreeSet<IndexNeed>,
    ) -> Result<(), StoreError> {
        let mut definitions = self.definitions.lock().await;
        let new: Vec<String> = needs.iter().map(definition).collect();
        self.say(database, &new).await?;
        *definitions = Some(new);
        Ok(())
    }

    /// Says again and again what is needed; never returns.
    pub(super) async fn renew(&self, database: &PostgresDatabase) {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            let definitions = self.definitions.lock().await;
            if let Some(definitions) = &*definitions
                && let Err(error) = self.say(database, definitions).await
            {
                tracing::warn!(%error, "the need of indexes could not be renewed; trying again");
            }
        }
    }

    async fn say(&self, database: &PostgresDatabase, definitions: &[String]) -> Result<(), StoreError> {
        database.customers_soon().await?.query(REQUIRE, &[&self.replica, &definitions]).await.map(drop)
    }
}

/// How far each index is, in the order of the needs.
pub(in crate::store::postgres::customers) async fn states(
    database: &PostgresDatabase,
) -> Result<Vec<IndexState>, StoreError> {
    let rows = database.customers_soon().await?.query(STATES, &[]).await?;
    let last = rows.first().and_then(|row| row.get::<_, Option<i64>>(5));
    let state = |index: SideIndex| {
        let filled = last.map_or(1.0, |last| (index.filled_to.max(0) as f64 / last.max(1) as f64).min(1.0));
        let progress = match (index.needed, index.complete) {
            (false, _) => IndexProgress::Unneeded,
            (true, true) => IndexProgress::Complete,
            (true, false) => IndexProgress::Filling(filled),
        };
        IndexState { need: index.need, progress }
    };
    let mut states: Vec<IndexState> = side_indexes(&rows)?.into_iter().map(state).collect();
    states.sort_by(|left, right| left.need.cmp(&right.need));
    Ok(states)
}

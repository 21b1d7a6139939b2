//! One connection, lent: every statement has a deadline, and a connection that missed one, or whose asker went away in
//! the midst of one, is never used again. Nor are those that lie idle beside one that missed it.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Transaction;
use tokio::sync::OwnedSemaphorePermit;
use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, Row};

use super::error::{spoils_connection, store_error, trouble};
use super::pool::Object;
use crate::store::StoreError;
use crate::store::trouble::Trouble;

/// Values to be bound, in the order of their numbers.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// How long the server may take for what costs it nothing; whatever swallowed the connection says nothing at all.
const NOTHING_TIME_MAX: Duration = Duration::from_secs(3);
/// A write of nothing, whose commit comes behind all others.
const KEPT: &str = "SELECT pg_logical_emit_message(true, 'fanfare', '') IS NULL";

/// A lent connection. It goes back to its pool when it is dropped, unless it has failed.
pub(super) struct Session {
    connection: Option<Object>,
    time_max: Duration,
    /// Whether a statement has no answer yet. Still so when it is dropped, its asker gave it up.
    is_asking: bool,
    /// What statements have been refused of late.
    trouble: Arc<Trouble>,
    /// A place among those who may do the same at once, free when this is dropped.
    _place: Option<OwnedSemaphorePermit>,
}

impl Session {
    pub(super) fn new(connection: Object, time_max: Duration, trouble: &Arc<Trouble>) -> Self {
        let trouble = Arc::clone(trouble);
        Session { connection: Some(connection), time_max, is_asking: false, trouble, _place: None }
    }

    /// The same, with a place that it holds.
    pub(super) fn with_place(mut self, place: OwnedSemaphorePermit) -> Self {
        self._place = Some(place);
        self
    }

    /// All rows.
    pub(super) async fn query(
        &mut self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.ask(sql, params).await.map_err(|error| error.to_store_error())
    }

    /// The first row, if there is one.
    pub(super) async fn first(
        &mut self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// The only row of a statement that always gives one.
    pub(super) async fn one(&mut self, sql: &'static str, params: Params<'_>) -> Result<Row, StoreError> {
        self.first(sql, params)
            .await?
            .ok_or_else(|| StoreError::Unavailable("a statement that gives one row gave none".into()))
    }

    /// Like [`Self::query`], keeping apart what the schema's functions raise.
    pub(super) async fn ask(&mut self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, Failed> {
        let connection = self.connection.as_ref().ok_or(Failed::Late)?;
        let asking = async {
            let statement = connection.prepare_cached(sql).await?;
            connection.query(&statement, params).await
        };
        self.is_asking = true;
        let result = match tokio::time::timeout(self.time_max, asking).await {
            Ok(result) => result.map_err(Failed::Postgres),
            Err(_) => Err(Failed::Late),
        };
        self.is_asking = false;
        self.judge(result.as_ref().err());
        match &result {
            Ok(_) => self.trouble.succeeded(sql),
            Err(Failed::Postgres(error)) => {
                if let Some(words) = trouble(error) {
                    self.trouble.failed(sql, words);
                }
            }
            Err(Failed::Late) => {}
        }
        result
    }

    /// Runs statements without parameters, one after the other.
    pub(super) async fn run(&mut self, sql: &str) -> Result<(), StoreError> {
        self.run_within(sql, self.time_max).await
    }

    /// Runs statements that may take longer than others of the session.
    pub(super) async fn run_long(&mut self, sql: &str, time_max: Duration) -> Result<(), StoreError> {
        self.run_within(sql, time_max).await
    }

    /// Waits until all that this server shows is where its commits go: on its own disk, and on the standbys' that it waits
    /// for. A statement that was cancelled while it waited for one is seen at once, and would be lost with the server.
    pub(super) async fn until_all_is_kept(&mut self) -> Result<(), StoreError> {
        self.one(KEPT, &[]).await.map(drop)
    }

    /// Hears that the connection lives, before a caller waits long for it.
    pub(super) async fn check(&mut self) -> Result<(), StoreError> {
        self.run_within("", NOTHING_TIME_MAX.min(self.time_max)).await
    }

    async fn run_within(&mut self, sql: &str, time_max: Duration) -> Result<(), StoreError> {
        let connection = self.connection.as_ref().ok_or_else(|| Failed::Late.to_store_error())?;
        self.is_asking = true;
        let result = match tokio::time::timeout(time_max, connection.batch_execute(sql)).await {
            Ok(result) => result.map_err(Failed::Postgres),
            Err(_) => Err(Failed::Late),
        };
        self.is_asking = false;
        self.judge(result.as_ref().err());
        result.map_err(|error| error.to_store_error())
    }

    /// Opens a snapshot that several statements read; it ends when it is dropped. The caller judges how it failed.
    pub(super) async fn snapshot(&mut self) -> Result<Transaction<'_>, Failed> {
        let connection = self.connection.as_mut().ok_or(Failed::Late)?;
        let snapshot = connection.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let opened = tokio::time::timeout(NOTHING_TIME_MAX, snapshot.read_only(true).start()).await;
        opened.map_or(Err(Failed::Late), |opened| opened.map_err(Failed::Postgres))
    }

    /// How long a statement may take.
    pub(super) fn time_max(&self) -> Duration {
        self.time_max
    }

    /// Throws the connection away if the failure spoils it. Whatever kept an answer back may have swallowed the idle
    /// connections as well, each of which would cost a caller its deadline: so they go with it, and others are made.
    pub(super) fn judge(&mut self, failed: Option<&Failed>) {
        if matches!(failed, Some(Failed::Late)) {
            let pool = self.connection.as_ref().and_then(Object::pool);
            drop(pool.map(|pool| pool.retain(|_, _| false)));
        }
        if failed.is_some_and(Failed::spoils) {
            self.give_up(matches!(failed, Some(Failed::Late)));
        }
    }

    /// Takes the connection out of its pool and closes it: whatever it still does ends with it.
    pub(super) fn throw_away(&mut self) {
        self.give_up(self.is_asking);
    }

    fn give_up(&mut self, is_asking: bool) {
        if let Some(connection) = self.connection.take() {
            Object::take(connection).give_up(is_asking);
        }
    }
}

impl Drop for Session {
    /// The next user of the connection would wait behind a statement that has been given up.
    fn drop(&mut self) {
        if self.is_asking {
            self.throw_away();
        }
    }
}

/// Why a statement gave nothing.
#[derive(Debug)]
pub(super) enum Failed {
    /// The server or the way to it failed.
    Postgres(tokio_postgres::Error),
    /// It did not answer in time.
    Late,
}

impl Failed {
    pub(super) fn to_store_error(&self) -> StoreError {
        match self {
            Failed::Postgres(error) => store_error(error),
            Failed::Late => StoreError::Unavailable("PostgreSQL did not answer in time".into()),
        }
    }

    /// Whether the connection is of no use any more, or may be in the midst of something.
    pub(super) fn spoils(&self) -> bool {
        match self {
            Failed::Postgres(error) => spoils_connection(error),
            Failed::Late => true,
        }
    }
}

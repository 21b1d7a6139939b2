//! One connection, lent: every statement has a deadline, and a connection that missed one, or whose asker went away in
//! the midst of one, is never used again.

use std::time::Duration;

use deadpool_postgres::{Object, Transaction};
use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, Row};

use super::error::store_error;
use crate::store::StoreError;

/// Values to be bound, in the order of their numbers.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A lent connection. It goes back to its pool when it is dropped, unless it has failed.
pub(super) struct Session {
    connection: Option<Object>,
    time_max: Duration,
    /// Whether a statement has no answer yet. Still so when it is dropped, its asker gave it up.
    is_asking: bool,
}

impl Session {
    pub(super) fn new(connection: Object, time_max: Duration) -> Self {
        Session { connection: Some(connection), time_max, is_asking: false }
    }

    /// All rows.
    pub(super) async fn query(
        &mut self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.ask(sql, params).await.map_err(|error| error.into_store_error())
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
        if result.as_ref().is_err_and(Failed::spoils) {
            self.throw_away();
        }
        result
    }

    /// Runs statements without parameters, one after the other.
    pub(super) async fn run(&mut self, sql: &str) -> Result<(), StoreError> {
        let connection = self.connection.as_ref().ok_or_else(|| Failed::Late.into_store_error())?;
        self.is_asking = true;
        let result = match tokio::time::timeout(self.time_max, connection.batch_execute(sql)).await {
            Ok(result) => result.map_err(Failed::Postgres),
            Err(_) => Err(Failed::Late),
        };
        self.is_asking = false;
        if result.as_ref().is_err_and(Failed::spoils) {
            self.throw_away();
        }
        result.map_err(|error| error.into_store_error())
    }

    /// Opens a snapshot that several statements read; it ends when it is dropped. Whoever waits for it sees to the
    /// deadline.
    pub(super) async fn snapshot(&mut self) -> Result<Transaction<'_>, Failed> {
        let connection = self.connection.as_mut().ok_or(Failed::Late)?;
        let snapshot = connection.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        snapshot.read_only(true).start().await.map_err(Failed::Postgres)
    }

    /// How long a statement may take.
    pub(super) fn time_max(&self) -> Duration {
        self.time_max
    }

    /// Takes the connection out of its pool and closes it: whatever it still does ends with it.
    pub(super) fn throw_away(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Object::take(connection));
        }
    }
}

impl Drop for Session {
    /// Whoever is lent a connection next would wait behind a statement that nobody waits for.
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
    pub(super) fn into_store_error(self) -> StoreError {
        match self {
            Failed::Postgres(error) => store_error(&error),
            Failed::Late => StoreError::Unavailable("PostgreSQL did not answer in time".into()),
        }
    }

    /// Whether the connection is of no use any more, or may be in the midst of something.
    pub(super) fn spoils(&self) -> bool {
        match self {
            Failed::Postgres(error) => {
                error.is_closed() || error.as_db_error().is_none() || store_error(error).is_transient()
            }
            Failed::Late => true,
        }
    }
}

//! One snapshot of the database, read from a thread that may block.
//!
//! Reading customers is mostly taking documents apart, which must not hold up the runtime's own threads: so the whole
//! of it runs beside them, as on SQLite, and waits there for the server.

use std::cell::RefCell;
use std::future::Future;
use std::time::Duration;

use deadpool_postgres::Transaction;
use futures_util::{TryStreamExt, pin_mut};
use tokio::runtime::Handle;
use tokio_postgres::{Portal, Row, RowStream};

use crate::store::StoreError;
use crate::store::postgres::session::{Failed, Params, Session};

/// Who reads every customer reads the table from its beginning to its end.
const BY_TABLE: &str = "SET LOCAL enable_seqscan = on; SET LOCAL random_page_cost = 4";
/// Everything else is found by an index, as it is in every session.
const BY_INDEX: &str = "SET LOCAL enable_seqscan TO DEFAULT; SET LOCAL random_page_cost TO DEFAULT";

/// A snapshot, for as long as it is borrowed.
pub(super) struct Reading<'a> {
    transaction: Transaction<'a>,
    runtime: Handle,
    time_max: Duration,
    /// The first failure that spoils the connection.
    spoiled_by: RefCell<Option<Failed>>,
}

/// Runs several statements on one snapshot, each within the session's time.
pub(super) async fn in_snapshot<T, F>(mut session: Session, work: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce(&Reading<'_>) -> Result<T, StoreError> + Send + 'static,
{
    let runtime = Handle::current();
    let task = tokio::task::spawn_blocking(move || {
        let time_max = session.time_max();
        let (result, spoiled_by) = match runtime.block_on(session.snapshot()) {
            Err(failed) => (Err(failed.to_store_error()), Some(failed)),
            Ok(transaction) => {
                let spoiled_by = RefCell::default();
                let reading = Reading { transaction, runtime: runtime.clone(), time_max, spoiled_by };
                let result = work(&reading);
                // It wrote nothing: that it is dropped, and so rolled back, is its end.
                (result, reading.spoiled_by.take())
            }
        };
        session.judge(spoiled_by.as_ref());
        result
    });
    task.await.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
}

impl Reading<'_> {
    /// All rows.
    pub(super) fn rows(&self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        self.wait(async {
            let statement = self.transaction.prepare_cached(sql).await?;
            self.transaction.query(&statement, params).await
        })
    }

    /// Each row, none kept; answers false without the rest of them if there are more than `most`.
    pub(super) fn up_to(
        &self,
        most: usize,
        sql: &'static str,
        params: Params<'_>,
        mut on_row: impl FnMut(&Row) -> Result<(), StoreError>,
    ) -> Result<bool, StoreError> {
        let (mut count, mut result) = (0, Ok(()));
        self.wait(async {
            let statement = self.transaction.prepare_cached(sql).await?;
            let rows: RowStream = match most.checked_add(1).map(i32::try_from) {
                Some(Ok(rows_max)) => {
                    let portal = self.transaction.bind(&statement, params).await?;
                    self.transaction.query_portal_raw(&portal, rows_max).await?
                }
                // The server counts no further than this: all of them, then.
                _ => self.transaction.query_raw(&statement, params.iter().copied()).await?,
            };
            pin_mut!(rows);
            while let Some(row) = rows.try_next().await? {
                count += 1;
                if count > most || result.is_err() {
                    break;
                }
                result = on_row(&row);
            }
            Ok(())
        })?;
        result.map(|()| count <= most)
    }

    /// Begins a statement that reads a whole table. Its rows are asked for some at a time, and other statements may
    /// be run between.
    pub(super) fn open(&self, sql: &'static str) -> Result<Portal, StoreError> {
        self.wait(async {
            self.transaction.batch_execute(BY_TABLE).await?;
            let statement = self.transaction.prepare_cached(sql).await?;
            let portal = self.transaction.bind(&statement, &[]).await?;
            self.transaction.batch_execute(BY_INDEX).await?;
            Ok(portal)
        })
    }

    /// The next rows; none at the end.
    pub(super) fn step(&self, portal: &Portal, rows_max: i32) -> Result<Vec<Row>, StoreError> {
        self.wait(self.transaction.query_portal(portal, rows_max))
    }

    fn wait<T>(
        &self,
        asking: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        let answer = self.runtime.block_on(async { tokio::time::timeout(self.time_max, asking).await });
        let result = answer.map_or(Err(Failed::Late), |answer| answer.map_err(Failed::Postgres));
        result.map_err(|failed| {
            let error = failed.to_store_error();
            if failed.spoils() {
                self.spoiled_by.borrow_mut().get_or_insert(failed);
            }
            error
        })
    }
}

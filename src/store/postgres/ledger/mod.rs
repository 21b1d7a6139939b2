//! The ledger on PostgreSQL: calls, runs, chunks, leases, keys and deliveries of one tenant.
//!
//! One file a concern; each implements that concern's trait of `store` on the same [`PostgresDatabase`].

mod calls;
mod channel_rates;
mod chunks;
mod deliveries;
mod held;
mod in_force;
mod listen;
mod maintenance;
mod partitions;
mod pauses;
mod removal;
mod replicas;
mod rows;
mod run_log;
mod runs;
mod runs_known;
mod waiting;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::calls::Acceptor;
use self::listen::Heard;
use self::maintenance::maintain;
use self::runs_known::RunsKnown;
use super::PostgresDatabase;
use crate::store::StoreError;
use crate::store::replicas::Told;

/// The ledger of one tenant. Share it by `Arc`.
#[derive(Debug)]
pub struct PostgresLedger {
    database: Arc<PostgresDatabase>,
    acceptor: Acceptor,
    /// Told after every commit of new calls, here or on another replica.
    arrived: Arc<Notify>,
    /// Told when another replica has left something that others may take up.
    work: Arc<Notify>,
    /// What other replicas tell about single deliveries.
    hears: tokio::sync::Mutex<mpsc::Receiver<Told>>,
    known: RunsKnown,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    stop: DropGuard,
}

impl PostgresLedger {
    /// Takes up the database's ledger. Must be called within a tokio runtime, where partitions are made ahead and
    /// other replicas are listened to until [`Self::close`].
    ///
    /// # Errors
    /// See [`StoreError`]; there is no partition for today's deliveries yet, and none can be made.
    pub async fn open(database: Arc<PostgresDatabase>) -> Result<Self, StoreError> {
        let (arrived, work, stop) =
            (Arc::new(Notify::new()), Arc::new(Notify::new()), CancellationToken::new());
        partitions::make_ahead(&database, jiff::Timestamp::now()).await?;
        let (acceptor, accepting) = Acceptor::start(Arc::clone(&database), Arc::clone(&arrived));
        let (told, hears) = mpsc::channel(listen::TOLD_MAX);
        let heard = Heard { work: Arc::clone(&work), told };
        let listening = listen::listen(Arc::clone(&database), heard, stop.clone());
        let background_task = maintain(Arc::clone(&database), stop.clone());
        let tasks = vec![accepting, tokio::spawn(listening), tokio::spawn(background_task)];
        Ok(PostgresLedger {
            database,
            acceptor,
            arrived,
            work,
            hears: tokio::sync::Mutex::new(hears),
            known: RunsKnown::default(),
            tasks: Mutex::new(tasks),
            stop: stop.drop_guard(),
        })
    }

    /// Commits what is queued, and ends what runs beside.
    pub async fn close(&self) {
        self.acceptor.close();
        self.stop.token().cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a part of the ledger ended by a panic");
            }
        }
    }
}

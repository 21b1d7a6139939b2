//! The data folder: both databases and the generated credentials, for one process at a time.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::credentials::{Credentials, CredentialsError};
use crate::store::sqlite::{Ledger, OpenError, SqliteCustomers};

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// It cannot be made or locked.
    #[error("cannot use {} as data folder: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Two writers would each believe to be alone.
    #[error("another process uses {}; stop it, or give another folder with --data", .0.display())]
    InUse(PathBuf),
    /// A database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The credentials cannot be read.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

/// Everything in it, open.
pub struct DataFolder {
    /// Calls, runs and deliveries.
    pub ledger: Ledger,
    /// Customers, events and their indexes.
    pub customers: Arc<SqliteCustomers>,
    /// Generated credentials.
    pub credentials: Credentials,
    _lock: File,
}

impl DataFolder {
    /// Makes or opens it. The system gives up the lock when the process ends, however it ends.
    ///
    /// # Errors
    /// See [`DataFolderError`].
    pub fn open(path: &Path) -> Result<Self, DataFolderError> {
        let failed = |source| DataFolderError::Io { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let lock = File::create(path.join("lock")).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => DataFolderError::InUse(path.to_owned()),
            TryLockError::Error(source) => failed(source),
        })?;
        Ok(DataFolder {
            ledger: Ledger::open(path)?,
            customers: Arc::new(SqliteCustomers::open(&path.join("customers.db"))?),
            credentials: Credentials::read(path)?,
            _lock: lock,
        })
    }

    /// Commits what is queued and closes both databases.
    pub async fn close(&self) {
        self.ledger.close().await;
        self.customers.close().await;
    }
}

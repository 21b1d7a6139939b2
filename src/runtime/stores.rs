//! The stores a process works on: two SQLite files in a folder, or one tenant of a PostgreSQL database.
//!
//! Their opener closes them, once nothing works on them any more.

use std::path::Path;
use std::sync::Arc;

use crate::store::StoreError;
use crate::store::audiences::Audiences;
use crate::store::calls::Calls;
use crate::store::channel_rates::ChannelRates;
use crate::store::customers::Customers;
use crate::store::deliveries::Deliveries;
use crate::store::in_force::InForce;
use crate::store::pauses::PauseBook;
use crate::store::postgres::{
    self, PostgresAddress, PostgresCustomers, PostgresDatabase, PostgresLedger, Tenant, TenantError,
};
use crate::store::replicas::Replicas;
use crate::store::retention::RetentionStore;
use crate::store::run_log::RunLog;
use crate::store::runs::Runs;
use crate::store::sqlite::{Ledger, SqliteCustomers, SqliteOpenError};

/// Why there is nothing to work on.
#[derive(Debug, thiserror::Error)]
pub enum StoresError {
    /// A file cannot be opened.
    #[error(transparent)]
    Sqlite(#[from] SqliteOpenError),
    /// The database cannot be used.
    #[error(transparent)]
    Postgres(#[from] postgres::PostgresOpenError),
    /// The namespace cannot be a tenant.
    #[error(transparent)]
    Tenant(#[from] TenantError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Every concern of the store, on one database.
pub struct Stores {
    /// Calls and versions.
    pub calls: Arc<dyn Calls>,
    /// Runs and chunks.
    pub runs: Arc<dyn Runs>,
    /// Deliveries.
    pub deliveries: Arc<dyn Deliveries>,
    /// Runs and deliveries as people see them.
    pub log: Arc<dyn RunLog>,
    /// What replicas share.
    pub replicas: Arc<dyn Replicas>,
    /// Where channels' starts are given out, if replicas share them.
    pub rates: Option<Arc<dyn ChannelRates>>,
    /// What was in force last, and whose the tenant is.
    pub in_force: Arc<dyn InForce>,
    /// What people have paused.
    pub pauses: Arc<dyn PauseBook>,
    /// Where calls grow old.
    pub old_calls: Arc<dyn RetentionStore>,
    /// Where events grow old.
    pub old_events: Arc<dyn RetentionStore>,
    /// Customers and events.
    pub customers: Arc<dyn Customers>,
    /// Audiences and their indexes.
    pub audiences: Arc<dyn Audiences>,
    held: Held,
}

/// What must be closed.
enum Held {
    Sqlite {
        ledger: Ledger,
        customers: Arc<SqliteCustomers>,
    },
    Postgres {
        database: Arc<PostgresDatabase>,
        ledger: Arc<PostgresLedger>,
        customers: Arc<PostgresCustomers>,
    },
}

impl Stores {
    /// Opens or creates the files in the folder.
    ///
    /// # Errors
    /// See [`StoresError`].
    pub fn in_folder(folder: &Path) -> Result<Self, StoresError> {
        let ledger = Ledger::open(folder)?;
        let customers = Arc::new(SqliteCustomers::open(&folder.join("customers.db"))?);
        let shared = Arc::new(ledger.clone());
        Ok(Stores {
            calls: shared.clone(),
            runs: shared.clone(),
            deliveries: shared.clone(),
            log: shared.clone(),
            replicas: shared.clone(),
            in_force: shared.clone(),
            pauses: shared.clone(),
            old_calls: shared,
            old_events: customers.clone(),
            rates: None,
            customers: customers.clone(),
            audiences: customers.clone(),
            held: Held::Sqlite { ledger, customers },
        })
    }

    /// Takes up what the database holds for the tenant.
    ///
    /// # Errors
    /// See [`StoresError`].
    pub async fn on_postgres(address: &PostgresAddress, tenant: &str) -> Result<Self, StoresError> {
        let database = Arc::new(PostgresDatabase::open(address, &Tenant::new(tenant)?).await?);
        let ledger = Arc::new(PostgresLedger::open(Arc::clone(&database)).await?);
        let customers = Arc::new(PostgresCustomers::open(Arc::clone(&database)));
        Ok(Stores {
            calls: ledger.clone(),
            runs: ledger.clone(),
            deliveries: ledger.clone(),
            log: ledger.clone(),
            replicas: ledger.clone(),
            in_force: ledger.clone(),
            pauses: ledger.clone(),
            old_calls: ledger.clone(),
            old_events: customers.clone(),
            rates: Some(ledger.clone()),
            customers: customers.clone(),
            audiences: customers.clone(),
            held: Held::Postgres { database, ledger, customers },
        })
    }

    /// Commits what is queued and closes what is open.
    pub async fn close(&self) {
        match &self.held {
            Held::Sqlite { ledger, customers } => {
                ledger.close().await;
                customers.close().await;
            }
            Held::Postgres { database, ledger, customers } => {
                ledger.close().await;
                customers.close().await;
                database.close();
            }
        }
    }
}

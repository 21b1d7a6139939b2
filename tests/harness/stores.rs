//! A store of customers on either database, for stories that are told on both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use fanfare::domain::selection::Comparison;
use fanfare::store::audiences::{Audiences, IndexProgress, IndexState};
use fanfare::store::customers::Customers;
use fanfare::store::postgres::{PostgresCustomers, PostgresDatabase, Tenant};
use fanfare::store::retention::RetentionStore;
use fanfare::store::sqlite::SqliteCustomers;

use super::Postgres;

/// Every comparison.
pub const COMPARISONS: [Comparison; 6] = [
    Comparison::Equal,
    Comparison::NotEqual,
    Comparison::Less,
    Comparison::LessOrEqual,
    Comparison::Greater,
    Comparison::GreaterOrEqual,
];

/// Customers and audiences of one database.
#[async_trait]
pub trait Store: Customers + Audiences + RetentionStore {
    /// Ends it.
    async fn close(&self);
}

#[async_trait]
impl Store for SqliteCustomers {
    async fn close(&self) {
        SqliteCustomers::close(self).await;
    }
}

#[async_trait]
impl Store for PostgresCustomers {
    async fn close(&self) {
        PostgresCustomers::close(self).await;
    }
}

/// Where a store is, which can be opened again and again.
pub enum Place {
    /// A folder with a file.
    Sqlite(tempfile::TempDir),
    /// A tenant of the server at this URL.
    Postgres(String, Tenant),
}

impl Place {
    /// A new file.
    pub fn sqlite() -> Self {
        Place::Sqlite(tempfile::tempdir().unwrap())
    }

    /// A new tenant.
    pub fn postgres() -> Self {
        Place::postgres_at(Postgres::shared().url())
    }

    /// A new tenant of another server, or with a URL that says more.
    pub fn postgres_at(url: &str) -> Self {
        Place::Postgres(url.to_owned(), Postgres::tenant())
    }

    /// Another new place of the same database.
    pub fn another(&self) -> Self {
        match self {
            Place::Sqlite(_) => Self::sqlite(),
            Place::Postgres(url, _) => Self::postgres_at(url),
        }
    }

    /// Opens the store, which keeps indexes that nobody needs for the grace.
    pub async fn open(&self, grace: Duration) -> Box<dyn Store> {
        match self {
            Place::Sqlite(folder) => {
                let path = folder.path().join("customers.db");
                Box::new(SqliteCustomers::open_with_grace(&path, grace).unwrap())
            }
            Place::Postgres(url, tenant) => {
                let address = url.parse().unwrap();
                let database = Arc::new(PostgresDatabase::open(&address, tenant).await.unwrap());
                Box::new(PostgresCustomers::open_with_grace(database, grace))
            }
        }
    }
}

/// Waits until the indexes are so.
pub async fn until_indexes(store: &dyn Audiences, what: impl Fn(&[IndexState]) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let states = store.index_states().await.unwrap();
        if what(&states) {
            return;
        }
        assert!(Instant::now() < deadline, "still {states:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether all indexes are complete.
pub fn all_complete(states: &[IndexState]) -> bool {
    states.iter().all(|state| state.progress == IndexProgress::Complete)
}

//! Where the customers of a world are kept: in files, or in a database of their own on a server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare::store::postgres::{PostgresAddress, PostgresCustomers, PostgresDatabase, Tenant};
use fanfare::store::sqlite::SqliteCustomers;
use tokio_postgres::NoTls;

use super::customers;
use crate::harness::Postgres;

/// A customer base.
pub enum Base {
    /// In the folder `data`.
    Files(PathBuf),
    /// In the database at this URL.
    Server(String),
}

/// The namespace of the manifests, whose rows are the tenant's.
const TENANT: &str = "default";
const INDEXES: &str = "SELECT count(*) FILTER (WHERE state = 1), count(*) FROM side_index";

impl Base {
    pub(super) fn in_files(data: &Path) -> Self {
        Base::Files(data.to_owned())
    }

    /// Makes an empty database.
    pub(super) async fn on_server(server: &Postgres) -> Self {
        let name = format!("bench_{}", Postgres::tenant_name().replace('-', "_"));
        let client = connect(server.url()).await;
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a fresh name");
        let (server, _) = server.url().rsplit_once('/').expect("a URL that names a database");
        Base::Server(format!("{server}/{name}"))
    }

    /// The database, if it is on a server.
    pub fn url(&self) -> Option<&str> {
        match self {
            Base::Files(_) => None,
            Base::Server(url) => Some(url),
        }
    }

    /// Opens the server's tenant.
    pub async fn database(&self) -> Arc<PostgresDatabase> {
        let address: PostgresAddress = self.url().expect("it is on a server").parse().expect("a URL");
        let tenant = Tenant::new(TENANT).expect("a tenant's name");
        Arc::new(PostgresDatabase::open(&address, &tenant).await.expect("the server takes it"))
    }

    pub(super) async fn fill(&self, count: u64) {
        match self {
            Base::Files(data) => {
                let store = SqliteCustomers::open(&data.join("customers.db")).expect("a fresh file");
                customers::fill(&store, count).await;
                store.close().await;
            }
            Base::Server(url) => {
                let store = PostgresCustomers::open(self.database().await);
                customers::fill(&store, count).await;
                store.close().await;
                connect(url).await.batch_execute("VACUUM ANALYZE").await.expect("the server takes it");
            }
        }
    }

    pub(super) fn words(&self) -> &'static str {
        match self {
            Base::Files(_) => "in files",
            Base::Server(_) => "on PostgreSQL",
        }
    }

    pub(super) async fn wait_for_indexes(&self) {
        let start = Instant::now();
        loop {
            if let Some((complete, all @ 1..)) = self.indexes().await
                && complete == all
            {
                eprintln!(
                    "{all} indexes complete after {:.1} s, {}",
                    start.elapsed().as_secs_f64(),
                    self.words()
                );
                return;
            }
            assert!(
                start.elapsed() < Duration::from_secs(900),
                "the indexes are not complete after 15 minutes"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How many indexes are complete, and how many there are.
    async fn indexes(&self) -> Option<(i64, i64)> {
        match self {
            Base::Files(data) => {
                let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
                let file = rusqlite::Connection::open_with_flags(data.join("customers.db"), flags);
                let counted = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
                file.expect("the server made it").query_row(INDEXES, [], counted).ok()
            }
            Base::Server(url) => {
                let client = connect(url).await;
                client.batch_execute("SET search_path = fanfare_default").await.ok()?;
                let row = client.query_one(INDEXES, &[]).await.ok()?;
                Some((row.get(0), row.get(1)))
            }
        }
    }
}

/// A connection that ends with its handle.
pub async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the server is there");
    tokio::spawn(connection);
    client
}

//! The databases that simulations run on: a file in memory for one replica, a tenant of a real server for several. The
//! server's clock is simulated as well: leases count on it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::checker;
use crate::clock::wall;
use crate::harness::{Ledger, Place, Postgres, Store};

/// Its functions may be replaced, and nothing happens by itself.
const SETTINGS: &str = "
allow_system_table_mods = on
autovacuum = off
";

/// A server whose clock shows what stands in a file.
struct Server {
    server: Postgres,
    clock: DatabaseClock,
}

impl Server {
    fn start() -> Self {
        let server = Postgres::in_memory(SETTINGS);
        let now = server.folder().join("now");
        let replaced = format!(
            "ALTER FUNCTION pg_catalog.clock_timestamp() RENAME TO clock_timestamp_of_the_machine;
             CREATE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
             AS $$ SELECT pg_catalog.pg_read_file('{}')::timestamptz $$",
            now.display()
        );
        let server = Server { server, clock: DatabaseClock(Some(now)) };
        server.clock.set(Duration::ZERO);
        let url = server.server.url().to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute(&replaced).await.unwrap();
        });
        server
    }
}

/// The database of one simulation.
pub struct Database {
    pub place: Place,
    server: Option<MutexGuard<'static, Server>>,
}

/// Tells the database what time it is.
#[derive(Clone)]
pub struct DatabaseClock(Option<PathBuf>);

impl DatabaseClock {
    /// Whether it is that of a server, which may carry out what its client has given up.
    pub fn is_a_servers(&self) -> bool {
        self.0.is_some()
    }

    pub fn set(&self, now: Duration) {
        if let Some(file) = &self.0 {
            std::fs::write(file, wall(now).to_string()).unwrap();
        }
    }
}

impl Database {
    /// A new one for so many replicas.
    pub fn new(replicas: usize) -> Self {
        if replicas == 1 {
            let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
            return Database { place: Place::Sqlite(folder), server: None };
        }
        static SERVER: OnceLock<Mutex<Server>> = OnceLock::new();
        let server = SERVER.get_or_init(|| Mutex::new(Server::start()));
        let server = server.lock().unwrap_or_else(PoisonError::into_inner);
        server.clock.set(Duration::ZERO);
        Database { place: Place::postgres_at(server.server.url()), server: Some(server) }
    }

    pub fn clock(&self) -> DatabaseClock {
        self.server.as_ref().map_or(DatabaseClock(None), |server| server.clock.clone())
    }

    /// Opens it, as one process does. Processes on a file share what the first has opened: only one may hold it.
    pub async fn open(&self) -> (Ledger, Arc<dyn Store>) {
        self.place.open_both().await
    }

    pub fn is_shared(&self) -> bool {
        self.server.is_some()
    }

    /// What the checker reads, once nobody writes any more.
    pub async fn read(&self) -> checker::Ledger {
        match &self.place {
            Place::Sqlite(folder) => checker::Ledger::read(folder.path()),
            Place::Postgres(..) => checker::Ledger::read_from(&self.place.session().await).await,
        }
    }

    /// Removes it.
    pub async fn remove(&self) {
        if let Place::Postgres(_, tenant) = &self.place {
            let drop = format!("DROP SCHEMA {} CASCADE", tenant.schema());
            self.place.session().await.batch_execute(&drop).await.unwrap();
        }
    }
}

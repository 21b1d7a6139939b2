//! A ledger on either database, for stories that are told on both, and a look past its traits into its tables.

use std::sync::Arc;
use std::time::Duration;

use fanfare::store::calls::Calls;
use fanfare::store::channel_rates::ChannelRates;
use fanfare::store::deliveries::Deliveries;
use fanfare::store::in_force::InForce;
use fanfare::store::pauses::PauseBook;
use fanfare::store::postgres::{PostgresCustomers, PostgresDatabase, PostgresLedger};
use fanfare::store::replicas::Replicas;
use fanfare::store::retention::RetentionStore;
use fanfare::store::run_log::RunLog;
use fanfare::store::runs::Runs;
use fanfare::store::sqlite::{Ledger as SqliteLedger, SqliteCustomers};

use super::{Place, Store};

/// How long indexes that nobody needs are kept: longer than any test.
const GRACE: Duration = Duration::from_secs(3_600);

/// A ledger, concern by concern.
#[derive(Clone)]
pub struct Ledger {
    pub calls: Arc<dyn Calls>,
    pub runs: Arc<dyn Runs>,
    pub deliveries: Arc<dyn Deliveries>,
    pub log: Arc<dyn RunLog>,
    pub replicas: Arc<dyn Replicas>,
    pub pauses: Arc<dyn PauseBook>,
    pub in_force: Arc<dyn InForce>,
    pub retention: Arc<dyn RetentionStore>,
    /// Where starts are given out, if replicas share them.
    pub rates: Option<Arc<dyn ChannelRates>>,
    kept: Kept,
}

#[derive(Clone)]
enum Kept {
    Sqlite(SqliteLedger),
    Postgres(Arc<PostgresLedger>),
}

impl Ledger {
    fn sqlite(ledger: SqliteLedger) -> Ledger {
        let shared = Arc::new(ledger.clone());
        Ledger {
            calls: shared.clone(),
            runs: shared.clone(),
            deliveries: shared.clone(),
            log: shared.clone(),
            replicas: shared.clone(),
            pauses: shared.clone(),
            in_force: shared.clone(),
            retention: shared,
            rates: None,
            kept: Kept::Sqlite(ledger),
        }
    }

    fn postgres(ledger: Arc<PostgresLedger>) -> Ledger {
        Ledger {
            calls: ledger.clone(),
            runs: ledger.clone(),
            deliveries: ledger.clone(),
            log: ledger.clone(),
            replicas: ledger.clone(),
            pauses: ledger.clone(),
            in_force: ledger.clone(),
            retention: ledger.clone(),
            rates: Some(ledger.clone()),
            kept: Kept::Postgres(ledger),
        }
    }

    /// Commits what is queued and ends it.
    pub async fn close(&self) {
        match &self.kept {
            Kept::Sqlite(ledger) => ledger.close().await,
            Kept::Postgres(ledger) => ledger.close().await,
        }
    }
}

impl Place {
    /// Opens ledger and customers, as one replica does.
    pub async fn open_both(&self) -> (Ledger, Arc<dyn Store>) {
        match self {
            Place::Sqlite(folder) => {
                let ledger = SqliteLedger::open(folder.path()).unwrap();
                let customers = SqliteCustomers::open(&folder.path().join("customers.db")).unwrap();
                (Ledger::sqlite(ledger), Arc::new(customers))
            }
            Place::Postgres(url, tenant) => {
                let address = url.parse().unwrap();
                let database = Arc::new(PostgresDatabase::open(&address, tenant).await.unwrap());
                let ledger = PostgresLedger::open(Arc::clone(&database)).await.unwrap();
                (
                    Ledger::postgres(Arc::new(ledger)),
                    Arc::new(PostgresCustomers::open_with_grace(database, GRACE)),
                )
            }
        }
    }

    /// What a statement that both databases know gives from the ledger's tables, as text.
    pub fn look(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        match self {
            Place::Sqlite(folder) => look_into_file(&folder.path().join("ledger.db"), sql),
            // In a thread of its own, so that it can be asked from anywhere.
            Place::Postgres(..) => {
                std::thread::scope(|scope| scope.spawn(|| look_into_schema(self, sql)).join().unwrap())
            }
        }
    }

    /// The only number that a statement gives.
    pub fn count(&self, sql: &str) -> i64 {
        self.look(sql)[0][0].as_ref().unwrap().parse().unwrap()
    }

    /// A session of its own in the tenant's schema, without the settings that Fanfare's have.
    pub async fn session(&self) -> tokio_postgres::Client {
        let Place::Postgres(url, tenant) = self else { panic!("a file has no sessions") };
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&format!("SET search_path = {}", tenant.schema())).await.unwrap();
        client
    }
}

/// Keeps every commit of new calls waiting until it is dropped.
pub enum Held {
    Sqlite(rusqlite::Connection),
    Postgres(tokio_postgres::Client),
}

impl Place {
    /// Keeps every commit of new calls waiting; what is there can be read meanwhile.
    pub async fn hold_commits(&self) -> Held {
        match self {
            Place::Sqlite(folder) => {
                let connection = rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap();
                connection.busy_timeout(Duration::from_secs(5)).unwrap();
                connection.execute_batch("BEGIN IMMEDIATE").unwrap();
                Held::Sqlite(connection)
            }
            Place::Postgres(..) => {
                let session = self.session().await;
                session.batch_execute("BEGIN; LOCK TABLE call IN SHARE MODE").await.unwrap();
                Held::Postgres(session)
            }
        }
    }
}

fn look_into_file(path: &std::path::Path, sql: &str) -> Vec<Vec<Option<String>>> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    rows_of(&rusqlite::Connection::open_with_flags(path, flags).unwrap(), sql)
}

/// What a statement gives, as text.
pub fn rows_of(database: &rusqlite::Connection, sql: &str) -> Vec<Vec<Option<String>>> {
    use rusqlite::types::ValueRef;
    let mut statement = database.prepare(sql).unwrap();
    let columns = statement.column_count();
    let text = |value: ValueRef<'_>| match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        other => Some(other.as_str().unwrap().to_owned()),
    };
    let rows = statement
        .query_map([], |row| (0..columns).map(|column| row.get_ref(column).map(text)).collect())
        .unwrap();
    rows.map(Result::unwrap).collect()
}

fn look_into_schema(place: &Place, sql: &str) -> Vec<Vec<Option<String>>> {
    use tokio_postgres::SimpleQueryMessage::Row;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let messages = runtime.block_on(async { place.session().await.simple_query(sql).await.unwrap() });
    let rows = messages.into_iter().filter_map(|message| match message {
        Row(row) => Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect()),
        _ => None,
    });
    rows.collect()
}

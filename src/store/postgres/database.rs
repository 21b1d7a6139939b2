//! The pools of connections to one tenant's schema, each with the settings that a promise rests on.
//!
//! Two pools: the ledger's, whose statements are short and have their plans fixed, and the customers', whose may
//! read a whole table.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use std::sync::atomic::AtomicBool;

use deadpool::Runtime;
use deadpool::managed::{PoolError as Lent, Timeouts};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::address::PostgresAddress;
use super::connect::Login;
use super::hosts::{Connector, Hosts};
use super::migrate::migrate;
use super::pool::{Manager, Pool, PoolError};
use super::session::Session;
use super::settings::{self, Settings};
use super::timeline;
use crate::store::StoreError;
use crate::store::trouble::Trouble;

/// The oldest server that is supported, as `server_version_num`.
const VERSION_MIN: i32 = 150_000;
/// How long one waits for a connection when all are lent.
const WAIT_MAX: Duration = Duration::from_secs(3);
/// How long a statement of the ledger may take; the server ends it before this process gives it up.
const LEDGER_TIME_MAX: Duration = Duration::from_secs(6);
/// How long a short statement about customers may take: who brings a batch, or an edit, waits for it.
const SOON_TIME_MAX: Duration = Duration::from_secs(12);
/// How long the writer of a batch waits for all of it before it is told to retry.
pub(super) const BATCH_TIME_MAX: Duration = Duration::from_secs(8);
/// How long a statement that reads the log may take: a person waits for the page.
const LOG_TIME_MAX: Duration = Duration::from_secs(20);
/// How many may read the log at once: the other connections are left to customers.
const LOG_READERS_MAX: usize = 2;
/// How long a statement about customers may take: a full scan reads them all.
const CUSTOMERS_TIME_MAX: Duration = Duration::from_secs(130);

/// How many sessions there are at most for the ledger, and for customers; one more listens.
const LEDGER_SESSIONS: usize = 12;
const CUSTOMERS_SESSIONS: usize = 10;
/// How often other hosts are asked whether one of them was promoted.
const LOOK_FOR_NEWER_EVERY: Duration = Duration::from_millis(1_500);

/// Rights that the role does not have on what the schema holds, as they are granted. Partitions need none of their own.
const MISSING_RIGHTS: &str = "
    SELECT 'USAGE on the schema' FROM pg_namespace n
        WHERE n.nspname = $1 AND NOT has_schema_privilege(n.oid, 'USAGE')
    UNION ALL
    SELECT r.name || ' on ' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) r (name)
        WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            AND NOT has_table_privilege(c.oid, r.name)
    UNION ALL
    SELECT 'EXECUTE on ' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = $1 AND NOT has_function_privilege(p.oid, 'EXECUTE')
    LIMIT 8";

/// Whose rows: a name that becomes the schema `fanfare_<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant(String);

/// A name that cannot be a tenant's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be a tenant: 1 to 63 lower-case letters, digits and hyphens, beginning with a letter or digit"
)]
pub struct TenantError(String);

impl Tenant {
    /// A tenant by the rules of a namespace's name.
    ///
    /// # Errors
    /// The name has another form.
    pub fn new(name: &str) -> Result<Self, TenantError> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_right = (1..=63).contains(&name.len())
            && name.bytes().all(|byte| is_plain(byte) || byte == b'-')
            && name.bytes().next().is_some_and(is_plain);
        if is_right { Ok(Tenant(name.to_owned())) } else { Err(TenantError(name.to_owned())) }
    }

    /// The schema, as PostgreSQL knows it: at most 63 bytes, hyphens as underscores.
    pub fn schema(&self) -> String {
        let plain = format!("fanfare_{}", self.0.replace('-', "_"));
        if plain.len() <= 63 {
            return plain;
        }
        // Longer than an identifier may be: the digest keeps two such names apart.
        let digest = crate::domain::credentials::Digest::of(&self.0);
        let tail: String = digest.as_bytes()[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}_{tail}", &plain[..50])
    }
}

/// Why a database cannot be used as a store.
#[derive(Debug, thiserror::Error)]
pub enum PostgresOpenError {
    /// It cannot be reached, or refuses us.
    #[error("cannot use {address}: {source}")]
    Store {
        /// The address without its password.
        address: String,
        /// What went wrong.
        source: StoreError,
    },
    /// The server is too old.
    #[error("{address} is PostgreSQL {found}; Fanfare needs 15 or newer")]
    TooOld {
        /// The address without its password.
        address: String,
        /// Its version.
        found: i32,
    },
    /// What stands in between keeps no sessions.
    #[error("cannot use {address}: {reason}")]
    Pooled {
        /// The address without its password.
        address: String,
        /// Who, and what to do.
        reason: String,
    },
    /// A durability setting did not take.
    #[error("{address} does not keep `{setting}`; a 202 would be a lie")]
    NotDurable {
        /// The address without its password.
        address: String,
        /// The setting that did not take.
        setting: String,
    },
    /// A newer Fanfare changed the schema in a way this one does not know.
    #[error(
        "{address} has schema {found}, which Fanfare must know at least to {needed}; this one knows {known}"
    )]
    Newer {
        /// The address without its password.
        address: String,
        /// The schema's number in the database.
        found: i32,
        /// The oldest schema a program must know to work on it.
        needed: i32,
        /// The newest schema known here.
        known: i32,
    },
}

/// One tenant's schema in a database. Cheap to share by `Arc`.
pub struct PostgresDatabase {
    ledger: Pool,
    customers: Pool,
    log_readers: Arc<Semaphore>,
    schema: String,
    address: PostgresAddress,
    hosts: Arc<Hosts>,
    keeps_sessions: Arc<AtomicBool>,
    trouble: Arc<Trouble>,
    _stop: DropGuard,
}

impl fmt::Debug for PostgresDatabase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Database")
            .field("address", &self.address)
            .field("schema", &self.schema)
            .finish()
    }
}

impl PostgresDatabase {
    /// Connects, migrates the schema (once, by the first process) and asserts the settings that the promises rest on.
    ///
    /// # Errors
    /// See [`PostgresOpenError`].
    pub async fn open(address: &PostgresAddress, tenant: &Tenant) -> Result<Self, PostgresOpenError> {
        let (schema, stop) = (tenant.schema(), CancellationToken::new());
        let (hosts, keeps_sessions) = (Arc::new(Hosts::of(&address.config)), Arc::default());
        let connector = |own, size| {
            Connector::new(Arc::clone(&hosts), login(address, &schema, own, &keeps_sessions), size)
        };
        let ledger = connector(settings::LEDGER, LEDGER_SESSIONS);
        let customers = connector(settings::CUSTOMERS, CUSTOMERS_SESSIONS);
        if hosts.are_several() {
            let looker = connector(settings::LISTENER, 1);
            tokio::spawn(look_for_newer(looker, stop.clone()));
        }
        let database = PostgresDatabase {
            ledger: pool(ledger, LEDGER_SESSIONS),
            customers: pool(customers, CUSTOMERS_SESSIONS),
            log_readers: Arc::new(Semaphore::new(LOG_READERS_MAX)),
            schema,
            address: address.clone(),
            hosts,
            keeps_sessions,
            trouble: Arc::default(),
            _stop: stop.drop_guard(),
        };
        let failed = |source| PostgresOpenError::Store { address: address.to_string(), source };
        let mut session = match database.customers.get().await {
            Ok(connection) => Session::new(connection, CUSTOMERS_TIME_MAX, &database.trouble),
            Err(PoolError::Backend(error)) if error.is_pooled() => {
                return Err(PostgresOpenError::Pooled {
                    address: address.to_string(),
                    reason: error.to_string(),
                });
            }
            Err(error) => return Err(failed(not_lent(&error))),
        };
        assert_server(&mut session, address).await?;
        migrate(&mut session, &database.schema, address).await?;
        Ok(database)
    }

    /// A connection for a short statement of the ledger.
    pub(super) async fn ledger(&self) -> Result<Session, StoreError> {
        self.lend(&self.ledger, LEDGER_TIME_MAX).await
    }

    /// A connection for whatever is asked about customers. It lives: who may wait long does not wait in vain.
    pub(super) async fn customers(&self) -> Result<Session, StoreError> {
        let mut session = self.lend(&self.customers, CUSTOMERS_TIME_MAX).await?;
        session.check().await?;
        Ok(session)
    }

    /// The same, for what is short: a batch that is written, a look at what there is.
    pub(super) async fn customers_soon(&self) -> Result<Session, StoreError> {
        self.lend(&self.customers, SOON_TIME_MAX).await
    }

    /// A live connection for a reader of the log, in turn.
    pub(super) async fn log(&self) -> Result<Session, StoreError> {
        let turn = Arc::clone(&self.log_readers).acquire_owned();
        let busy = |_| StoreError::Unavailable("others read the log just now".into());
        let place = tokio::time::timeout(WAIT_MAX, turn).await.map_err(busy)?;
        let place = place.map_err(|_| StoreError::Closed)?;
        let mut session = self.lend(&self.customers, LOG_TIME_MAX).await?.with_place(place);
        session.check().await?;
        Ok(session)
    }

    /// Makes the connection of who listens, telling what is rung.
    pub(super) fn listener(&self, rings: mpsc::Sender<String>) -> Connector {
        let login = login(&self.address, &self.schema, settings::LISTENER, &self.keeps_sessions);
        Connector::new(Arc::clone(&self.hosts), login, 1).telling(rings)
    }

    /// What cannot be seen of the server that is worked on, so that an old primary would not be known as one.
    pub(super) fn caution(&self) -> Option<String> {
        self.hosts.is_untold().then(|| timeline::UNTOLD.to_owned())
    }

    /// How many connections to servers that had been replaced were refused.
    pub fn refused_connections(&self) -> u64 {
        self.hosts.refused()
    }

    async fn lend(&self, pool: &Pool, time_max: Duration) -> Result<Session, StoreError> {
        match pool.get().await {
            Ok(connection) => Ok(Session::new(connection, time_max, &self.trouble)),
            Err(error) => Err(not_lent(&error)),
        }
    }

    /// Whether what is given to it is kept: tells which right is missing, and what was refused of late.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        let mut session = self.ledger().await?;
        let missing = session.query(MISSING_RIGHTS, &[&self.schema]).await?;
        let missing: Vec<String> = missing.iter().map(|row| row.get(0)).collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            return Err(StoreError::Unavailable(format!(
                "the role lacks rights in the schema {}: {missing}; GRANT them to it",
                self.schema
            )));
        }
        self.trouble.newest().map_or(Ok(()), |words| Err(StoreError::Unavailable(words)))
    }

    /// The schema's name.
    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    /// Where it is.
    pub fn address(&self) -> &PostgresAddress {
        &self.address
    }

    /// Lends no more connections, and closes those that come back.
    pub fn close(&self) {
        self.ledger.close();
        self.customers.close();
    }
}

/// Whatever stands between us and a connection may be put right.
fn not_lent(error: &PoolError) -> StoreError {
    match error {
        Lent::Closed => StoreError::Closed,
        Lent::Backend(error) => StoreError::Unavailable(error.to_string()),
        Lent::Timeout(_) | Lent::NoRuntimeSpecified | Lent::PostCreateHook(_) => {
            StoreError::Unavailable(format!("no connection to PostgreSQL: {error}"))
        }
    }
}

fn login(
    address: &PostgresAddress,
    schema: &str,
    own: &'static [(&'static str, &'static str)],
    keeps_sessions: &Arc<AtomicBool>,
) -> Login {
    Login {
        config: address.config.clone(),
        tls: address.tls.clone(),
        settings: Settings::new(schema, own),
        keeps_sessions: Arc::clone(keeps_sessions),
    }
}

fn pool(connector: Connector, size: usize) -> Pool {
    let timeouts = Timeouts { wait: Some(WAIT_MAX), create: Some(WAIT_MAX * 2), recycle: Some(WAIT_MAX) };
    Pool::builder(Manager(connector))
        .max_size(size)
        .timeouts(timeouts)
        .runtime(Runtime::Tokio1)
        .build()
        .expect("a runtime is named, which is all that timeouts need")
}

/// Finds a standby that was promoted, also while the one before says nothing at all.
async fn look_for_newer(looker: Connector, stop: CancellationToken) {
    let looking = async {
        loop {
            tokio::time::sleep(LOOK_FOR_NEWER_EVERY).await;
            looker.look_for_newer().await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = looking => {}
    }
}

async fn assert_server(session: &mut Session, address: &PostgresAddress) -> Result<(), PostgresOpenError> {
    let failed = |source| PostgresOpenError::Store { address: address.to_string(), source };
    let asserted = "SELECT current_setting('server_version_num')::int, current_setting('synchronous_commit'),
        current_setting('fsync'), current_setting('full_page_writes'), current_setting('server_encoding')";
    let row = session.one(asserted, &[]).await.map_err(failed)?;
    let found: i32 = row.get(0);
    if found < VERSION_MIN {
        return Err(PostgresOpenError::TooOld { address: address.to_string(), found: found / 10_000 });
    }
    let settings = [
        ("synchronous_commit", "on"),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("server_encoding", "UTF8"),
    ];
    for (place, (name, wanted)) in settings.into_iter().enumerate() {
        let value: String = row.get(place + 1);
        // A cluster that also waits for its standbys to apply promises more, not less.
        if value != wanted && !(name == "synchronous_commit" && value == "remote_apply") {
            let setting = format!("{name}={wanted}");
            return Err(PostgresOpenError::NotDurable { address: address.to_string(), setting });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_that_differ_have_schemas_that_differ() {
        let long = "a".repeat(62);
        let schema = |name: &str| Tenant::new(name).unwrap().schema();
        assert_eq!(schema("shop-1"), "fanfare_shop_1");
        assert!(schema(&format!("{long}b")).len() <= 63);
        assert_ne!(schema(&format!("{long}b")), schema(&format!("{long}c")));
        for wrong in ["", "Shop", "-a", "a_b", "a\"; DROP SCHEMA x", &"a".repeat(64)] {
            assert!(Tenant::new(wrong).is_err(), "{wrong}");
        }
    }
}

//! The pools of connections to one tenant's schema, each with the settings that a promise rests on.
//!
//! Two pools: the ledger's, whose statements are short and have their plans fixed, and the customers', whose may
//! read a whole table.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, Timeouts};
use tokio::sync::Semaphore;
use tokio_postgres::NoTls;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::PostgresAddress;
use super::migrate::migrate;
use super::session::Session;
use crate::store::StoreError;

/// The oldest server that is supported, as `server_version_num`.
const VERSION_MIN: i32 = 150_000;
/// How long one waits for a connection when all are lent.
const WAIT_MAX: Duration = Duration::from_secs(3);
/// How long a statement of the ledger may take; the server ends it before this process gives it up.
const LEDGER_TIME_MAX: Duration = Duration::from_secs(6);
/// How long a short statement about customers may take: who brings a batch, or an edit, waits for it.
const SOON_TIME_MAX: Duration = Duration::from_secs(12);
/// How long a statement of those who read the log may take: somebody waits for a page.
const LOG_TIME_MAX: Duration = Duration::from_secs(20);
/// How many may read the log at once: the other connections are left to customers.
const LOG_READERS_MAX: usize = 2;
/// How long a statement about customers may take: a full scan reads them all.
const CUSTOMERS_TIME_MAX: Duration = Duration::from_secs(130);

/// Settings of every session. `idle_in_transaction_session_timeout` is under half a lease; `synchronous_commit`
/// is asserted below. A server that looks whether its client is there ends what nobody waits for any more: else there
/// would be more statements at work than the pools have connections.
const SESSION: &str = "-c synchronous_commit=on -c TimeZone=UTC -c jit=off -c lock_timeout=2s \
    -c idle_in_transaction_session_timeout=3s -c tcp_user_timeout=10s -c tcp_keepalives_idle=10 \
    -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c client_connection_check_interval=1s \
    -c client_min_messages=warning";
/// The ledger's statements find rows by keys that are named in arrays. A plan is made once, mostly while a partition is
/// empty, and must be right when it holds millions: so that the arrays lead joins, and each row of them is looked up by
/// its whole key, nothing else is left to choose, and a step into an index costs little.
const LEDGER_SESSION: &str = "-c statement_timeout=5s -c plan_cache_mode=force_generic_plan -c enable_seqscan=off \
    -c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c enable_material=off \
    -c random_page_cost=0.01 -c cpu_operator_cost=0.0001";
/// What is read by keys and by values has its index, and the program has chosen which. So the server is left no plan
/// that walks a table, and arrays lead joins; and steps into an index cost it little, so that it does not walk a
/// middling one, comparing each row with an array, where it can step to each value of the array. Plans are made anew,
/// with the values: whoever reads a whole table says so. Writes are single statements here, so that only a snapshot is
/// ever left open while this process works, and that holds no row.
const CUSTOMERS_SESSION: &str = "-c statement_timeout=120s -c plan_cache_mode=force_custom_plan \
    -c idle_in_transaction_session_timeout=30s \
    -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c random_page_cost=0.01 \
    -c cpu_operator_cost=0.0001";

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
pub enum OpenError {
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
pub struct Database {
    ledger: Pool,
    customers: Pool,
    log_readers: Arc<Semaphore>,
    schema: String,
    address: PostgresAddress,
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Database")
            .field("address", &self.address)
            .field("schema", &self.schema)
            .finish()
    }
}

impl Database {
    /// Connects, brings the schema forward (once, whoever comes first) and asserts what promises rest on.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(address: &PostgresAddress, tenant: &Tenant) -> Result<Self, OpenError> {
        let schema = tenant.schema();
        let database = Database {
            ledger: pool(address, &schema, LEDGER_SESSION, 12),
            customers: pool(address, &schema, CUSTOMERS_SESSION, 10),
            log_readers: Arc::new(Semaphore::new(LOG_READERS_MAX)),
            schema,
            address: address.clone(),
        };
        let failed = |source| OpenError::Store { address: address.to_string(), source };
        let mut session = database.customers().await.map_err(failed)?;
        assert_server(&mut session, address).await?;
        migrate(&mut session, &database.schema, address).await?;
        Ok(database)
    }

    /// A connection for a short statement of the ledger.
    pub(super) async fn ledger(&self) -> Result<Session, StoreError> {
        lend(&self.ledger, LEDGER_TIME_MAX).await
    }

    /// A connection for whatever is asked about customers. It lives: who may wait long does not wait in vain.
    pub(super) async fn customers(&self) -> Result<Session, StoreError> {
        let mut session = lend(&self.customers, CUSTOMERS_TIME_MAX).await?;
        session.check().await?;
        Ok(session)
    }

    /// The same, for what is short: a batch that is written, a look at what there is.
    pub(super) async fn customers_soon(&self) -> Result<Session, StoreError> {
        lend(&self.customers, SOON_TIME_MAX).await
    }

    /// A connection that lives, for whoever reads the log, when it is its turn.
    pub(super) async fn log(&self) -> Result<Session, StoreError> {
        let turn = Arc::clone(&self.log_readers).acquire_owned();
        let busy = |_| StoreError::Unavailable("others read the log just now".into());
        let place = tokio::time::timeout(WAIT_MAX, turn).await.map_err(busy)?;
        let place = place.map_err(|_| StoreError::Closed)?;
        let mut session = lend(&self.customers, LOG_TIME_MAX).await?.with_place(place);
        session.check().await?;
        Ok(session)
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

async fn lend(pool: &Pool, time_max: Duration) -> Result<Session, StoreError> {
    match pool.get().await {
        Ok(connection) => Ok(Session::new(connection, time_max)),
        Err(PoolError::Closed) => Err(StoreError::Closed),
        Err(PoolError::Backend(error)) => Err(as_passing(super::error::store_error(&error))),
        Err(error) => Err(StoreError::Unavailable(format!("no connection to PostgreSQL: {error}"))),
    }
}

/// Whatever stands between us and a connection may be put right.
fn as_passing(error: StoreError) -> StoreError {
    match error {
        StoreError::Refused(why) => StoreError::Unavailable(why),
        other => other,
    }
}

fn pool(address: &PostgresAddress, schema: &str, settings: &str, size: usize) -> Pool {
    let mut config = address.config.clone();
    let own = config.get_options().unwrap_or_default().to_owned();
    config.options(format!("{own} {SESSION} {settings} -c search_path={schema}"));
    let managed = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = match &address.tls {
        Some(tls) => Manager::from_config(config, MakeRustlsConnect::new((**tls).clone()), managed),
        None => Manager::from_config(config, NoTls, managed),
    };
    let timeouts = Timeouts { wait: Some(WAIT_MAX), create: Some(WAIT_MAX * 2), recycle: Some(WAIT_MAX) };
    Pool::builder(manager)
        .max_size(size)
        .timeouts(timeouts)
        .runtime(Runtime::Tokio1)
        .build()
        .expect("a runtime is named, which is all that timeouts need")
}

async fn assert_server(session: &mut Session, address: &PostgresAddress) -> Result<(), OpenError> {
    let failed = |source| OpenError::Store { address: address.to_string(), source };
    let asserted = "SELECT current_setting('server_version_num')::int, current_setting('synchronous_commit'),
        current_setting('fsync'), current_setting('full_page_writes'), current_setting('server_encoding')";
    let row = session.one(asserted, &[]).await.map_err(failed)?;
    let found: i32 = row.get(0);
    if found < VERSION_MIN {
        return Err(OpenError::TooOld { address: address.to_string(), found: found / 10_000 });
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
            return Err(OpenError::NotDurable { address: address.to_string(), setting });
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

//! A connection to one host, within a limit for all that it takes: reaching it, TLS, its greeting, and what it must say
//! before anything is asked of it.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use rustls::ClientConfig;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::sync::CancellationToken;

use super::pooling;
use super::settings::{Settings, Told};
use super::socket::Socket;
use super::timeline::{self, Timeline};

/// How long a host may take until a connection to it is of use.
pub(super) const HOST_TIME_MAX: Duration = Duration::from_secs(2);

/// Where a server is, and the name that its certificate must have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Target {
    pub name: String,
    pub port: u16,
    pub address: TargetAddress,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum TargetAddress {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            TargetAddress::Tcp(address) if address.ip().to_string() != self.name => {
                write!(formatter, "{}:{} ({})", self.name, self.port, address.ip())
            }
            _ => write!(formatter, "{}:{}", self.name, self.port),
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// The server refuses, or the way to it failed.
    #[error("{target}: {}", super::error::store_error(source))]
    Postgres { target: String, source: tokio_postgres::Error },
    /// The socket could not be opened.
    #[error("{target}: {source}")]
    Socket { target: String, source: std::io::Error },
    /// Its time is over.
    #[error("{target} did not answer within {HOST_TIME_MAX:?}")]
    Late { target: String },
    /// It is a standby.
    #[error("{target} takes no writes: it is a standby, or read-only")]
    ReadOnly { target: String },
    /// It has been replaced.
    #[error(
        "{target} is on timeline {found} and the database has been promoted to {highest} since: it is an old primary \
         that came back, and what it takes is lost; stop it, or make it a standby again"
    )]
    Replaced { target: String, found: i64, highest: i64 },
    /// A session is not a session there.
    #[error(
        "{target} is a pooler that gives each transaction another session (with PgBouncer: pool_mode = transaction): \
         settings, locks and prepared statements would be lost without a word; set pool_mode = session for this database"
    )]
    Pooled { target: String },
    /// A setting did not take.
    #[error("the session does not keep {setting}: it has {found}; does a pooler stand in between?")]
    Setting { setting: String, found: String },
    /// The role may not use the schema.
    #[error("the role may not use the schema {schema}: GRANT USAGE ON SCHEMA {schema} to it")]
    Schema { schema: String },
    /// So many sessions there have not ended yet.
    #[error("{target} has not ended {count} sessions yet that were given up")]
    Full { target: String, count: usize },
    /// A name that cannot be resolved.
    #[error("{host} is not known: {source}")]
    Unknown { host: String, source: std::io::Error },
    /// None of several.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    All(Vec<ConnectError>),
}

impl ConnectError {
    /// Of several hosts.
    pub(super) fn of(mut errors: Vec<ConnectError>) -> Self {
        if errors.len() == 1 { errors.remove(0) } else { ConnectError::All(errors) }
    }

    /// Whether any of it is this.
    pub(super) fn any(&self, is: fn(&ConnectError) -> bool) -> bool {
        match self {
            ConnectError::All(all) => all.iter().any(|error| error.any(is)),
            other => is(other),
        }
    }

    /// Whether it says that sessions are not kept.
    pub(super) fn is_pooled(&self) -> bool {
        self.any(|error| matches!(error, ConnectError::Pooled { .. }))
    }
}

type Messages = BoxStream<'static, Result<AsyncMessage, tokio_postgres::Error>>;

/// Who is asked, and with which proof.
#[derive(Clone)]
pub(super) struct Login {
    /// User, password, database and the like; its hosts are not read.
    pub config: tokio_postgres::Config,
    pub tls: Option<Arc<ClientConfig>>,
    pub settings: Settings,
    /// Whether it has been seen that a pooler in between keeps sessions.
    pub keeps_sessions: Arc<AtomicBool>,
}

/// A connection that takes writes and has its settings.
pub(super) struct Connected {
    pub client: Client,
    pub driver: Driver,
    pub target: Target,
    pub timeline: Option<Timeline>,
    pub canceller: Canceller,
    /// Whether its history is newer than all that were seen.
    pub is_newer: bool,
}

/// What holds a connection open. Dropped, it closes the socket.
pub(super) struct Driver(pub JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What goes with a connection as long as it is open.
pub(super) struct Kept {
    /// Its place among the sessions of a host.
    pub place: Option<OwnedSemaphorePermit>,
    /// Ends it.
    pub stop: CancellationToken,
    /// Where notifications go.
    pub notifications: Option<mpsc::Sender<String>>,
}

/// Asks a server to end what a session is doing.
#[derive(Clone)]
pub(super) struct Canceller {
    token: tokio_postgres::CancelToken,
    target: Target,
    tls: Option<Arc<ClientConfig>>,
}

impl Canceller {
    /// Asks once; that it could not be asked is seen when the session does not end.
    pub(super) async fn cancel(&self) {
        let asked = tokio::time::timeout(HOST_TIME_MAX, async {
            let (socket, _) = open(&self.target).await?;
            let asked = match &self.tls {
                Some(tls) => self.token.cancel_query_raw(socket, connector(tls, &self.target.name)).await,
                None => self.token.cancel_query_raw(socket, NoTls).await,
            };
            asked.map_err(|source| ConnectError::Postgres { target: self.target.to_string(), source })
        });
        match asked.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a statement could not be cancelled"),
            Err(_) => tracing::debug!(target = %self.target, "a statement could not be cancelled in time"),
        }
    }
}

type TlsTo = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;

fn connector(tls: &Arc<ClientConfig>, name: &str) -> TlsTo {
    let mut make = MakeRustlsConnect::new((**tls).clone());
    let Ok(connector) = MakeTlsConnect::<Socket>::make_tls_connect(&mut make, name);
    connector
}

/// Connects to one server within [`HOST_TIME_MAX`].
///
/// # Errors
/// See [`ConnectError`].
pub(super) async fn connect(login: &Login, target: &Target, kept: Kept) -> Result<Connected, ConnectError> {
    let late = |_| ConnectError::Late { target: target.to_string() };
    tokio::time::timeout(HOST_TIME_MAX, connect_in_time(login, target, kept)).await.map_err(late)?
}

async fn connect_in_time(login: &Login, target: &Target, kept: Kept) -> Result<Connected, ConnectError> {
    let failed = |source| ConnectError::Postgres { target: target.to_string(), source };
    let (client, driver, own_port) = greet(login, target, kept).await?;
    let canceller =
        Canceller { token: client.cancel_token(), target: target.clone(), tls: login.tls.clone() };
    client.batch_execute(&login.settings.to_make()).await.map_err(failed)?;
    let told = login.settings.judge(&ask_settings(login, target, &client).await?)?;
    if !told.takes_writes {
        return Err(ConnectError::ReadOnly { target: target.to_string() });
    }
    if !is_direct(&told, own_port) {
        pooling::assert_sessions(login, target, &client, &told.pid).await?;
    }
    let timeline = timeline::ask(&client).await.map_err(failed)?;
    Ok(Connected { client, driver, target: target.clone(), timeline, canceller, is_newer: false })
}

/// Whether the server sees the very socket that was opened here: then nothing that knows sessions stands in between.
fn is_direct(told: &Told, own_port: Option<u16>) -> bool {
    own_port.is_some_and(|port| told.client_port.as_ref() == Some(&port.to_string()))
}

async fn ask_settings(
    login: &Login,
    target: &Target,
    client: &Client,
) -> Result<tokio_postgres::SimpleQueryRow, ConnectError> {
    let failed = |source| ConnectError::Postgres { target: target.to_string(), source };
    let messages = client.simple_query(&login.settings.to_ask()).await.map_err(failed)?;
    let row = messages.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    row.ok_or_else(|| ConnectError::Setting { setting: "any setting".into(), found: "no answer".into() })
}

/// Opens a socket, TLS and a session.
pub(super) async fn greet(
    login: &Login,
    target: &Target,
    kept: Kept,
) -> Result<(Client, Driver, Option<u16>), ConnectError> {
    let failed = |source| ConnectError::Postgres { target: target.to_string(), source };
    let (socket, own_port) = open(target).await?;
    let (client, messages) = match &login.tls {
        Some(tls) => {
            let connected = login.config.connect_raw(socket, connector(tls, &target.name)).await;
            let (client, connection) = connected.map_err(failed)?;
            (client, messages(connection))
        }
        None => {
            let (client, connection) = login.config.connect_raw(socket, NoTls).await.map_err(failed)?;
            (client, messages(connection))
        }
    };
    Ok((client, Driver(tokio::spawn(drive(messages, kept))), own_port))
}

fn messages<T>(mut connection: Connection<Socket, T>) -> Messages
where
    T: tokio_postgres::tls::TlsStream + Unpin + Send + 'static,
{
    stream::poll_fn(move |context| connection.poll_message(context)).boxed()
}

/// Moves a connection's bytes until it has ended, or is told to.
async fn drive(mut messages: Messages, kept: Kept) {
    let driving = async {
        while let Some(message) = messages.next().await {
            match message {
                Ok(AsyncMessage::Notification(ring)) => {
                    if let Some(notifications) = &kept.notifications {
                        // A full queue is no loss: what was rung is also found by looking.
                        drop(notifications.try_send(ring.payload().to_owned()));
                    }
                }
                Ok(_) => {}
                Err(error) => return tracing::debug!(%error, "a connection to PostgreSQL ended"),
            }
        }
    };
    tokio::select! {
        () = driving => {}
        () = kept.stop.cancelled() => {}
    }
    drop(kept.place);
}

async fn open(target: &Target) -> Result<(Socket, Option<u16>), ConnectError> {
    let failed = |source| ConnectError::Socket { target: target.to_string(), source };
    Socket::open(target).await.map_err(failed)
}

//! Listeners and connections: HTTP/1.1 with bounded headers, time and numbers, drained on the way out.
//!
//! Trigger calls go straight to ingest; everything else goes through the routes. In `dev` one listener serves both;
//! elsewhere the API listens on a port that is never exposed, but for what Public keys may write to.

mod body;
mod connections;
mod head_refusal;
mod stream;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::body::WatchedBody;
use self::connections::{Bounds, Connection, Connections, Place};
use self::head_refusal::HeadRefusal;
use self::stream::WatchedStream;
use super::app::App;
use super::cors;
use super::held_back::HeldBack;
use super::ingest;
use super::peer::Peer;
use crate::listen::listen;

/// How long a request's head may take, and how long a connection may idle between two.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);
/// How large a request's head may be.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How much of an answer the kernel holds for a peer that does not read it; Linux doubles it.
const SEND_BUFFER_BYTES: usize = 128 * 1024;

/// How long the kernel offers bytes to a peer that takes none, also once we have closed the connection.
const UNTAKEN_TIME_MAX: Duration = Duration::from_secs(60);

/// What a listener's peers may hold. Each limit keeps an idle or slow peer from locking others out.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many connections there may be. Where one more comes, the one that has kept us waiting the longest ends.
    pub connections: usize,
    /// How many of them one peer may have; behind one there may be many callers, such as all that come by a gateway.
    pub connections_of_peer: usize,
    /// How long a peer may take nothing of what it asked for.
    pub write_time: Duration,
    /// How many requests a peer may send at once, before it has read an answer.
    pub requests_ahead: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 8192,
            connections_of_peer: 4096,
            write_time: Duration::from_secs(30),
            requests_ahead: 64,
        }
    }
}

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// Trigger calls and the API, as in `dev`.
    Everything,
    /// Trigger calls, and what Public keys may write to: the one that may be exposed.
    Calls,
    /// The API only.
    Api,
}

/// Where to listen, and for what. Port 0 takes a free one.
#[derive(Debug, Clone, Copy)]
pub struct Listen {
    /// The address.
    pub address: SocketAddr,
    /// What is served there.
    pub surface: Surface,
}

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// What the system says.
    pub source: std::io::Error,
}

/// A running server. Dropping it stops accepting, but joins nothing: call [`RunningServer::drain`].
#[derive(Debug)]
pub struct RunningServer {
    /// Where it listens, in the order of the settings.
    pub addresses: Vec<SocketAddr>,
    stop: CancellationToken,
    connections: TaskTracker,
}

/// Starts serving. Must be called within a tokio runtime.
///
/// # Errors
/// An address cannot be listened on.
pub fn start(asked: &[Listen], app: &Arc<App>, routes: &Router) -> Result<RunningServer, ListenError> {
    start_within(asked, app, routes, Limits::default())
}

/// Starts serving within other limits than the usual ones.
///
/// # Errors
/// An address cannot be listened on.
pub fn start_within(
    asked: &[Listen],
    app: &Arc<App>,
    routes: &Router,
    limits: Limits,
) -> Result<RunningServer, ListenError> {
    let mut running = RunningServer::closed();
    let purge = ingest::forget_expired_keys(Arc::clone(app), running.stop.clone());
    running.connections.spawn(purge);
    for Listen { address, surface } in asked {
        let (app, routes) = (Some(Arc::clone(app)), routes.clone());
        let door = Door { app, surface: *surface, routes, limits };
        running.open(*address, door)?;
    }
    Ok(running)
}

/// Starts serving routes that need nothing of a runtime, such as probes. Must be called within a tokio runtime.
///
/// # Errors
/// The address cannot be listened on.
pub fn start_routes(address: SocketAddr, routes: Router) -> Result<RunningServer, ListenError> {
    let mut running = RunningServer::closed();
    let (surface, limits) = (Surface::Api, Limits::default());
    let door = Door { app: None, surface, routes, limits };
    running.open(address, door)?;
    Ok(running)
}

impl RunningServer {
    fn closed() -> Self {
        RunningServer {
            addresses: Vec::new(),
            stop: CancellationToken::new(),
            connections: TaskTracker::new(),
        }
    }

    fn open(&mut self, address: SocketAddr, door: Door) -> Result<(), ListenError> {
        let failed = |source| ListenError { address, source };
        let listener = listen(address).map_err(failed)?;
        self.addresses.push(listener.local_addr().map_err(failed)?);
        let (stop, connections) = (self.stop.clone(), self.connections.clone());
        self.connections.spawn(accept_until_stopped(listener, door, stop, connections));
        Ok(())
    }

    /// Accepts nothing more, lets every request under way be answered, and gives up at the deadline. Answers whether
    /// all were.
    pub async fn drain(self, deadline: Duration) -> bool {
        self.stop.cancel();
        self.connections.close();
        tokio::time::timeout(deadline, self.connections.wait()).await.is_ok()
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[derive(Clone)]
struct Door {
    /// Who may do what; there is none where only probes are served.
    app: Option<Arc<App>>,
    /// What is served here.
    surface: Surface,
    /// Everything but trigger calls.
    routes: Router,
    limits: Limits,
}

/// A request with this came in where Public keys are served and no others.
#[derive(Debug, Clone, Copy)]
pub(super) struct PublicKeysOnly;

type Answer = Response<Either<Full<Bytes>, Body>>;

impl Door {
    /// Answers a request of a connection, and delays the answer to a client that guesses credentials.
    async fn serve(
        self,
        request: Request<Incoming>,
        connection: Arc<Connection>,
        stop: CancellationToken,
    ) -> Result<Answer, Infallible> {
        let is_last = connection.begins() >= self.limits.requests_ahead;
        let page = self.app.as_ref().and_then(|app| cors::from_page(app, &request));
        let waits_to_be_asked = request.headers().contains_key(http::header::EXPECT);
        let watched = |body| WatchedBody::new(body, Arc::clone(&connection), waits_to_be_asked);
        let mut request = request.map(watched);
        request.extensions_mut().insert(connection.peer);
        let mut answer = match &page {
            Some(page) if page.is_preflight => nothing(StatusCode::NO_CONTENT),
            _ => self.answer(request).await?,
        };
        connection.waits();
        if let Some(page) = page {
            page.allow(answer.headers_mut());
        }
        if let Some(HeldBack(time)) = answer.extensions().get() {
            tokio::select! {
                () = tokio::time::sleep(*time) => {}
                () = stop.cancelled() => {}
            }
        }
        if is_last {
            answer.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
        }
        Ok(answer)
    }

    async fn answer(self, request: Request<WatchedBody>) -> Result<Answer, Infallible> {
        let is_call = request.uri().path().starts_with(ingest::PATH_PREFIX);
        if let Some(app) = self.app.as_ref().filter(|_| is_call && self.surface != Surface::Api) {
            return Ok(ingest::answer(app, request).await.map(Either::Left));
        }
        let mut request = without_last_slash(request);
        if self.surface == Surface::Calls {
            let is_theirs = request.method() == Method::POST && cors::is_for_pages(request.uri().path());
            if !is_theirs {
                // This listener serves nothing else, and does not reveal which paths other listeners serve.
                return Ok(nothing(StatusCode::NOT_FOUND));
            }
            request.extensions_mut().insert(PublicKeysOnly);
        }
        let answered = TowerToHyperService::new(self.routes).call(request).await;
        Ok(answered.map_or_else(|never: Infallible| match never {}, |response| response.map(Either::Right)))
    }
}

/// An answer without a body.
fn nothing(status: StatusCode) -> Answer {
    let mut nothing = Response::new(Either::Left(Full::default()));
    *nothing.status_mut() = status;
    nothing
}

/// Programs that put URLs together write one more slash at a path's end.
fn without_last_slash<B>(mut request: Request<B>) -> Request<B> {
    let uri = request.uri();
    let Some(path) = uri.path().strip_suffix('/').filter(|path| !path.is_empty()) else { return request };
    let target = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    if let Ok(target) = target.parse() {
        *request.uri_mut() = target;
    }
    request
}

async fn accept_until_stopped(
    listener: TcpListener,
    door: Door,
    stop: CancellationToken,
    connections: TaskTracker,
) {
    let Limits { connections: all, connections_of_peer: of_peer, .. } = door.limits;
    let open = Connections::new(Bounds { all, of_peer });
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: some connection must end before the next can begin.
                tracing::warn!(%error, "cannot accept a connection");
                open.end_longest_waiting();
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let place = tokio::select! {
            () = stop.cancelled() => return,
            place = open.place(Peer::from(address.ip())) => place,
        };
        match place {
            Some(place) => drop(connections.spawn(serve(stream, place, door.clone(), stop.clone()))),
            None => tracing::debug!(%address, "a peer has all the connections that one may have"),
        }
    }
}

async fn serve(stream: TcpStream, place: Place, door: Door, stop: CancellationToken) {
    if let Err(error) = prepare(&stream) {
        tracing::debug!(%error, "a connection keeps the system's settings");
    }
    let connection = Arc::clone(&place.connection);
    let stream = WatchedStream::new(stream, Arc::clone(&connection), door.limits.write_time);
    let end = connection.end.clone();
    let stopping = stop.clone();
    let service =
        service_fn(move |request| door.clone().serve(request, Arc::clone(&connection), stopping.clone()));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(HeadRefusal(stream)), service);
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = end.cancelled() => return,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            tokio::select! {
                ended = served => ended,
                () = end.cancelled() => return,
            }
        }
    };
    if let Err(error) = ended {
        // Callers hang up; that is theirs to know.
        tracing::debug!(%error, "a connection ended early");
    }
}

/// What the kernel does for a connection: it sends at once, holds little, and gives up what is not taken, also once we
/// have closed it.
fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNTAKEN_TIME_MAX))?;
    Ok(())
}

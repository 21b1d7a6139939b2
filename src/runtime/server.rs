//! Listeners and connections: HTTP/1.1 with bounded headers, time and numbers, drained on the way out.
//!
//! Trigger calls go straight to ingest; everything else goes through the routes. In `dev` one listener serves both;
//! elsewhere the API listens on a port that is never exposed.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::app::App;
use super::head_refusal::HeadRefusal;
use super::ingest;
use crate::listen::listen;

/// How long a request's head may take, and how long a connection may idle between two.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);
/// How large a request's head may be.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How many connections a listener holds; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 8192;

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// Trigger calls and the API, as in `dev`.
    Everything,
    /// Trigger calls only: the one that may be exposed.
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

/// A running server. Dropping it stops accepting, but joins nothing: call [`Running::drain`].
#[derive(Debug)]
pub struct Running {
    /// Where it listens, in the order of the settings.
    pub addresses: Vec<SocketAddr>,
    stop: CancellationToken,
    connections: TaskTracker,
}

/// Starts serving. Must be called within a tokio runtime.
///
/// # Errors
/// An address cannot be listened on.
pub fn start(asked: &[Listen], app: &Arc<App>, routes: &Router) -> Result<Running, ListenError> {
    let mut running = Running::closed();
    let purge = ingest::forget_expired_keys(Arc::clone(app), running.stop.clone());
    running.connections.spawn(purge);
    for Listen { address, surface } in asked {
        let (calls, api) = (*surface != Surface::Api, *surface != Surface::Calls);
        let door = Door { calls: calls.then(|| Arc::clone(app)), routes: api.then(|| routes.clone()) };
        running.open(*address, door)?;
    }
    Ok(running)
}

/// Starts serving routes that need nothing of a runtime, such as probes. Must be called within a tokio runtime.
///
/// # Errors
/// The address cannot be listened on.
pub fn start_routes(address: SocketAddr, routes: Router) -> Result<Running, ListenError> {
    let mut running = Running::closed();
    running.open(address, Door { calls: None, routes: Some(routes) })?;
    Ok(running)
}

impl Running {
    fn closed() -> Self {
        Running { addresses: Vec::new(), stop: CancellationToken::new(), connections: TaskTracker::new() }
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

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[derive(Clone)]
struct Door {
    /// Where trigger calls go; nowhere, if they are not served here.
    calls: Option<Arc<App>>,
    /// Everything else, if it is served here.
    routes: Option<Router>,
}

type Answer = Response<Either<Full<Bytes>, Body>>;

impl Door {
    async fn answer(self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let is_call = request.uri().path().starts_with(ingest::PATH_PREFIX);
        if let Some(app) = self.calls.as_ref().filter(|_| is_call) {
            return Ok(ingest::answer(app, request).await.map(Either::Left));
        }
        let Some(routes) = self.routes else {
            // Nothing else is here, and what is elsewhere is nobody's business.
            let mut nothing = Response::new(Either::Left(Full::default()));
            *nothing.status_mut() = http::StatusCode::NOT_FOUND;
            return Ok(nothing);
        };
        let answered = TowerToHyperService::new(routes).call(without_last_slash(request)).await;
        Ok(answered.map_or_else(|never: Infallible| match never {}, |response| response.map(Either::Right)))
    }
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
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => return,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let served = serve(stream, door.clone(), stop.clone());
                connections.spawn(async move {
                    served.await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: some connection must end before the next can begin.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, door: Door, stop: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let service = service_fn(move |request| door.clone().answer(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(HeadRefusal(stream)), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Callers hang up; that is theirs to know.
        tracing::debug!(%error, "a connection ended early");
    }
}

//! A small HTTP/1.1 client that says how far a request got, since that decides whether it may have been taken.
//!
//! Invariant: one request is written at most once. A pooled connection that the server has closed is noticed before
//! the first byte is written, and then another is used; after the first byte nothing is repeated here.

mod connection;
mod origin;
mod retry_after;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::time::{Instant, timeout_at};

use super::wire::Network;
use connection::Connection;
pub use origin::{HttpTarget, TargetError};
pub use retry_after::retry_after;

/// What a request came to when no answer did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpFailure {
    /// There was no connection to send it on.
    #[error("{0}")]
    NotConnected(String),
    /// There was a connection, but not one byte of the request was written.
    #[error("nothing was sent: {0}")]
    NothingWritten(String),
    /// At least a byte was written, and no answer came.
    #[error("the request was sent, then {0}")]
    OnItsWay(String),
}

/// The server's answer. The body is cut off after 64 KiB.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, or its beginning.
    pub body: Bytes,
}

/// Posts to one target over a bounded number of kept connections.
pub struct Client {
    network: Network,
    target: HttpTarget,
    timeout: Duration,
    /// Kept connections; the one used last is at the end.
    idle: Mutex<VecDeque<Connection>>,
    idle_max: usize,
}

/// How long a connection is kept for the next request unless the server names less. Servers close idle connections
/// after 5 s and more; a request must not meet that moment, since it could not be told from one that was taken.
const IDLE_FOR: Duration = Duration::from_secs(4);

impl Client {
    /// A client for one target that keeps at most `idle_max` connections and gives each request `timeout` in all.
    pub fn new(network: Network, target: HttpTarget, timeout: Duration, idle_max: usize) -> Self {
        Client { network, target, timeout, idle: Mutex::default(), idle_max }
    }

    /// Posts a body with these headers; `host` is added, and `user-agent` where there is none. Redirects are answers like any other.
    pub async fn post(&self, mut headers: HeaderMap, body: Bytes) -> Result<HttpAnswer, HttpFailure> {
        let deadline = Instant::now() + self.timeout;
        headers.insert(header::HOST, self.target.host_header().clone());
        headers.entry(header::USER_AGENT).or_insert_with(|| HeaderValue::from_static(USER_AGENT));
        let mut request = http::Request::new(http_body_util::Full::new(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.target.path().clone();
        *request.headers_mut() = headers;

        let mut connection = self.connection(deadline).await?;
        let answer = connection.exchange(request, deadline).await?;
        if connection.is_reusable() {
            self.keep(connection);
        }
        Ok(answer)
    }

    /// Ends kept connections that were idle for too long.
    pub fn end_idle(&self) {
        self.lock().retain(Connection::is_fresh);
    }

    /// Ends the kept connections.
    pub fn close(&self) {
        self.lock().clear();
    }

    async fn connection(&self, deadline: Instant) -> Result<Connection, HttpFailure> {
        while let Some(mut kept) = self.take() {
            if kept.is_alive().await {
                return Ok(kept);
            }
        }
        let (host, port) = (self.target.host(), self.target.port());
        let opening = async {
            let stream = self.network.connect(host, port, self.target.is_protected()).await;
            let stream = stream.map_err(|error| HttpFailure::NotConnected(error.to_string()))?;
            Connection::new(stream).await
        };
        timeout_at(deadline, opening).await.unwrap_or_else(|_| {
            Err(HttpFailure::NotConnected(format!("no connection to {host}:{port} in time")))
        })
    }

    /// The connection used last: few hot ones are faster than many lukewarm ones.
    fn take(&self) -> Option<Connection> {
        self.lock().pop_back()
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.lock();
        // Only the oldest is looked at: one a message is enough to keep up, and looking at all would cost more than
        // the rest of this.
        if idle.front().is_some_and(|oldest| !oldest.is_fresh()) {
            idle.pop_front();
        }
        if idle.len() < self.idle_max {
            idle.push_back(connection);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Connection>> {
        self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

const USER_AGENT: &str = concat!("fanfare/", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests;

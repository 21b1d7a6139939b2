//! One connection and the request on it, driven together: no task of its own, nothing to join.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};

use super::{HttpAnswer, HttpFailure, IDLE_FOR};
use crate::channels::wire::Stream;

/// How much of an answer is read. A provider's error fits; a page does not have to.
const BODY_BYTES_MAX: usize = 64 * 1024;

type Driver = http1::Connection<TokioIo<Stream>, Full<Bytes>>;

/// A connection with at most one request on it.
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Driver,
    written: Arc<AtomicU64>,
    idle_until: Instant,
    ended: bool,
}

impl Connection {
    pub(super) async fn new(stream: Stream) -> Result<Self, HttpFailure> {
        let written = stream.written();
        let handshake = http1::Builder::new().handshake(TokioIo::new(stream)).await;
        let (sender, driver) = handshake.map_err(|error| HttpFailure::NotConnected(error.to_string()))?;
        Ok(Connection { sender, driver, written, idle_until: Instant::now() + IDLE_FOR, ended: false })
    }

    /// Sends a request and reads the answer, until the deadline. Once its head is there it is an answer, whatever
    /// becomes of the body.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<HttpAnswer, HttpFailure> {
        let before = self.written.load(Ordering::Relaxed);
        let response = self.sender.send_request(request);
        let response = timeout_at(deadline, drive(&mut self.driver, &mut self.ended, response)).await;
        let reason = match response {
            Ok(Ok(response)) => return Ok(self.answer(response, deadline).await),
            Ok(Err(error)) => plain_reason(&error),
            Err(_) => "no answer came in time".into(),
        };
        self.ended = true;
        match self.written.load(Ordering::Relaxed) == before {
            true => Err(HttpFailure::NothingWritten(reason)),
            false => Err(HttpFailure::OnItsWay(reason)),
        }
    }

    /// Whether the connection can take another request.
    pub(super) fn is_reusable(&self) -> bool {
        !self.ended && self.sender.is_ready()
    }

    /// Whether it has not been idle for too long.
    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.idle_until
    }

    /// Whether an idle connection is still open at the other end, as far as can be known.
    pub(super) async fn is_alive(&mut self) -> bool {
        let fresh = self.is_fresh();
        let driver = &mut self.driver;
        fresh
            && poll_fn(|cx| Poll::Ready(Pin::new(&mut *driver).poll(cx).is_pending())).await
            && self.sender.is_ready()
    }

    async fn answer(&mut self, response: Response<Incoming>, deadline: Instant) -> HttpAnswer {
        let (head, body) = response.into_parts();
        let mut read = BytesMut::new();
        let reading = drive(&mut self.driver, &mut self.ended, read_bounded(body, &mut read));
        let whole = timeout_at(deadline, reading).await.unwrap_or(false);
        self.ended |= !whole || !self.becomes_ready().await;
        self.idle_until = Instant::now() + kept_open_for(&head.headers);
        HttpAnswer { status: head.status, headers: head.headers, body: read.freeze() }
    }

    /// Lets the connection see the end of the exchange; it does not wait for anything from the other end.
    async fn becomes_ready(&mut self) -> bool {
        let (driver, sender) = (&mut self.driver, &mut self.sender);
        poll_fn(|cx| {
            let open = Pin::new(&mut *driver).poll(cx).is_pending();
            Poll::Ready(open && matches!(sender.poll_ready(cx), Poll::Ready(Ok(()))))
        })
        .await
    }
}

/// Polls the connection and what waits for it by turns. What arrived before the connection ended still counts.
async fn drive<T>(driver: &mut Driver, ended: &mut bool, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    poll_fn(|cx| {
        if !*ended {
            *ended = Pin::new(&mut *driver).poll(cx).is_ready();
        }
        work.as_mut().poll(cx)
    })
    .await
}

/// Reads the body up to the limit; whether that was all of it.
async fn read_bounded(mut body: Incoming, read: &mut BytesMut) -> bool {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let Ok(data) = frame.into_data() else { continue };
        let room = BODY_BYTES_MAX - read.len();
        read.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return false;
        }
    }
    true
}

/// A second less than the server's `keep-alive: timeout=…` where it names one, else the usual time.
fn kept_open_for(headers: &HeaderMap) -> Duration {
    let named = || {
        let text = headers.get("keep-alive")?.to_str().ok()?;
        let timeout = text.split(',').find_map(|part| part.trim().strip_prefix("timeout="))?;
        timeout.parse().ok().map(Duration::from_secs)
    };
    named().map_or(IDLE_FOR, |timeout| timeout.saturating_sub(Duration::from_secs(1)).min(IDLE_FOR))
}

/// The innermost cause: "connection reset by peer" says more than "connection error".
fn plain_reason(error: &hyper::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

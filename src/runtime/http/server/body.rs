//! A request's body on its way in, which tells when it is complete: from then on its request is worked on.
//!
//! What is left of a body when its request was answered is still taken, within bounds. Were the connection closed with
//! bytes unread, the kernel would reset it, and a peer that only writes would never see its answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;

use super::connections::Connection;

/// How much of a body is taken and thrown away.
const LEFT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// For how long that is done.
const LEFT_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a peer may send nothing meanwhile.
const LEFT_IDLE_MAX: Duration = Duration::from_secs(5);

/// A body whose connection is told of its end.
pub(super) struct WatchedBody {
    /// Absent once it was handed over to be drained.
    body: Option<Incoming>,
    connection: Arc<Connection>,
    /// Whether the peer waits to be asked for the body.
    waits_to_be_asked: bool,
}

impl WatchedBody {
    pub(super) fn new(body: Incoming, connection: Arc<Connection>, waits_to_be_asked: bool) -> Self {
        if body.is_end_stream() {
            connection.is_worked_on();
        }
        WatchedBody { body: Some(body), connection, waits_to_be_asked }
    }
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.waits_to_be_asked = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(&mut *body).poll_frame(cx);
        let is_complete = matches!(polled, Poll::Ready(None)) || body.is_end_stream();
        if is_complete {
            self.connection.is_worked_on();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        let left = self.body.take().filter(|body| !body.is_end_stream() && !self.waits_to_be_asked);
        if let (Some(left), Ok(runtime)) = (left, Handle::try_current()) {
            self.connection.waits();
            drop(runtime.spawn(tokio::time::timeout(LEFT_TIME_MAX, throw_away(left))));
        }
    }
}

/// Drains the rest of a body to its end or to the bounds; dropping it then closes the connection.
async fn throw_away(mut left: Incoming) {
    let mut taken = 0_usize;
    while taken < LEFT_BYTES_MAX {
        match tokio::time::timeout(LEFT_IDLE_MAX, left.frame()).await {
            Ok(Some(Ok(frame))) => taken += frame.data_ref().map_or(0, Bytes::len),
            Ok(Some(Err(_)) | None) | Err(_) => return,
        }
    }
}

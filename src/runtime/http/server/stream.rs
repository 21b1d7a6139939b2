//! A connection's bytes: noted when they move, and given up when the peer takes none for too long.

use std::io::{ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::connections::Connection;

/// A stream whose peer must read what it asked for.
pub(super) struct WatchedStream {
    stream: TcpStream,
    connection: Arc<Connection>,
    write_time_max: Duration,
    /// Runs while the peer takes nothing.
    given_up_at: Pin<Box<Sleep>>,
    is_stuck: bool,
}

impl WatchedStream {
    pub(super) fn new(stream: TcpStream, connection: Arc<Connection>, write_time_max: Duration) -> Self {
        let given_up_at = Box::pin(tokio::time::sleep(write_time_max));
        WatchedStream { stream, connection, write_time_max, given_up_at, is_stuck: false }
    }

    /// What a write that came to `polled` means.
    fn watched<T>(&mut self, polled: Poll<Result<T>>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        if polled.is_ready() {
            self.is_stuck = false;
            self.connection.moves();
            return polled;
        }
        if !self.is_stuck {
            self.is_stuck = true;
            self.given_up_at.as_mut().reset(Instant::now() + self.write_time_max);
        }
        ready!(self.given_up_at.as_mut().poll(cx));
        // What the kernel still holds for this peer goes at once, instead of being offered on.
        if let Err(error) = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)) {
            tracing::debug!(%error, "a connection that is given up lingers");
        }
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.connection.was_read();
        }
        polled
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watched(polled, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watched(polled, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

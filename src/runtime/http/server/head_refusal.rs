//! A head that is too large is answered with 400, as everything else that cannot be read.
//!
//! hyper answers 431 by itself, before a service sees anything, and a trigger's callers were promised no such status.
//! Both statuses have three digits, so the answer is changed where it is written.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const TOO_LARGE: &[u8] = b"HTTP/1.1 431 ";
const UNREADABLE: &[u8] = b"HTTP/1.1 400 ";

/// A connection whose refusals of a head have the promised status.
pub(super) struct HeadRefusal<S>(pub S);

impl<S: AsyncRead + Unpin> AsyncRead for HeadRefusal<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadRefusal<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        match buf.strip_prefix(TOO_LARGE) {
            Some(rest) => Pin::new(&mut self.0).poll_write(cx, &[UNREADABLE, rest].concat()),
            None => Pin::new(&mut self.0).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        match bufs.first() {
            Some(first) if first.starts_with(TOO_LARGE) => self.poll_write(cx, first),
            _ => Pin::new(&mut self.0).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

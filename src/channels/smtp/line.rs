//! Commands out, replies in, over one connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};

use super::reply::{self, Reply, ReplyError};
use crate::channels::wire::Stream;

/// Why a connection is of no more use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server is closing the connection: {0}")]
    Closing(String),
    #[error(transparent)]
    Reply(#[from] ReplyError),
}

/// A connection that speaks in commands and replies.
pub(super) struct Line {
    stream: Stream,
    received: BytesMut,
    written: Arc<AtomicU64>,
}

impl Line {
    pub(super) fn new(stream: Stream) -> Self {
        let written = stream.written();
        Line { stream, received: BytesMut::with_capacity(1024), written }
    }

    /// The connection, unless something was received that was not asked for: what a person in between put there
    /// before TLS began must not be read as if it came after.
    pub(super) fn into_stream(self) -> Result<Stream, ReplyError> {
        match self.received.is_empty() {
            true => Ok(self.stream),
            false => Err(ReplyError::Malformed),
        }
    }

    /// How many bytes were accepted for writing so far.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    pub(super) fn local_ip(&self) -> std::io::Result<std::net::IpAddr> {
        self.stream.local_addr().map(|address| address.ip())
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    pub(super) async fn read(&mut self) -> Result<Reply, Lost> {
        loop {
            if let Some((reply, length)) = reply::parse(&self.received)? {
                self.received.advance(length);
                return Ok(reply);
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(Lost::Closed);
            }
        }
    }

    /// Sends one command and reads its reply.
    pub(super) async fn ask(&mut self, command: &str) -> Result<Reply, Lost> {
        let mut line = String::with_capacity(command.len() + 2);
        line.push_str(command);
        line.push_str("\r\n");
        self.write(line.as_bytes()).await?;
        self.read().await
    }

    /// Whether an idle connection has neither ended nor had something to say, such as 421.
    pub(super) async fn is_quiet(&mut self) -> bool {
        let mut byte = [0; 1];
        let mut buffer = ReadBuf::new(&mut byte);
        let stream = &mut self.stream;
        let read = std::future::poll_fn(|cx| {
            let read = tokio::io::AsyncRead::poll_read(std::pin::Pin::new(&mut *stream), cx, &mut buffer);
            Poll::Ready(read.is_pending())
        });
        self.received.is_empty() && read.await
    }
}

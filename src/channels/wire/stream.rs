//! One connection, in the clear or protected, that knows how many bytes it was given to write.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// One connection. Bytes are counted before they are encrypted: none counted means that none left.
pub struct Stream {
    inner: Inner,
    written: Arc<AtomicU64>,
}

enum Inner {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// A connection in the clear.
    pub fn plain(tcp: TcpStream) -> Self {
        Stream { inner: Inner::Plain(tcp), written: Arc::default() }
    }

    /// A protected connection.
    pub fn tls(stream: TlsStream<TcpStream>) -> Self {
        Stream { inner: Inner::Tls(Box::new(stream)), written: Arc::default() }
    }

    /// How many bytes were accepted for writing since the connection was made; the counter outlives the stream.
    pub fn written(&self) -> Arc<AtomicU64> {
        self.written.clone()
    }

    /// The TCP connection, unless it is protected already.
    pub fn into_plain(self) -> Result<TcpStream, Self> {
        match self.inner {
            Inner::Plain(tcp) => Ok(tcp),
            Inner::Tls(_) => Err(self),
        }
    }

    /// This side's address.
    pub fn local_addr(&self) -> io::Result<std::net::SocketAddr> {
        match &self.inner {
            Inner::Plain(tcp) => tcp.local_addr(),
            Inner::Tls(tls) => tls.get_ref().0.local_addr(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Inner::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let accepted = ready!(match &mut this.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Inner::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        });
        if let Ok(bytes) = accepted {
            this.written.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        Poll::Ready(accepted)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Inner::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Inner::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

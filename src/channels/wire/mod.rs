//! A connection to a provider: TCP by the egress guard, TLS where asked for, and a count of what was written.
//!
//! The count decides whether a message may have been taken: nothing written means nothing was.

mod stream;
mod tls;

pub use stream::Stream;
pub use tls::{Tls, TlsError};

/// Why there is no connection. Nothing has been sent.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The guard refused it, or the peer did not answer.
    #[error(transparent)]
    Egress(#[from] super::egress::EgressError),
    /// No protected connection came about.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Everything needed to reach providers; one is shared by all channels of a process.
#[derive(Clone)]
pub struct Network {
    /// Where channels may connect to.
    pub egress: std::sync::Arc<super::egress::Egress>,
    /// Whose certificates are trusted.
    pub tls: Tls,
}

impl Network {
    /// Connects, in the clear or by TLS from the first byte.
    pub async fn connect(&self, host: &str, port: u16, protected: bool) -> Result<Stream, ConnectError> {
        let tcp = self.egress.connect(host, port).await?;
        match protected {
            true => Ok(Stream::tls(self.tls.client(host, tcp).await?)),
            false => Ok(Stream::plain(tcp)),
        }
    }

    /// Turns a connection in the clear into a protected one, as STARTTLS does.
    pub async fn protect(&self, host: &str, stream: Stream) -> Result<Stream, ConnectError> {
        match stream.into_plain() {
            Ok(tcp) => Ok(Stream::tls(self.tls.client(host, tcp).await?)),
            Err(already) => Ok(already),
        }
    }
}

#[cfg(test)]
mod tests;

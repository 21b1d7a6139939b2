//! TLS to providers: the system's roots and, where given, those of one more file.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Why a connection could not be protected.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TlsError {
    /// There are no certificate authorities to trust.
    #[error("no certificate authorities: {0}")]
    Roots(String),
    /// The host cannot be in a certificate.
    #[error("`{0}` is not a name a certificate can be for")]
    Name(String),
    /// The handshake failed.
    #[error("TLS with {host}: {reason}")]
    Handshake {
        /// The server.
        host: String,
        /// What went wrong.
        reason: String,
    },
}

/// Whose certificates are trusted. Cloning is cheap; the roots are read when the first connection needs them.
#[derive(Clone, Default)]
pub struct Tls(Arc<Inner>);

#[derive(Default)]
struct Inner {
    extra_roots: Option<PathBuf>,
    config: OnceLock<Result<Arc<ClientConfig>, TlsError>>,
}

impl Tls {
    /// Trusts the authorities in a PEM file beside the system's.
    pub fn with_extra_roots(file: PathBuf) -> Self {
        Tls(Arc::new(Inner { extra_roots: Some(file), config: OnceLock::new() }))
    }

    /// Makes the handshake. The certificate must be for `host`.
    pub(super) async fn client(&self, host: &str, tcp: TcpStream) -> Result<TlsStream<TcpStream>, TlsError> {
        let config = self.0.config.get_or_init(|| self.0.load()).clone()?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| TlsError::Name(host.into()))?;
        let handshake = TlsConnector::from(config).connect(name, tcp);
        handshake.await.map_err(|error| TlsError::Handshake { host: host.into(), reason: error.to_string() })
    }
}

impl Inner {
    fn load(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(native.certs);
        if let Some(file) = &self.extra_roots {
            let unreadable =
                |error: &dyn std::fmt::Display| TlsError::Roots(format!("{}: {error}", file.display()));
            let certificates = CertificateDer::pem_file_iter(file).map_err(|error| unreadable(&error))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| unreadable(&error))?;
                roots.add(certificate).map_err(|error| unreadable(&error))?;
            }
        }
        if roots.is_empty() {
            let errors: Vec<String> = native.errors.iter().map(ToString::to_string).collect();
            return Err(TlsError::Roots(format!("the system has none ({})", errors.join("; "))));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has the cipher suites of TLS 1.2 and 1.3");
        Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
    }
}

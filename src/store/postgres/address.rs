//! Where the database is and how it is reached: a `postgres://` URL with the TLS that it asks for.
//!
//! TLS means that the server proves its name; there is no half of it, and a password never crosses a network bare
//! unless the URL says so.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Host, SslMode};

/// What an address begins with.
const SCHEMES: [&str; 2] = ["postgres", "postgresql"];
/// A database's address, parsed. Its password does not print.
#[derive(Clone)]
pub struct PostgresAddress {
    pub(super) config: tokio_postgres::Config,
    pub(super) tls: Option<Arc<ClientConfig>>,
    shown: String,
}

/// What is wrong with a database's address.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseAddressError {
    /// It is no URL of PostgreSQL.
    #[error(
        "`{shown}` is not a PostgreSQL URL ({reason}); write postgres://user:password@host:5432/database"
    )]
    NotAUrl {
        /// The address without its password.
        shown: String,
        /// What is wrong.
        reason: String,
    },
    /// TLS without proof of whom it is spoken to, or a word that is none.
    #[error(
        "sslmode={0} is not offered: `verify-full` proves whom Fanfare speaks to (with sslrootcert=<file> where the \
         authority is your own), `disable` is for a network you trust"
    )]
    SslMode(String),
    /// The authorities cannot be read.
    #[error("the authority in {} cannot be used: {reason}; it must hold certificates as PEM", path.display())]
    RootCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl std::fmt::Debug for PostgresAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("PostgresAddress").field(&self.shown).finish()
    }
}

impl std::fmt::Display for PostgresAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl FromStr for PostgresAddress {
    type Err = DatabaseAddressError;

    fn from_str(text: &str) -> Result<Self, DatabaseAddressError> {
        Self::read(text, None)
    }
}

impl PostgresAddress {
    /// Reads an address beside which the file with its server's authority lies, if it has one. Where TLS is spoken, that
    /// authority is trusted and no other, unless the address names one itself.
    ///
    /// # Errors
    /// See [`DatabaseAddressError`].
    pub fn read(text: &str, authority: Option<&Path>) -> Result<Self, DatabaseAddressError> {
        let written = Written::of(text)?;
        let shown = written.shown.clone();
        let (plain, mut asked) = take_tls(text);
        asked.roots = asked.roots.or_else(|| authority.map(Path::to_owned));
        let wrong = |reason| DatabaseAddressError::NotAUrl { shown: shown.clone(), reason };
        let mut config: tokio_postgres::Config = plain.parse().map_err(|error| wrong(reason_of(&error)))?;
        if config.get_hosts().iter().all(|host| *host == Host::Tcp(String::new())) {
            return Err(wrong("it names no host".to_owned()));
        }
        let tls = match asked.is_wanted(&config)? {
            true => Some(asked.client_config()?),
            false => None,
        };
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        if config.get_application_name().is_none() {
            config.application_name("fanfare");
        }
        Ok(PostgresAddress { config, tls, shown })
    }
}

/// What the URL says about TLS.
#[derive(Default)]
struct AskedTls {
    mode: Option<String>,
    roots: Option<PathBuf>,
}

/// Cuts what is ours out of the query: the driver does not know `verify-full`.
fn take_tls(text: &str) -> (String, AskedTls) {
    let Some((front, query)) = text.split_once('?') else {
        return (text.to_owned(), AskedTls::default());
    };
    let mut asked = AskedTls::default();
    let mut rest = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "sslmode" => asked.mode = Some(value.into_owned()),
            "sslrootcert" => asked.roots = Some(PathBuf::from(value.as_ref())),
            _ => {
                rest.append_pair(&name, &value);
            }
        }
    }
    let rest = rest.finish();
    let plain =
        if rest.is_empty() { front.to_owned() } else { format!("{front}?{}", rest.replace('+', "%20")) };
    (plain, asked)
}

impl AskedTls {
    /// Unless it is said, whatever leaves this machine is protected.
    fn is_wanted(&self, config: &tokio_postgres::Config) -> Result<bool, DatabaseAddressError> {
        match self.mode.as_deref() {
            Some("verify-full") => Ok(true),
            Some("disable") => Ok(false),
            Some(other) => Err(DatabaseAddressError::SslMode(other.to_owned())),
            None => Ok(config.get_hosts().iter().any(leaves_this_machine)),
        }
    }

    fn client_config(&self) -> Result<Arc<ClientConfig>, DatabaseAddressError> {
        let mut roots = RootCertStore::empty();
        match &self.roots {
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
            Some(path) => {
                let wrong = |error: &dyn std::fmt::Display| DatabaseAddressError::RootCertificate {
                    path: path.clone(),
                    reason: error.to_string(),
                };
                for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
                    let certificate = certificate.map_err(|error| wrong(&error))?;
                    roots.add(certificate).map_err(|error| wrong(&error))?;
                }
                if roots.is_empty() {
                    return Err(wrong(&"it holds no certificate"));
                }
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has the cipher suites of TLS 1.2 and 1.3");
        Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
    }
}

fn leaves_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            let is_loopback = name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
            !is_loopback && name != "localhost"
        }
        Host::Unix(_) => false,
    }
}

/// An address as a person typed it, looked through for what would let a part of a password be taken for something
/// else, and then be shown.
struct Written {
    /// As people may see it.
    shown: String,
}

impl Written {
    fn of(text: &str) -> Result<Self, DatabaseAddressError> {
        let refused = |shown: &str, reason: &str| {
            Err(DatabaseAddressError::NotAUrl { shown: shown.to_owned(), reason: reason.to_owned() })
        };
        let hidden = "the address";
        let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| SCHEMES.contains(scheme))
        else {
            return refused(hidden, "it does not begin with postgres://");
        };
        let (front, query) = rest.split_once('?').unwrap_or((rest, ""));
        if front.matches('@').count() > 1 || query.contains('@') {
            return refused(
                hidden,
                "within a user, password or parameter, `@` is written %40 and `?` is written %3F",
            );
        }
        let (user, place) = match front.split_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, front),
        };
        let who = match user.map(|user| user.split_once(':').map_or((user, false), |(user, _)| (user, true)))
        {
            Some((user, true)) => format!("{user}:…@"),
            Some((user, false)) => format!("{user}@"),
            None => String::new(),
        };
        let parameters: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let hosts = parameters.iter().filter(|(name, _)| name == "host");
        let hosts: String = hosts.map(|(_, host)| format!("?host={host}")).collect();
        let shown = format!("{scheme}://{who}{place}{hosts}");
        if !has_ports(place) {
            // Without an `@`, what stands there may be a password.
            return refused(
                if user.is_some() { &shown } else { hidden },
                "a port is a number from 1 to 65535",
            );
        }
        if parameters.iter().any(|(name, _)| name == "password") {
            return refused(&shown, "a password is written before the host, not as a parameter");
        }
        Ok(Written { shown })
    }
}

/// Whether what is written as a port is one, in each host of `host:port,[::1]:port,…/database`.
fn has_ports(place: &str) -> bool {
    let hosts = place.split_once('/').map_or(place, |(hosts, _)| hosts);
    hosts.split(',').all(|host| {
        let behind =
            host.strip_prefix('[').and_then(|host| host.split_once(']')).map_or(host, |(_, port)| port);
        behind.split_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0))
    })
}

fn reason_of(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PostgresAddress, DatabaseAddressError> {
        text.parse()
    }

    #[test]
    fn what_leaves_the_machine_is_protected_unless_it_is_said() {
        assert!(parse("postgres://fanfare:s3cret@db.example.com/fanfare").unwrap().tls.is_some());
        assert!(parse("postgres://fanfare@db.example.com/fanfare?sslmode=disable").unwrap().tls.is_none());
        assert!(parse("postgres://fanfare@127.0.0.1:5433/fanfare").unwrap().tls.is_none());
        assert!(parse("postgres:///fanfare?host=/run/postgresql").unwrap().tls.is_none());
        assert!(parse("postgres://fanfare@127.0.0.1/fanfare?sslmode=verify-full").unwrap().tls.is_some());
    }

    #[test]
    fn half_a_proof_is_refused_with_what_to_write_instead() {
        for mode in ["require", "prefer", "verify-ca", "nonsense"] {
            let refused = parse(&format!("postgres://a@b/c?sslmode={mode}")).unwrap_err();
            assert!(refused.to_string().contains("verify-full"), "{refused}");
        }
        let missing = parse("postgres://a@b/c?sslmode=verify-full&sslrootcert=/no/such/file").unwrap_err();
        assert!(missing.to_string().contains("/no/such/file"), "{missing}");
    }

    #[test]
    fn a_password_does_not_print() {
        let address = parse("postgres://fanfare:s3cret@127.0.0.1/fanfare").unwrap();
        assert!(!format!("{address} {address:?}").contains("s3cret"));
        let wrong = parse("postgres://fanfare:s3cret@127.0.0.1:port/fanfare").unwrap_err();
        assert!(!wrong.to_string().contains("s3cret"), "{wrong}");
    }
}

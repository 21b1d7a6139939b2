//! What a sandbox is started with.
//!
//! The defaults are those of a person who types `fanfare sandbox`: any free port, any credentials, messages
//! kept in memory.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::Rule;

/// Everything that decides how a sandbox behaves from its start.
#[derive(Debug, Clone)]
pub struct SandboxSettings {
    /// Where SMTP is served; port 0 takes a free one.
    pub smtp_listen: SocketAddr,
    /// Where the Twilio-shaped API, the webhook sink and the control API are served; port 0 takes a free one.
    pub http_listen: SocketAddr,
    /// What becomes of a received message.
    pub record: Record,
    /// Faults in force from the start; `PUT /sandbox/faults` replaces them.
    pub faults: Vec<Rule>,
    /// Seed of the faults' probabilities: the same seed and the same order of messages gives the same faults.
    pub fault_seed: u64,
    /// When set, SMTP requires AUTH with exactly these; otherwise AUTH is offered and takes anything.
    pub smtp_credentials: Option<SandboxCredentials>,
    /// When set, the Twilio-shaped API requires this account SID and token; otherwise any Basic credentials.
    pub twilio_credentials: Option<SandboxCredentials>,
}

impl Default for SandboxSettings {
    fn default() -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            smtp_listen: any_port,
            http_listen: any_port,
            record: Record::Memory,
            faults: Vec::new(),
            fault_seed: 0,
            smtp_credentials: None,
            twilio_credentials: None,
        }
    }
}

/// What becomes of a received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Appended to this file as a line of JSON and fsynced before it is answered; the latest also in memory.
    File(PathBuf),
    /// The latest are kept in memory only.
    Memory,
    /// Only counters are kept; for benches.
    None,
}

/// A user (or account) and its password, as typed: `user:password`.
#[derive(Clone, PartialEq, Eq)]
pub struct SandboxCredentials {
    /// The user name, or the account SID.
    pub username: String,
    /// The password, or the account's token.
    pub password: String,
}

impl std::fmt::Debug for SandboxCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({}:[redacted])", self.username)
    }
}

impl std::str::FromStr for SandboxCredentials {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (username, password) = text.split_once(':').ok_or("expected <user>:<password>")?;
        Ok(Self { username: username.to_owned(), password: password.to_owned() })
    }
}

impl std::str::FromStr for Record {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "memory" => Self::Memory,
            "none" => Self::None,
            file => Self::File(PathBuf::from(file)),
        })
    }
}

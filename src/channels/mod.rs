//! The providers a message can leave by, one a file.
//!
//! Invariant: a channel makes one attempt and says what came of it; whether to try again is dispatch's decision.

pub mod connect;
pub mod egress;
pub mod http;
pub mod log;
pub mod smtp;
#[cfg(test)]
mod tests;
pub mod twilio;
mod unrecognized;
pub mod webhook;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use crate::domain::content::Content;
use crate::domain::refusal::{About, Basis, RefusalFinding, alike};
use crate::domain::trace::TraceParent;
pub use unrecognized::Unrecognized;

/// A rendered message on its way to one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Names this delivery for ever: the same for every attempt, another for every other delivery. Lower-case
    /// hexadecimal; it becomes the Message-ID of a mail and the `webhook-id` of a webhook.
    pub key: Arc<str>,
    /// Where it goes: a phone number, a mail address; empty for channels that have one receiver.
    pub address: String,
    /// What it says.
    pub content: Content,
    /// The span of this attempt, if it belongs to a trace; told to providers that are ours to tell.
    pub trace: Option<TraceParent>,
}

/// What came of one attempt. The difference between the last two decides whether a message can be doubled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// The provider took it.
    Sent {
        /// The provider's own id for it.
        provider_id: Option<String>,
    },
    /// The provider will never take this message: a wrong number, a malformed request.
    Refused {
        /// What the provider said.
        reason: String,
        /// Whether it says something of others too.
        reach: Reach,
    },
    /// It is proven that nothing was taken: no connection, nothing written yet, an SMTP 4xx. Trying again cannot double
    /// it.
    NotTaken {
        /// What happened.
        reason: String,
        /// When the provider said to come back.
        retry_after: Option<Duration>,
        /// Whether the provider itself is in trouble (no connection, a refused login), not this message alone: after
        /// several in a row the channel probes with one delivery, and lets the others wait without using up attempts.
        provider_down: bool,
    },
    /// The provider took nothing and wants everyone to slow down: 429, 503 with Retry-After, a full queue. After several
    /// in a row and nothing taken, the channel probes as well.
    Throttled {
        /// What the provider said.
        reason: String,
        /// When the provider said to come back.
        retry_after: Option<Duration>,
    },
    /// It may have been taken: a timeout, a reset or a 5xx after the request was on its way.
    Unknown {
        /// What happened.
        reason: String,
    },
}

impl Attempt {
    /// What happened, in words; nothing to say of one that was sent.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Attempt::Sent { .. } => None,
            Attempt::Refused { reason, .. }
            | Attempt::NotTaken { reason, .. }
            | Attempt::Throttled { reason, .. }
            | Attempt::Unknown { reason } => Some(reason),
        }
    }

    /// It was refused, and that says nothing of others.
    fn refused(reason: impl Into<String>) -> Self {
        Attempt::Refused { reason: reason.into(), reach: Reach::This }
    }

    /// What a table found about a refusal: it is the channel's, or it refuses this message.
    fn found(reason: String, finding: RefusalFinding, retry_after: Option<Duration>) -> Self {
        if finding.about == About::Later {
            return Attempt::Throttled { reason, retry_after };
        }
        if finding.is_the_channels() {
            return Attempt::NotTaken { reason, retry_after, provider_down: true };
        }
        let reach = match finding.basis {
            Basis::Certain => Reach::This,
            Basis::Likely | Basis::Unrecognized => Reach::PerhapsAll { alike: alike(&reason) },
        };
        Attempt::Refused { reason, reach }
    }
}

/// How far a refusal reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// This message or its recipient alone.
    This,
    /// This message, and perhaps all: several recipients in a row that are refused with the same words are not.
    PerhapsAll {
        /// What they have in common.
        alike: String,
    },
    /// This recipient, who wants nothing more from this sender.
    OptedOut,
    /// Everyone: there is nothing there any more, and it asks to be left alone.
    Gone,
}

/// One provider connection, made from a `Channel` manifest and its secrets.
#[async_trait::async_trait]
pub trait Channel: Send + Sync {
    /// Makes one attempt, bounded in time by the channel's own timeout. Never retries by itself.
    async fn attempt(&self, message: &Outgoing) -> Attempt;

    /// Ends idle connections; called once when the channel is replaced or the runtime stops.
    async fn close(&self);

    /// Ends connections that were idle for too long to be used again; called several times a second.
    fn end_idle(&self) {}

    /// Refusals that no row of the tables knows, if there can be such.
    fn unrecognized(&self) -> Option<&Unrecognized> {
        None
    }
}

/// A message of another kind than the channel carries; compiling a scenario rules it out.
fn wrong_content(carried: &str) -> Attempt {
    Attempt::refused(format!("this channel carries {carried} and nothing else"))
}

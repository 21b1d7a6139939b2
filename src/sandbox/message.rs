//! One received message, as the record file and the control API show it.
//!
//! The record is what a checker reads, so it says as much about refusals as about what was taken.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The protocol a message came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// A mail, at the end of its DATA.
    Smtp,
    /// `POST /2010-04-01/Accounts/{sid}/Messages.json`.
    Twilio,
    /// `POST /hooks/{name}`.
    Webhook,
}

impl Protocol {
    /// All protocols, in the order of their statistics.
    pub const ALL: [Self; 3] = [Self::Smtp, Self::Twilio, Self::Webhook];
}

impl std::str::FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "smtp" => Ok(Self::Smtp),
            "twilio" => Ok(Self::Twilio),
            "webhook" => Ok(Self::Webhook),
            other => Err(format!("`{other}` is no protocol; one of smtp, twilio, webhook")),
        }
    }
}

/// One line of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedMessage {
    /// Counts from 1 over the whole record file, also across restarts.
    pub seq: u64,
    /// When the whole message was there.
    pub received_at: jiff::Timestamp,
    /// The protocol it came by.
    pub protocol: Protocol,
    /// Whether it counts as delivered. False for what was refused, reset or left hanging without being kept.
    pub taken: bool,
    /// What the sender was told: `ok`, a status or reply code (`429`, `451`), `none` (left hanging),
    /// `closed` or `reset`.
    pub answered: String,
    /// What was received.
    #[serde(flatten)]
    pub content: ReceivedContent,
}

/// What a sender sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedContent {
    /// The account SID of Twilio, the name of the webhook, the user of an authenticated SMTP session.
    pub endpoint: String,
    /// The envelope's sender, or `From`; empty for webhooks.
    pub from: String,
    /// The envelope's recipients, or `To`; empty for webhooks.
    pub to: Vec<String>,
    /// What a repeated attempt has in common with the first: `ReceivedMessage-ID`, `webhook-id` or `Idempotency-Key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// A mail's subject, decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// A mail's plain text, an SMS's body or a webhook's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A mail's HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// A mail's top-level headers or the request's, names in lower case, without credentials.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

impl ReceivedContent {
    /// About how much memory it holds, in bytes.
    pub(super) fn weight(&self) -> usize {
        let texts = [&self.message_id, &self.subject, &self.text, &self.html];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        let to: usize = self.to.iter().map(String::len).sum();
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        texts + to + headers + self.endpoint.len() + self.from.len()
    }
}

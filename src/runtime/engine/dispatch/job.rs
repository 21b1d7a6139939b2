//! A message on its way to a channel, and a delivery that waits for its next attempt.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use crate::channels::Outgoing;
use crate::domain::content::Content;
use crate::domain::delivery::{DeliveryId, MessageDigest};
use crate::domain::name::NodeIndex;
use crate::domain::sms;
use crate::runtime::engine::live::{ComposedMessage, HeldText, LiveChunk};

/// A message that is to be opened and sent.
pub struct Job {
    /// Run, customer and node.
    pub id: DeliveryId,
    /// The chunk it reports to.
    pub chunk: Arc<LiveChunk>,
    /// The customer's place in the chunk, where this opening decides about it.
    pub place: Option<u32>,
    /// The message node before it in the journey, which is passed by its opening.
    pub predecessor: Option<NodeIndex>,
    /// Whether the journey has nothing to do behind it.
    pub is_terminal: bool,
    /// The number this attempt will have.
    pub attempt: u32,
    /// Whether it has a row already, waiting.
    pub is_retry: bool,
    /// Whether an earlier attempt may have been taken.
    pub maybe_sent: bool,
    /// When its first attempt began, if there was one.
    pub first_at: Option<Timestamp>,
    /// When its customer was read.
    pub read_at: Instant,
    /// The message.
    pub message: Outgoing,
    /// What it says, digested.
    pub digest: MessageDigest,
    /// Counts its texts among those that its chunk holds.
    pub held: HeldText,
}

impl Job {
    /// The first attempt at a message. Place and predecessor, if there are any, are the caller's to set.
    pub fn first(
        chunk: &Arc<LiveChunk>,
        id: DeliveryId,
        composed: ComposedMessage,
        is_terminal: bool,
        read_at: Instant,
    ) -> Self {
        Job {
            id,
            chunk: Arc::clone(chunk),
            place: None,
            predecessor: None,
            is_terminal,
            attempt: 1,
            is_retry: false,
            maybe_sent: false,
            first_at: None,
            read_at,
            digest: digest(&composed.address, &composed.content),
            held: HeldText::new(chunk, texts_bytes(&composed.content)),
            message: Outgoing {
                key: composed.key,
                address: composed.address,
                content: composed.content,
                trace: None,
            },
        }
    }
}

/// Bytes of the texts of a message.
fn texts_bytes(content: &Content) -> usize {
    match content {
        Content::Sms { body } | Content::Webhook { body } => body.len(),
        Content::Email { subject, text, html } => {
            subject.len() + text.as_ref().map_or(0, String::len) + html.as_ref().map_or(0, String::len)
        }
        Content::Log { text } => text.len(),
    }
}

/// How many segments a text message takes; `None` for others.
pub fn segments(content: &Content) -> Option<u8> {
    match content {
        // It was refused before if it takes more than a few.
        Content::Sms { body } => Some(u8::try_from(sms::segments(body)).unwrap_or(u8::MAX)),
        Content::Email { .. } | Content::Webhook { .. } | Content::Log { .. } => None,
    }
}

/// A delivery whose next attempt is later. Its message is rendered again then.
pub struct PendingRetry {
    /// When.
    pub at: Timestamp,
    /// Run, customer and node.
    pub id: DeliveryId,
    /// The chunk it reports to.
    pub chunk: Arc<LiveChunk>,
    /// Whether an earlier attempt may have been taken.
    pub maybe_sent: bool,
    /// Whether the journey has nothing to do behind it.
    pub is_terminal: bool,
    /// When its first attempt began, if there was one.
    pub first_at: Option<Timestamp>,
}

/// Digests what a message says and where it goes.
pub fn digest(address: &str, content: &Content) -> MessageDigest {
    let parts: [Option<&str>; 3] = match content {
        Content::Sms { body } => [Some(body), None, None],
        Content::Email { subject, text, html } => [Some(subject), text.as_deref(), html.as_deref()],
        Content::Webhook { body } => [Some(body), None, None],
        Content::Log { text } => [Some(text), None, None],
    };
    MessageDigest::of(std::iter::once(Some(address)).chain(parts))
}

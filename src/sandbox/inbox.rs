//! The latest messages in memory, for the control API and for `fanfare dev`.
//!
//! Bounded by number and by bytes; the record file is what holds everything.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::{Protocol, ReceivedMessage};

/// Enough for a person and for most tests; more is read from the record file.
const MESSAGES_MAX: usize = 10_000;
/// A few large mails must not take more memory than many small ones.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// One page of the control API.
const PAGE_MAX: usize = 1_000;

/// Which messages a reader wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those that came by this protocol.
    pub protocol: Option<Protocol>,
    /// Only those to this account, hook or SMTP user.
    pub endpoint: Option<String>,
    /// Only those to this recipient.
    pub to: Option<String>,
    /// Only those behind this sequence number.
    pub after: u64,
    /// At most so many; 0 means a whole page of 1,000.
    pub limit: usize,
}

/// Messages in the order they were received.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    /// The messages.
    pub items: Vec<Arc<ReceivedMessage>>,
    /// Pass this as `after` to read on; none when nothing more is there now.
    pub next: Option<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Inbox(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    messages: VecDeque<Arc<ReceivedMessage>>,
    bytes: usize,
}

impl Inbox {
    /// Adds a message, at the cost of the oldest ones when it is full.
    pub(super) fn push(&self, message: Arc<ReceivedMessage>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += message.content.weight();
        kept.messages.push_back(message);
        while kept.messages.len() > MESSAGES_MAX || kept.bytes > BYTES_MAX {
            let Some(oldest) = kept.messages.pop_front() else {
                break;
            };
            kept.bytes -= oldest.content.weight();
        }
    }

    pub(super) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Kept::default();
    }

    pub(super) fn page(&self, filter: &Filter) -> Page {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = if filter.limit == 0 { PAGE_MAX } else { filter.limit.min(PAGE_MAX) };
        let start = kept.messages.partition_point(|message| message.seq <= filter.after);
        let mut wanted = kept.messages.range(start..).filter(|message| filter.wants(message));
        let items: Vec<_> = wanted.by_ref().take(limit).cloned().collect();
        let more = wanted.next().is_some();
        let next = items.last().filter(|_| more).map(|last| last.seq);
        Page { items, next }
    }
}

impl Filter {
    fn wants(&self, message: &ReceivedMessage) -> bool {
        self.protocol.is_none_or(|protocol| message.protocol == protocol)
            && self.endpoint.as_ref().is_none_or(|endpoint| message.content.endpoint == *endpoint)
            && self.to.as_ref().is_none_or(|to| message.content.to.contains(to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::message::ReceivedContent;

    fn message(seq: u64, text: &str) -> Arc<ReceivedMessage> {
        let content = ReceivedContent { text: Some(text.to_owned()), ..ReceivedContent::default() };
        let protocol = Protocol::Webhook;
        Arc::new(ReceivedMessage {
            seq,
            received_at: jiff::Timestamp::UNIX_EPOCH,
            protocol,
            taken: true,
            answered: "ok".into(),
            content,
        })
    }

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        let inbox = Inbox::default();
        (1..=25).for_each(|seq| inbox.push(message(seq, "x")));
        let mut seen = Vec::new();
        let mut filter = Filter { limit: 10, ..Filter::default() };
        loop {
            let page = inbox.page(&filter);
            seen.extend(page.items.iter().map(|message| message.seq));
            let Some(next) = page.next else { break };
            filter.after = next;
        }
        assert_eq!(seen, (1..=25).collect::<Vec<_>>());
    }

    #[test]
    fn the_oldest_go_when_it_is_full() {
        let inbox = Inbox::default();
        (1..=MESSAGES_MAX as u64 + 5).for_each(|seq| inbox.push(message(seq, "x")));
        assert_eq!(inbox.page(&Filter::default()).items[0].seq, 6);

        let large = "x".repeat(BYTES_MAX / 2 + 1);
        inbox.clear();
        inbox.push(message(1, &large));
        inbox.push(message(2, &large));
        assert_eq!(inbox.page(&Filter::default()).items.len(), 1);
    }
}

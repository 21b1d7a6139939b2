//! The sandbox's record, with the mark of every message that was taken.

use std::collections::BTreeMap;
use std::path::Path;

use fanfare::sandbox::{Protocol, ReceivedMessage};

use super::mark::Mark;

/// One message a provider took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub seq: u64,
    pub protocol: Protocol,
    pub mark: Mark,
    pub message_id: Option<String>,
    /// Recipients, subject, text and HTML: what a repeated message must have in common with the first.
    pub said: String,
    /// Whether its sender was told that it was taken.
    pub answered_ok: bool,
}

/// All messages that were taken, and the lines that belong to nobody.
#[derive(Debug, Clone, Default)]
pub struct Record {
    pub taken: Vec<Taken>,
    /// Sequence numbers of messages without a mark.
    pub unmarked: Vec<u64>,
    /// Messages, taken or not, whose senders could not know what came of them, by protocol.
    pub unconfirmed: BTreeMap<Protocol, u64>,
}

impl Record {
    /// Reads a record file. A last line without its end was never answered.
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut record = Self::default();
        for line in whole.lines() {
            let message: ReceivedMessage = serde_json::from_str(line).unwrap();
            if message.answered != "ok" {
                *record.unconfirmed.entry(message.protocol).or_default() += 1;
            }
            if message.taken {
                record.add(message);
            }
        }
        record
    }

    fn add(&mut self, message: ReceivedMessage) {
        let content = message.content;
        let mark = content.text.as_deref().or(content.html.as_deref()).and_then(Mark::find);
        let Some(mark) = mark else {
            self.unmarked.push(message.seq);
            return;
        };
        let said = format!("{:?} {:?} {:?} {:?}", content.to, content.subject, content.text, content.html);
        self.taken.push(Taken {
            seq: message.seq,
            protocol: message.protocol,
            mark,
            message_id: content.message_id,
            said,
            answered_ok: message.answered == "ok",
        });
    }
}

//! Counters of what was received, cheap enough for a bench that counts every message.
//!
//! All in atomics: a reader may see a message counted as received a moment before it is counted as taken.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

use super::Protocol;

/// What was received since the start, or since the counters were last reset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Mails.
    pub smtp: ProtocolStats,
    /// Messages to the Twilio-shaped API.
    pub twilio: ProtocolStats,
    /// Webhook requests.
    pub webhook: ProtocolStats,
    /// SMTP connections accepted.
    pub smtp_connections: u64,
    /// HTTP connections accepted, those to the control API too.
    pub http_connections: u64,
    /// Messages that met a fault.
    pub faults: u64,
}

/// The counters of one protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProtocolStats {
    /// Messages that arrived whole, refused ones too.
    pub received: u64,
    /// Those that count as delivered.
    pub taken: u64,
    /// When the first of them had arrived.
    pub first_at: Option<jiff::Timestamp>,
    /// When the latest of them had arrived.
    pub last_at: Option<jiff::Timestamp>,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    protocols: [ProtocolCounters; Protocol::ALL.len()],
    pub(super) smtp_connections: AtomicU64,
    pub(super) http_connections: AtomicU64,
    pub(super) faults: AtomicU64,
}

/// Times are microseconds since the epoch, 0 for never.
#[derive(Debug, Default)]
struct ProtocolCounters {
    received: AtomicU64,
    taken: AtomicU64,
    first_at: AtomicI64,
    last_at: AtomicI64,
}

impl Counters {
    pub(super) fn received(&self, protocol: Protocol, at: jiff::Timestamp) {
        let counters = &self.protocols[protocol as usize];
        counters.received.fetch_add(1, Relaxed);
        let at = at.as_microsecond();
        if counters.first_at.load(Relaxed) == 0 {
            // Losing this race to another message of the same microseconds changes nothing that matters.
            let _ = counters.first_at.compare_exchange(0, at, Relaxed, Relaxed);
        }
        counters.last_at.fetch_max(at, Relaxed);
    }

    pub(super) fn taken(&self, protocol: Protocol) {
        self.protocols[protocol as usize].taken.fetch_add(1, Relaxed);
    }

    pub(super) fn reset(&self) {
        for counters in &self.protocols {
            counters.received.store(0, Relaxed);
            counters.taken.store(0, Relaxed);
            counters.first_at.store(0, Relaxed);
            counters.last_at.store(0, Relaxed);
        }
        for counter in [&self.smtp_connections, &self.http_connections, &self.faults] {
            counter.store(0, Relaxed);
        }
    }

    pub(super) fn read(&self) -> Stats {
        let of = |protocol: Protocol| self.protocols[protocol as usize].read();
        Stats {
            smtp: of(Protocol::Smtp),
            twilio: of(Protocol::Twilio),
            webhook: of(Protocol::Webhook),
            smtp_connections: self.smtp_connections.load(Relaxed),
            http_connections: self.http_connections.load(Relaxed),
            faults: self.faults.load(Relaxed),
        }
    }
}

impl ProtocolCounters {
    fn read(&self) -> ProtocolStats {
        let at =
            |micros: i64| (micros != 0).then(|| jiff::Timestamp::from_microsecond(micros).ok()).flatten();
        ProtocolStats {
            received: self.received.load(Relaxed),
            taken: self.taken.load(Relaxed),
            first_at: at(self.first_at.load(Relaxed)),
            last_at: at(self.last_at.load(Relaxed)),
        }
    }
}

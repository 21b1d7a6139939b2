//! Providers to test against: an SMTP server, a Twilio-shaped HTTP API and a webhook sink that keep what
//! they receive, and that can be told to throttle, fail, hang, hang up or answer late.
//!
//! Invariant: what is received is on disk before it is answered, so that a checker can trust the record.
//! In reading order: what it is told (`settings`, `fault`), what it keeps (`message`, `mime`, `recorder`,
//! `inbox`, `stats`), where a message is taken or refused (`desk`), and the two protocols on top of it.

mod fault;
mod settings;

mod inbox;
mod message;
mod mime;
mod recorder;
mod stats;

mod desk;
mod http;
mod listen;
mod server;
mod smtp;

pub use fault::{Answer, Rule, RuleError, Step};
pub use inbox::{Filter, Page};
pub use message::{Message, Protocol};
pub use server::{Running, Sandbox, StartError};
pub use settings::{Credentials, Record, Settings};
pub use stats::{ProtocolStats, Stats};

#[cfg(test)]
mod tests;

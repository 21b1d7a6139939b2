//! Providers to test against: an SMTP server, a Twilio-shaped HTTP API and a webhook sink that keep what
//! they receive, and that can be told to throttle, fail, hang, hang up or answer late.
//!
//! Invariant: what is received is on disk before it is answered, so that a checker can trust the record.
//! In reading order: what it is told (`settings`, `fault`), what it keeps (`message`, `mime`, `recorder`,
//! `inbox`, `stats`), where a message is taken or refused (`state`), and the two protocols on top of it.

mod fault;
mod settings;

mod inbox;
mod message;
mod mime;
mod recorder;
mod stats;

mod http;
mod listen;
mod server;
mod smtp;
mod state;

pub use fault::{FaultAnswer, FaultStep, Rule, RuleError};
pub use inbox::{Filter, Page};
pub use message::{Protocol, ReceivedMessage};
pub use server::{RunningSandbox, Sandbox, SandboxStartError};
pub use settings::{Record, SandboxCredentials, SandboxSettings};
pub use stats::{ProtocolStats, Stats};

#[cfg(test)]
mod tests;

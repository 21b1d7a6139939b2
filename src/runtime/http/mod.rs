//! The HTTP side of a runtime: listeners, triggers' endpoints, the API behind the commands, and the admin port.

pub mod admin;
pub mod api;
pub mod app;
mod cors;
mod held_back;
pub mod ingest;
pub mod outdated;
mod packed_body;
pub mod peer;
mod rates;
mod refusal_log;
mod room;
pub mod server;
pub mod slow_checks;
mod traces;

pub use rates::RateWindows;
pub use refusal_log::{RefusalLog, RefusalWriter};

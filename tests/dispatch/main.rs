//! What the run engine promises, told on the real store with providers that fail in every way.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod books;
mod crashes;
mod ledger;
mod provider;
mod real;
mod sockets;
mod stories;
mod world;

//! `fanfare runtime` on a real API server, under an account that may do exactly what a runtime needs.
//!
//! The operator is played by the tests: they write the Secrets and the Role as it does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../harness/mod.rs"]
mod harness;

mod account;
mod away;
mod credentials;
mod edits;
mod large;
mod report;
mod space;
mod tenant;

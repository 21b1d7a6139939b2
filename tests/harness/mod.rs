//! Runs the real binary for tests: `fanfare dev` on a folder, `fanfare sandbox` beside it, and asks them over HTTP.
//!
//! A test takes it in by `#[path = "../harness/mod.rs"] mod harness;`. Every process started here is killed when
//! its handle is dropped.

#![allow(dead_code, unused_imports, reason = "each test uses its part of the harness")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod cluster;
mod dev;
mod http;
mod ledgers;
mod postgres;
mod process;
mod random;
mod sandbox;
mod stores;
mod wait;

pub use dev::{Dev, Trigger, is_done};
pub use http::{Answer, Request};
pub use ledgers::{Held, Ledger, rows_of};
pub use postgres::{Postgres, as_owner, owner_of_servers, programs, run};
pub use process::Process;
pub use random::Random;
pub use sandbox::Sandbox;
pub use stores::{COMPARISONS, Place, Store, all_complete, until_indexes};
pub use wait::{DEADLINE, until, until_true, wait_for};

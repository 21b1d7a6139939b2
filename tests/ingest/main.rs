//! Calls over real sockets into a real ledger: each rule of admission, and what the trigger log then shows.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admission;
mod api;
mod batch;
mod durability;
mod keys;
mod limits;
mod mapping;
mod refusals;
mod world;

//! Push-down held against none: whatever the store selects is what a plain reading of every customer selects.
//!
//! Everything is drawn from seeds, which a failure prints; `FANFARE_SEED` runs one alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../harness/mod.rs"]
mod harness;

mod expressions;
mod mutants;
mod push_down;
mod random;
mod reference;
mod selections;
mod store_answers;
mod world;

//! Durability: a process is killed, and with it goes everything that it did not fsync.
//!
//! SIGKILL alone keeps what the page cache holds. Here a preloaded shim notes how to undo each write, and an fsync
//! is what makes a write stay. The same tests with an fsync that keeps nothing must fail, and are shown to.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../checker/mod.rs"]
mod checker;
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../story/mod.rs"]
mod story;

mod calls;
mod disk;
mod sandbox;

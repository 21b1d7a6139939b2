//! The processes that receive calls and dispatch messages: `http` accepts calls, `engine` executes them, `cluster` reads
//! configuration from the API server.
//!
//! Invariant: decisions are the domain's; this module moves them between sockets and the store.

pub mod cluster;
pub mod configuration;
pub mod engine;
pub mod http;
mod index_watch;
pub mod metrics;
pub mod process;
mod retention;
pub mod stores;

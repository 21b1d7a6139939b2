//! The processes that receive calls and dispatch messages: ingest -> run -> dispatch, and the read API.
//!
//! Invariant: decisions are the domain's; this module moves them between sockets and the store.

pub mod admin;
pub mod api;
pub mod app;
pub mod cluster;
pub mod configuration;
mod cors;
mod cpu_time;
pub mod dispatch;
pub mod engine;
pub mod ingest;
pub mod lease;
pub mod library;
pub mod metrics;
pub mod outdated;
mod packed_body;
pub mod peer;
pub mod process;
mod room;
pub mod run;
pub mod server;
pub mod slow_checks;
pub mod stores;
mod traces;

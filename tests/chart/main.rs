//! The chart and `config/`: they render, refuse what is wrong in words, hold no second truth, and what they make is
//! accepted by a real API server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accepted;
mod closed;
#[allow(dead_code, reason = "others use the rest of it")]
#[path = "../harness/cluster.rs"]
mod cluster;
mod config;
mod copies;
mod helm;
mod image;
mod readme;
mod refused;
mod rendered;
mod upgraded;

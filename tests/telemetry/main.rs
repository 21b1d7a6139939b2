//! What an operator looks at when something is wrong: traces at a collector, and numbers held to their documentation.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../harness/mod.rs"]
mod harness;

mod collected;
mod metrics;
mod reference;
mod stub;
mod traces;

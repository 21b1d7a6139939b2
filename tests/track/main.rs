//! Customers and events on their way in: files and the HTTP API, down to the store.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod http;
mod import;

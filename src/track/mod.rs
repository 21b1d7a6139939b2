//! Customers and events in: the HTTP API a CRM's nightly job calls, and the files `fanfare import` reads.
//!
//! Invariant: everything is checked here once; the store sees only what it can keep.

pub mod batch;
pub mod http;
pub mod import;
pub mod line;
pub mod view;

mod timestamp;

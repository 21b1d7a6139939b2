//! Customers, manifests and a running `fanfare dev` on them, with sinks for providers.

pub mod base;
pub mod customers;
mod stand;

pub use stand::{Stand, World};

//! Side tables: what audiences are found by, kept with every write and filled in the background.
//!
//! Nothing here blocks a writer for longer than one small batch, and no index is used before it is complete.

mod drop;
mod entry;
mod fill;
pub(super) mod keep;
pub(super) mod maintenance;
pub(super) mod registry;
pub(super) mod require;

//! Configuration as the run engine sees it: versions by their digest, scenarios bound to calls.
//!
//! Invariant: nothing is decided here; the compiled snapshot decides.

mod bound_scenario;
mod cache;
mod matching;

pub use cache::VersionCache;

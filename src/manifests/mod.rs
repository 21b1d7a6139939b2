//! Reads folders and streams of manifests the way kubectl does, keeping the place of every value.
//!
//! Invariant: reading and checking only; what a manifest means is decided in `compile`.

//! The kinds on a real API server: it accepts their definitions, and `fanfare validate` judges as it does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "others use the rest of it")]
#[path = "../harness/cluster.rs"]
mod cluster;
mod definitions;
mod gitops;
mod manifests;
mod text;
mod verdict;

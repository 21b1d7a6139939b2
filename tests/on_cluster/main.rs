//! Stories on a real node: the chart installed by Helm, runtimes in Pods, messages at a sandbox in a Pod of its own.
//!
//! `make test-cluster` runs them. They share one node, which the last of them takes down; what moves everybody's Pods
//! waits for the others and is alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../checker/mod.rs"]
mod checker;
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../story/mod.rs"]
mod story;

mod backup;
mod exposure;
mod files;
mod flux;
mod leftovers;
mod node;
mod postgres;
mod readme;
mod rolling;
mod space;
mod sqlite;
mod theirs;
mod times;
mod traffic;
mod turns;
mod world;

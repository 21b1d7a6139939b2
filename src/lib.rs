//! Fanfare: one call about something that happened in the world reaches every customer it concerns.
//!
//! The modules in reading order: what a person writes (`api`, `manifests`), what it means (`domain`,
//! `compile`), what is kept (`store`), what runs (`track`, `runtime`, `channels`), and the edges a person
//! touches (`cli`, `listen`, `sandbox`, `telemetry`). ARCHITECTURE.md is the map.

pub mod api;
pub mod manifests;

pub mod compile;
pub mod domain;

pub mod store;

pub mod channels;
pub mod operator;
pub mod runtime;
pub mod track;

pub mod causes;
pub mod cli;
pub mod cluster_watch;
pub mod listen;
pub mod problem_details;
pub mod sandbox;
pub mod telemetry;

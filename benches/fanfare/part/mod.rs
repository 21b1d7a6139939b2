//! The parts of the benchmark, each with its own figures.

pub mod broad;
pub mod clients;
pub mod far;
pub mod indexing;
pub mod ingest;
pub mod narrow;
pub mod replicas;

//! The five kinds as plain data, their schemas and their CEL rules: what a person writes in a manifest.
//!
//! Invariant: no behaviour lives here; `compile` turns these into something that can run.

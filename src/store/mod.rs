//! What is kept: one trait a concern, one implementation a database.
//!
//! Invariant: a store keeps and finds; it decides nothing.

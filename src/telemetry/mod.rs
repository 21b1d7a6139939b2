//! Logs and metrics: what an operator looks at when something is wrong.
//!
//! Invariant: no secret and no customer's data is ever a label or a log field.

mod logs;

pub use logs::init;

/// The content type of numbers, as collectors ask for it.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

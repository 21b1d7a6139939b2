//! The story that the fault tests tell: a storm, reached customers by SMS, or by mail and then a webhook, and a
//! briefing by mail for those with a car policy. Every message carries a [`Mark`](crate::checker::Mark).

#![allow(dead_code, unused_imports, reason = "each test uses its part of the story")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod customers;
mod manifests;
mod traffic;

pub use customers::Customers;
pub use manifests::{Manifests, STORM_STEPS};
pub use traffic::{Asked, Traffic, is_done};

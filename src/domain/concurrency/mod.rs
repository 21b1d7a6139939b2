//! How fast a provider is used whose limits are not declared: how many attempts may be under way at once, and how many
//! may begin in a second where it throttles.
//!
//! State machines that are fed with starts and answers. Times are since any moment that the caller chose once. The ideas
//! are those of TCP's congestion control (RFC 5681, RFC 8257, RFC 9438), of Netflix's concurrency-limits and of Envoy's
//! adaptive concurrency.

mod limit;
mod throttled_rate;
mod told;
mod unrelated;

use std::time::Duration;

pub use limit::{CEILING, ConcurrencyLimit, FLOOR, START};
pub use throttled_rate::ThrottledRate;
pub use told::{LearnedLimits, ToldLimits};

/// How an attempt ended, as far as it says something of the load that the provider carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The provider took the message.
    Taken,
    /// It asked for fewer: 429, 503 with `Retry-After`, or the same in another protocol.
    Throttled,
    /// It could not be reached, answered too late, broke off or failed.
    Failed,
    /// It refused this message, which says nothing of its load.
    Refused,
}

/// An attempt that has ended.
#[derive(Debug, Clone, Copy)]
pub struct EndedAttempt {
    /// When it began.
    pub began: Duration,
    /// How long the answer took.
    pub took: Duration,
    /// How it ended.
    pub end: AttemptEnd,
}

#[cfg(test)]
mod tests;

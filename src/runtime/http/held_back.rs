//! Answers that are delayed: to a client that guesses credentials.

use std::time::Duration;

/// An answer with this extension is sent so much later.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeldBack(pub Duration);

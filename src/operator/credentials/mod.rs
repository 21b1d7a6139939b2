//! Generated credentials: made once, changed only by a rotation, each step of which is one write.

mod keep;
mod known;
mod plan;

pub(super) use keep::{Kept, Owner, keep};
pub(super) use known::KnownSecrets;
pub(super) use plan::Form;

use std::time::Duration;

use crate::api::Rotation;
use crate::domain::duration::duration_from_text;

/// How old credentials become and for how long the previous ones still work; `None` if the declaration cannot be
/// understood, which the compile step says.
pub(super) fn schedule(rotation: &Rotation) -> Option<(Duration, Duration)> {
    Some((duration_from_text(&rotation.every.0).ok()?, duration_from_text(&rotation.overlap.0).ok()?))
}

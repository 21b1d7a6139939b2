//! Generated credentials: made once, changed only by a rotation, each step of which is one write.

mod keep;
mod known;
mod plan;

pub(super) use keep::{Kept, Owner, keep};
pub(super) use known::KnownSecrets;
pub(super) use plan::Form;

use std::time::Duration;

use crate::api::Rotation;
use crate::compile::rotation_schedule;

/// How old credentials become and for how long the previous ones still work; `None` if such a schedule cannot
/// be kept, which the compile step says.
pub(super) fn schedule(rotation: &Rotation) -> Option<(Duration, Duration)> {
    rotation_schedule(rotation).ok()
}

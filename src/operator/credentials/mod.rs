//! Generated credentials: made once, changed only by a rotation, each step of which is one write.

mod keep;
mod known;
mod plan;
mod state;

pub(super) use keep::{Kept, Owner, keep};
pub(super) use known::KnownSecrets;
pub(super) use plan::{Form, Schedule};

use crate::api::{Rotation, StillInUse};
use crate::compile::rotation_schedule;

/// The schedule; `None` if such a one cannot be kept, which the compile step says.
pub(super) fn schedule(rotation: &Rotation) -> Option<Schedule> {
    let (every, overlap) = rotation_schedule(rotation).ok()?;
    Some(Schedule { every, overlap, is_strict: rotation.when_still_in_use == StillInUse::Refuse })
}

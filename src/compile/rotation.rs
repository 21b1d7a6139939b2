//! The schedule on which generated credentials change: one that can be kept, or what is wrong with it.
//!
//! The operator goes by the same rules: a schedule that cannot be kept changes nothing.

use std::time::Duration;

use crate::api::{DurationText, Rotation};
use crate::domain::duration::duration_from_text;

/// New credentials have to reach every replica, and the caller, before the next ones come.
const EVERY_MIN: Duration = Duration::from_secs(60);

/// How old credentials become, and for how long the previous ones still work.
///
/// # Errors
/// The field that is wrong, and what is wrong with it.
pub fn rotation_schedule(rotation: &Rotation) -> Result<(Duration, Duration), (&'static str, String)> {
    let every = length("every", &rotation.every)?;
    let overlap = length("overlap", &rotation.overlap)?;
    if every < EVERY_MIN {
        return Err(("every", "must be at least 1m".into()));
    }
    if overlap >= every {
        let message =
            "must be shorter than every: the next ones would come while the previous ones still work";
        return Err(("overlap", message.into()));
    }
    Ok((every, overlap))
}

fn length(field: &'static str, text: &DurationText) -> Result<Duration, (&'static str, String)> {
    duration_from_text(&text.0).map_err(|error| (field, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::StillInUse;

    #[test]
    fn a_schedule_that_cannot_be_kept_is_refused() {
        let wrong = |every: &str, overlap: &str| {
            let rotation = Rotation {
                every: DurationText(every.into()),
                overlap: DurationText(overlap.into()),
                when_still_in_use: StillInUse::Wait,
            };
            rotation_schedule(&rotation).err().map(|(field, _)| field)
        };
        assert_eq!(wrong("90d", "1d"), None);
        assert_eq!(wrong("1m", "0s"), None, "the previous ones may end at once");
        assert_eq!(wrong("0s", "0s"), Some("every"));
        assert_eq!(wrong("500ms", "0s"), Some("every"));
        assert_eq!(wrong("1h", "1h"), Some("overlap"));
        assert_eq!(wrong("", "1h"), Some("every"));
    }
}

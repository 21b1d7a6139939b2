//! What the Secret of generated credentials says of itself: the credentials, and notes about their rotation.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::labels::PREVIOUS_EXPIRES_ANNOTATION;
use crate::domain::credentials::KeptCredentials;

/// When the current credentials were generated.
pub(super) const ROTATED_AT: &str = "fanfare.dev/rotated-at";
/// Until when the previous ones work.
pub(super) const PREVIOUS_EXPIRES_AT: &str = PREVIOUS_EXPIRES_ANNOTATION;
/// The last request for a rotation that was taken up.
pub(super) const HANDLED: &str = "fanfare.dev/rotation-handled";

/// Why the last rotation was begun: `schedule`, or `request`.
pub(super) const CAUSE: &str = "fanfare.dev/rotation-cause";
/// All that is noted.
pub(super) const NOTES: [&str; 4] = [ROTATED_AT, PREVIOUS_EXPIRES_AT, HANDLED, CAUSE];
const SCHEDULE: &str = "schedule";
const REQUEST: &str = "request";

/// For how long previous credentials work where no schedule says so.
pub(super) const OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// What a Secret holds beside the credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub credentials: KeptCredentials,
    pub rotated_at: Timestamp,
    pub previous_expires_at: Option<Timestamp>,
    /// The last request that was taken up.
    pub handled: Option<String>,
    /// Whether the last rotation was due by the schedule, and not asked for.
    pub was_due: bool,
}

impl State {
    /// Reads what a Secret says; `None` if it holds no credentials that could be used.
    pub(super) fn read(
        data: &BTreeMap<String, String>,
        notes: &BTreeMap<String, String>,
        made: Timestamp,
    ) -> Option<Self> {
        let credentials = KeptCredentials::read(data).ok()?;
        let time = |name: &str| notes.get(name).and_then(|text| text.parse::<Timestamp>().ok());
        // A previous credential whose end is not written down works as long as is usual.
        let expires = credentials
            .previous
            .as_ref()
            .map(|_| time(PREVIOUS_EXPIRES_AT).unwrap_or_else(|| after(made, OVERLAP)));
        Some(State {
            credentials,
            rotated_at: time(ROTATED_AT).unwrap_or(made),
            previous_expires_at: expires,
            handled: notes.get(HANDLED).cloned(),
            was_due: notes.get(CAUSE).is_some_and(|cause| cause == SCHEDULE),
        })
    }

    /// What the Secret's annotations say.
    pub(super) fn notes(&self) -> BTreeMap<String, String> {
        let mut notes = BTreeMap::from([(ROTATED_AT.to_owned(), self.rotated_at.to_string())]);
        notes.extend(self.previous_expires_at.map(|at| (PREVIOUS_EXPIRES_AT.to_owned(), at.to_string())));
        let cause = if self.was_due { SCHEDULE } else { REQUEST };
        let is_rotated = self.credentials.next.is_some() || self.credentials.previous.is_some();
        notes.extend(is_rotated.then(|| (CAUSE.to_owned(), cause.to_owned())));
        notes.extend(self.handled.clone().map(|handled| (HANDLED.to_owned(), handled)));
        notes
    }
}

/// A time so much later; the last one there is, if there is none.
pub(super) fn after(from: Timestamp, length: Duration) -> Timestamp {
    from.checked_add(length).unwrap_or(Timestamp::MAX)
}

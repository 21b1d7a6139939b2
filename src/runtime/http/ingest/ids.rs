//! New ids of calls: UUIDs of version 7, whose first bits are the time of receipt.

use aws_lc_rs::rand;
use jiff::Timestamp;

use crate::domain::name::CallId;

/// An id that sorts by the time it was received.
pub(super) fn new_call_id(received_at: Timestamp) -> CallId {
    let milliseconds = u64::try_from(received_at.as_millisecond()).unwrap_or(0);
    let mut random = [0_u8; 10];
    if rand::fill(&mut random).is_err() {
        // The library's own generator falls back to the system's; an id must only never repeat.
        return CallId::new(uuid::Uuid::now_v7().to_string());
    }
    let id = uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid();
    let mut text = uuid::Uuid::encode_buffer();
    CallId::new(&*id.hyphenated().encode_lower(&mut text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_version_7_and_sort_by_time() {
        let at = |millisecond| Timestamp::from_millisecond(millisecond).unwrap();
        let (early, late) = (new_call_id(at(1_000)), new_call_id(at(1_001)));
        assert!(early < late);
        assert_eq!(early.as_str().as_bytes()[14], b'7');
        assert_ne!(new_call_id(at(5)), new_call_id(at(5)));
    }
}

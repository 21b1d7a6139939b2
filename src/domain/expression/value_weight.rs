//! How much a value holds, for those who bound what they keep.

use super::meter;
use crate::domain::value::Value;

/// The bytes of a value's texts and names and 32 for each element, counted as often as it holds them; `None` if that is
/// more than `max`.
pub fn weigh(value: &Value, max: u64) -> Option<u64> {
    meter::weigh(value, max).ok()
}

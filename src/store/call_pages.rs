//! Pages of the trigger log as ranges of ids: these are UUIDs of version 7, so they sort by time.

use jiff::Timestamp;

use super::calls::CallFilter;

/// The beginning of the range of ids: no call received since then has a smaller one.
pub(super) fn first_id(filter: &CallFilter) -> String {
    filter.since.map_or_else(String::new, first_id_of)
}

/// The end of the range of ids: the last page's end, or the first id behind `until`.
pub(super) fn end_id(filter: &CallFilter) -> String {
    let page = filter.before.as_ref().map(|id| id.as_str().to_owned());
    let until = filter.until.and_then(|until| until.checked_add(std::time::Duration::from_millis(1)).ok());
    [page, until.map(first_id_of)].into_iter().flatten().min().unwrap_or_else(|| "g".to_owned())
}

/// No call received then or later has a smaller id: a UUID of version 7 begins with its milliseconds.
pub(super) fn first_id_of(time: Timestamp) -> String {
    let milliseconds = u64::try_from(time.as_millisecond()).unwrap_or(0);
    format!("{:08x}-{:04x}", (milliseconds >> 16) & 0xffff_ffff, milliseconds & 0xffff)
}

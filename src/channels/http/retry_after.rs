//! When a server says to come back.

use std::time::Duration;

use http::{HeaderMap, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// The longest time a server is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);

/// What the header `retry-after` says, as seconds or as a date (RFC 9110, 10.2.3); `None` if it is missing or neither.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood() {
        let now: Timestamp = "2026-11-06T08:49:30Z".parse().unwrap();
        let said = |text: &str| {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers, now)
        };
        assert_eq!(said("7"), Some(Duration::from_secs(7)));
        assert_eq!(said("Fri, 06 Nov 2026 08:49:37 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(said("Fri, 06 Nov 2026 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(said("99999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(said("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}

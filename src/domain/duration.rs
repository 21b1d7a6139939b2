//! Lengths of time as manifests write them: `90s`, `1h30m`, `365d`, `500ms`.
//!
//! The schema bounds every number to nine digits, so sums of them never overflow.

use std::time::Duration;

/// What stands there is not a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a length of time such as 90s, 1h30m or 365d; the units are d, h, m, s and ms, largest first"
)]
pub struct NotADuration;

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a length of time: whole numbers, each with its unit, the largest unit first.
///
/// # Errors
/// It is something else, nothing, or a number has more than nine digits.
pub fn duration_from_text(text: &str) -> Result<Duration, NotADuration> {
    let mut rest = text;
    let mut milliseconds = 0_u64;
    let mut next_unit = 0;
    if rest.is_empty() {
        return Err(NotADuration);
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| NotADuration)?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_lowercase).count();
        let unit = UNITS.iter().position(|(unit, _)| *unit == &rest[..letters]).ok_or(NotADuration)?;
        if digits > 9 || unit < next_unit {
            return Err(NotADuration);
        }
        milliseconds += number * UNITS[unit].1;
        next_unit = unit + 1;
        rest = &rest[letters..];
    }
    Ok(Duration::from_millis(milliseconds))
}

/// Writes a length of time as manifests do: `1h30m`. What is less than a millisecond is left out.
pub fn duration_in_text(length: Duration) -> String {
    let mut milliseconds = length.as_millis();
    let mut text = String::new();
    for (unit, size) in UNITS {
        let number = milliseconds / u128::from(size);
        milliseconds %= u128::from(size);
        if number > 0 {
            text.push_str(&format!("{number}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_manifests_write_and_nothing_else() {
        assert_eq!(duration_from_text("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration_from_text("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(duration_from_text("365d"), Ok(Duration::from_secs(365 * 86_400)));
        assert_eq!(duration_from_text("1s500ms"), Ok(Duration::from_millis(1_500)));
        for wrong in ["", "5", "s", "30m1h", "1h1h", "-1h", "1w", "1 h", "1234567890s", "1.5h"] {
            assert_eq!(duration_from_text(wrong), Err(NotADuration), "{wrong}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for text in ["90d", "1h30m", "1s500ms", "0s", "365d"] {
            assert_eq!(duration_in_text(duration_from_text(text).unwrap()), text);
        }
        assert_eq!(duration_in_text(Duration::from_secs(86_400)), "1d");
        assert_eq!(duration_in_text(Duration::from_secs(90)), "1m30s");
    }
}

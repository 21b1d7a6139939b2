//! Lengths of time as people write them: `365d`, `12h`, `1h30m`.

use jiff::SignedDuration;

/// The longest length, a thousand years; beyond it every window would begin before time is kept.
const SECONDS_MAX: i64 = 1_000 * 366 * 86_400;

/// Reads a length of time: numbers with the units w, d, h, m, s, in this order or another, added up.
/// A day is 24 hours. `None` for anything else, for nothing, and for more than a thousand years.
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    let mut rest = text.trim();
    let mut seconds: i64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: i64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].chars().next()?;
        seconds = seconds.checked_add(count.checked_mul(unit_seconds(unit)?)?)?;
        rest = &rest[digits + unit.len_utf8()..];
    }
    (seconds <= SECONDS_MAX).then(|| SignedDuration::from_secs(seconds))
}

fn unit_seconds(unit: char) -> Option<i64> {
    match unit {
        'w' => Some(7 * 86_400),
        'd' => Some(86_400),
        'h' => Some(3_600),
        'm' => Some(60),
        's' => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write_and_nothing_else() {
        assert_eq!(parse_duration("365d"), Some(SignedDuration::from_hours(365 * 24)));
        assert_eq!(parse_duration("1h30m"), Some(SignedDuration::from_mins(90)));
        for wrong in ["", "d", "5", "5 d", "-5d", "5y", "99999999999999999999d", "9999999w"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }
}

//! Kubernetes' quantities by their value: `0.5` is `500m`, and `1024Mi` is `1Gi`.

/// As finely as Kubernetes counts.
const NANOS: i128 = 1_000_000_000;

/// A suffix, what it multiplies by and what it divides by.
const SUFFIXES: [(&str, i128, i128); 16] = [
    ("Ki", 1 << 10, 1),
    ("Mi", 1 << 20, 1),
    ("Gi", 1 << 30, 1),
    ("Ti", 1 << 40, 1),
    ("Pi", 1 << 50, 1),
    ("Ei", 1 << 60, 1),
    ("n", 1, NANOS),
    ("u", 1, 1_000_000),
    ("m", 1, 1000),
    ("k", 1000, 1),
    ("M", 1_000_000, 1),
    ("G", NANOS, 1),
    ("T", 1000 * NANOS, 1),
    ("P", 1_000_000 * NANOS, 1),
    ("E", NANOS * NANOS, 1),
    ("", 1, 1),
];

/// Whether two texts are quantities of the same value, however they are written.
pub fn same_quantity(one: &str, other: &str) -> bool {
    nanos(one).is_some_and(|value| nanos(other) == Some(value))
}

/// Whether both texts are quantities, and the one has the lesser value.
pub fn less_quantity(one: &str, other: &str) -> bool {
    nanos(one).is_some_and(|value| nanos(other).is_some_and(|other| value < other))
}

/// A quantity in billionths; `None` for what is none, or is written more finely or with an exponent.
fn nanos(text: &str) -> Option<i128> {
    let end = text.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (_, times, by) = SUFFIXES.iter().find(|(name, ..)| *name == suffix)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if number.len() > 20 || fraction.len() > 9 || fraction.contains('.') || whole.len() + fraction.len() == 0
    {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction:0<9}").parse().ok()?;
    let scaled = digits.checked_mul(*times)?;
    (scaled % by == 0).then_some(scaled / by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_and_not_texts() {
        for (one, other) in [
            ("0.5", "500m"),
            (".5", "500m"),
            ("1000m", "1"),
            ("1.", "1"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("0.5Ki", "512"),
            ("512000000", "512M"),
            ("2500u", "2.5m"),
        ] {
            assert!(same_quantity(one, other), "{one} {other}");
        }
        for (one, other) in
            [("1G", "1Gi"), ("1", "1m"), ("", ""), (".", "."), ("lots", "lots"), ("1.2.3", "1.2.3")]
        {
            assert!(!same_quantity(one, other), "{one} {other}");
        }
        for (one, other, is_less) in
            [("1G", "1Gi", true), ("512Mi", "1Gi", true), ("1Gi", "1024Mi", false), ("2", "1Ki", true)]
        {
            assert_eq!(less_quantity(one, other), is_less, "{one} {other}");
        }
        assert!(!less_quantity("", "1") && !less_quantity("1", "lots"), "what is none is not less");
        assert!(!same_quantity("99999999999999999999Ei", "99999999999999999999Ei"), "more than there can be");
    }
}

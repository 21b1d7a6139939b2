//! Numbers: an i64 or else a finite double, settled when written, compared by exact value.
//!
//! 9007199254740993 and 9007199254740992.0 differ here, as they do in the store and in a person's mind.

use std::cmp::Ordering;
use std::fmt;

/// A whole number of 64 bits, or a finite double.
#[derive(Debug, Clone, Copy)]
pub enum Number {
    /// A whole number.
    Integer(i64),
    /// A finite double; never NaN or infinite.
    Double(f64),
}

/// The number is neither an i64 nor a finite double.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the number is out of range: whole numbers have 64 bits, others are finite doubles")]
pub struct NumberOutOfRange;

impl Number {
    /// A double, unless it is NaN or infinite.
    ///
    /// # Errors
    /// Refuses what is not finite.
    pub fn from_f64(double: f64) -> Result<Self, NumberOutOfRange> {
        if double.is_finite() { Ok(Number::Double(double)) } else { Err(NumberOutOfRange) }
    }

    /// Reads a JSON number.
    ///
    /// # Errors
    /// Refuses what no finite double can hold.
    pub fn from_json(number: &serde_json::Number) -> Result<Self, NumberOutOfRange> {
        match number.as_i64() {
            Some(integer) => Ok(Number::Integer(integer)),
            None => Number::from_f64(number.as_f64().ok_or(NumberOutOfRange)?),
        }
    }

    /// Whether a JSON number is kept with all its digits: a whole one beyond 64 bits may not be.
    pub fn holds_exactly(number: &serde_json::Number) -> bool {
        match number.as_u64() {
            Some(whole) => i64::try_from(whole).is_ok() || exact_double(i128::from(whole)).is_some(),
            None => true,
        }
    }

    /// Whether no digit can have been lost when it was read: a whole double may stand for several whole numbers.
    pub fn is_exact(self) -> bool {
        match self {
            Number::Integer(_) => true,
            Number::Double(double) => double.fract() != 0.0 || double.abs() < EXACT_DOUBLE_END,
        }
    }

    /// The same number in the one form that all equal to it have: whole numbers of 64 bits as such.
    #[must_use]
    pub fn canonical(self) -> Self {
        match self {
            // The cast saturates, so what is out of range does not come back equal.
            Number::Double(double) if (double as i64) as f64 == double && double < 9.3e18 => {
                Number::Integer(double as i64)
            }
            other => other,
        }
    }

    /// Writes a JSON number.
    pub fn to_json(self) -> serde_json::Value {
        match self {
            Number::Integer(integer) => integer.into(),
            Number::Double(double) => double.into(),
        }
    }

    /// Whether it is zero, of either sign.
    pub fn is_zero(self) -> bool {
        match self {
            Number::Integer(integer) => integer == 0,
            Number::Double(double) => double == 0.0,
        }
    }

    /// The nearest double; exact for a double and for whole numbers up to 2^53.
    pub fn to_f64(self) -> f64 {
        match self {
            Number::Integer(integer) => integer as f64,
            Number::Double(double) => double,
        }
    }
}

/// 2^53: from here on doubles no longer tell all whole numbers apart.
const EXACT_DOUBLE_END: f64 = 9_007_199_254_740_992.0;

/// The double that is this very number, if there is one.
fn exact_double(whole: i128) -> Option<f64> {
    let double = whole as f64;
    (double as i128 == whole).then_some(double)
}

/// The one reader of numbers in texts: decimal digits with an optional sign, fraction and exponent. Leading zeros and
/// white space around it count for nothing. `None` for anything else, and for a whole number that would lose digits.
pub fn number_from_text(text: &str) -> Option<Number> {
    let text = text.trim();
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if !unsigned.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let zeros = unsigned.len() - unsigned.trim_start_matches('0').len();
    let digits = &unsigned[zeros..];
    let lead = if digits.starts_with(|first: char| first.is_ascii_digit()) { "" } else { "0" };
    let number: serde_json::Number = serde_json::from_str(&format!("{sign}{lead}{digits}")).ok()?;
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let whole: i128 = format!("{sign}{lead}{digits}").parse().ok()?;
        return match i64::try_from(whole) {
            Ok(integer) => Some(Number::Integer(integer)),
            Err(_) => exact_double(whole).map(Number::Double),
        };
    }
    Number::from_json(&number).ok()
}

/// 2^63, the first double above every i64.
const ABOVE_I64: f64 = 9_223_372_036_854_775_808.0;

fn compare_mixed(integer: i64, double: f64) -> Ordering {
    if double >= ABOVE_I64 {
        return Ordering::Less;
    }
    if double < -ABOVE_I64 {
        return Ordering::Greater;
    }
    // The double's whole part fits an i64 here, so the cast is exact; the rest decides a tie.
    let whole = double.trunc();
    integer.cmp(&(whole as i64)).then_with(|| {
        0.0_f64.partial_cmp(&(double - whole)).expect("the difference of finite doubles is not NaN")
    })
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (*self, *other) {
            (Number::Integer(left), Number::Integer(right)) => left.cmp(&right),
            (Number::Integer(left), Number::Double(right)) => compare_mixed(left, right),
            (Number::Double(left), Number::Integer(right)) => compare_mixed(right, left).reverse(),
            (Number::Double(left), Number::Double(right)) => {
                left.partial_cmp(&right).expect("doubles here are finite")
            }
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Integer(integer) => integer.fmt(formatter),
            Number::Double(double) => double.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_texts_are_read_alike_everywhere() {
        for (text, expected) in [
            ("5", Some(Number::Integer(5))),
            (" 05 ", Some(Number::Integer(5))),
            ("+5", Some(Number::Integer(5))),
            ("-005", Some(Number::Integer(-5))),
            ("000", Some(Number::Integer(0))),
            ("0.50", Some(Number::Double(0.5))),
            ("00.5e1", Some(Number::Double(5.0))),
            ("9223372036854775807", Some(Number::Integer(i64::MAX))),
            ("18446744073709551616", Some(Number::Double(18_446_744_073_709_551_616.0))),
            ("18446744073709551615", None),
            ("1e999", None),
            ("", None),
            ("-", None),
            ("5.", None),
            (".5", None),
            ("0x10", None),
            ("1,000", None),
            ("5 5", None),
            ("five", None),
            ("NaN", None),
            ("- 5", None),
        ] {
            assert_eq!(number_from_text(text), expected, "{text:?}");
        }
    }

    #[test]
    fn digits_are_kept_or_it_is_known_that_they_are_not() {
        let json = |text: &str| serde_json::from_str::<serde_json::Number>(text).unwrap();
        assert!(!Number::holds_exactly(&json("18446744073709551615")));
        assert!(Number::holds_exactly(&json("9223372036854775808")));
        assert!(Number::holds_exactly(&json("-5")) && Number::holds_exactly(&json("0.1")));
        assert!(!Number::Double(18_446_744_073_709_552_000.0).is_exact());
        assert!(Number::Double(0.1).is_exact() && Number::Double(5.0).is_exact());
    }

    #[test]
    fn whole_numbers_and_doubles_compare_by_exact_value() {
        assert!(Number::Integer(9_007_199_254_740_993) > Number::Double(9_007_199_254_740_992.0));
        assert_eq!(Number::Integer(2), Number::Double(2.0));
        assert!(Number::Integer(2) < Number::Double(2.5) && Number::Integer(-2) > Number::Double(-2.5));
        assert!(Number::Integer(i64::MAX) < Number::Double(ABOVE_I64));
        assert_eq!(Number::Integer(i64::MIN), Number::Double(-ABOVE_I64));
        assert_eq!(Number::Double(0.0), Number::Double(-0.0));
    }
}

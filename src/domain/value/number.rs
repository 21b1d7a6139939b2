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
    fn whole_numbers_and_doubles_compare_by_exact_value() {
        assert!(Number::Integer(9_007_199_254_740_993) > Number::Double(9_007_199_254_740_992.0));
        assert_eq!(Number::Integer(2), Number::Double(2.0));
        assert!(Number::Integer(2) < Number::Double(2.5) && Number::Integer(-2) > Number::Double(-2.5));
        assert!(Number::Integer(i64::MAX) < Number::Double(ABOVE_I64));
        assert_eq!(Number::Integer(i64::MIN), Number::Double(-ABOVE_I64));
        assert_eq!(Number::Double(0.0), Number::Double(-0.0));
    }
}

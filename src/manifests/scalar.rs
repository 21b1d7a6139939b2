//! What a YAML scalar without quotes means, exactly as kubectl reads it: the rules of go-yaml 2, which are YAML 1.1's
//! with exceptions of its own, then the way its values become JSON.
//!
//! `NO`, `on` and `y` are booleans, `01234` is octal, `0b1` binary, `1_000` a number, `~` nothing, and a float
//! without a fraction becomes a whole number; a date stays a text.

use serde_json::{Number, Value};

/// Why a scalar has no JSON value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ScalarError {
    /// Infinity and not-a-number.
    #[error("`{0}` is not a number JSON can hold; write a finite one, or quote it if it is a text")]
    NotFinite(String),
    /// A tag that does not fit the value.
    #[error("`{text}` cannot be read as {tag}")]
    WrongTag { text: String, tag: &'static str },
    /// A tag of the author's own with nothing behind it: `!customer.vip`.
    #[error(
        "to YAML `{tag}` is a tag, and the value is empty; put it into quotes, and write `not` for `!`: `\"not {named}\"`"
    )]
    OnlyATag { tag: String, named: String },
    /// `!!binary`.
    #[error("!!binary is not supported; write the base64 text itself")]
    Binary,
}

/// The value of a scalar that was written without quotes and without a tag.
pub(super) fn resolve_plain(text: &str) -> Result<Value, ScalarError> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Ok(true.into());
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Ok(false.into());
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf"
        | "-.Inf" | "-.INF" => {
            return Err(ScalarError::NotFinite(text.to_owned()));
        }
        _ => {}
    }
    Ok(number(text).unwrap_or_else(|| Value::String(text.to_owned())))
}

/// The value of a scalar with a tag such as `!!str`, whether quoted or not.
pub(super) fn resolve_tagged(tag: &str, text: &str) -> Result<Value, ScalarError> {
    let wrong = |tag| ScalarError::WrongTag { text: text.to_owned(), tag };
    let plain = || resolve_plain(text);
    match tag {
        "tag:yaml.org,2002:str" => Ok(Value::String(text.to_owned())),
        "tag:yaml.org,2002:binary" => Err(ScalarError::Binary),
        "tag:yaml.org,2002:bool" => plain().ok().filter(Value::is_boolean).ok_or_else(|| wrong("!!bool")),
        "tag:yaml.org,2002:int" => {
            plain().ok().filter(|v| v.is_i64() || v.is_u64()).ok_or_else(|| wrong("!!int"))
        }
        "tag:yaml.org,2002:float" => {
            plain().and_then(|v| if v.is_number() { Ok(v) } else { Err(wrong("!!float")) })
        }
        "tag:yaml.org,2002:null" => plain().ok().filter(Value::is_null).ok_or_else(|| wrong("!!null")),
        tag if text.is_empty() && tag.starts_with('!') && tag.len() > 1 => {
            let named = tag.trim_start_matches('!').to_owned();
            Err(ScalarError::OnlyATag { tag: tag.to_owned(), named })
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

fn number(text: &str) -> Option<Value> {
    let first = text.chars().next()?;
    if first == '.' {
        return float(text);
    }
    if !(first.is_ascii_digit() || first == '+' || first == '-') {
        return None;
    }
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    integer(&plain).or_else(|| looks_like_float(&plain).then(|| float(&plain)).flatten())
}

/// A whole number with an optional sign and a base: `0x`, `0o`, `0b`, or a leading `0` for octal.
fn integer(text: &str) -> Option<Value> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let base = |prefix: [&str; 2]| digits.strip_prefix(prefix[0]).or_else(|| digits.strip_prefix(prefix[1]));
    let (radix, digits) = if let Some(rest) = base(["0x", "0X"]) {
        (16, rest)
    } else if let Some(rest) = base(["0o", "0O"]) {
        (8, rest)
    } else if let Some(rest) = base(["0b", "0B"]) {
        (2, rest)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, &digits[1..])
    } else {
        (10, digits)
    };
    if digits.is_empty() || digits.starts_with(['+', '-']) {
        return None;
    }
    if let Ok(value) = i64::from_str_radix(&format!("{sign}{digits}"), radix) {
        return Some(value.into());
    }
    // Beyond 63 bits the API server keeps only what a float can hold.
    let large =
        u64::from_str_radix(digits, radix).ok().filter(|_| sign.is_empty() && !text.starts_with('+'))?;
    Some(Value::Number(Number::from_f64(large as f64)?))
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn looks_like_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|part| digits(part.strip_prefix(['-', '+']).unwrap_or(part)));
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    exponent_fits && mantissa_fits
}

/// A float as JSON: without a fraction it is written, and so read, as a whole number.
fn float(text: &str) -> Option<Value> {
    const EXACT: f64 = 9_223_372_036_854_775_807.0;
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    if value.fract() == 0.0 && value.abs() < EXACT {
        return Some((value as i64).into());
    }
    Number::from_f64(value).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_scalars_as_kubectl_does() {
        let cases = [
            ("NO", json!(false)),
            ("on", json!(true)),
            ("y", json!(true)),
            ("nO", json!("nO")),
            ("01234", json!(668)),
            ("0x1F", json!(31)),
            ("0b101", json!(5)),
            ("0o17", json!(15)),
            ("08", json!(8)),
            ("1e3", json!(1000)),
            ("1.0", json!(1)),
            ("0.5", json!(0.5)),
            (".5", json!(0.5)),
            ("1_000", json!(1000)),
            ("+7", json!(7)),
            ("-0b11", json!(-3)),
            ("~", json!(null)),
            ("", json!(null)),
            ("1:30", json!("1:30")),
            ("2026-11-23", json!("2026-11-23")),
            ("1e400", json!("1e400")),
            ("18446744073709551615", json!(18446744073709551615_f64)),
            ("1e20", json!(1e20)),
            ("-", json!("-")),
            ("1.2.3", json!("1.2.3")),
            ("0x", json!("0x")),
            ("12e", json!("12e")),
            (".", json!(".")),
        ];
        for (text, value) in cases {
            assert_eq!(resolve_plain(text), Ok(value), "{text}");
        }
        assert!(resolve_plain(".nan").is_err());
    }

    #[test]
    fn a_tag_decides() {
        assert_eq!(resolve_tagged("tag:yaml.org,2002:str", "NO"), Ok(json!("NO")));
        assert_eq!(resolve_tagged("tag:yaml.org,2002:int", "0x10"), Ok(json!(16)));
        assert!(resolve_tagged("tag:yaml.org,2002:int", "x").is_err());
        assert_eq!(resolve_tagged("!local", "1"), Ok(json!("1")));
        let empty = resolve_tagged("!customer.vip", "").unwrap_err().to_string();
        assert!(empty.contains("write `not` for `!`: `\"not customer.vip\"`"), "{empty}");
    }
}

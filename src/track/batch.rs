//! A request's body, taken apart into lines: a JSON array, one JSON object, or NDJSON.
//!
//! Each line is parsed for itself, so that one wrong line does not take its neighbours down.

use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::line::LineError;

/// The most lines a request may hold: they share one commit.
pub const LINES_MAX: usize = 1_000;
/// The largest body.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What some programs write at the beginning of UTF-8; it says nothing.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    /// A JSON array of lines, or a single line.
    Json,
    /// One line of JSON a line of text.
    Ndjson,
}

/// Why a body has no lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is not of a type that holds lines.
    #[error("expected application/json (an array of lines) or application/x-ndjson (a line a line)")]
    MediaType,
    /// It is neither an array nor an object.
    #[error("expected a JSON array of lines, or one line: {0}")]
    NotJson(String),
    /// It is not UTF-8.
    #[error("the body is not UTF-8")]
    NotText,
    /// It is too large.
    #[error("the body is larger than {BODY_BYTES_MAX} bytes; send several")]
    TooLarge,
    /// It holds too many lines.
    #[error("the body holds more than {LINES_MAX} lines; send several")]
    TooManyLines,
}

/// A line as it stands in its body, from 1 in an array, by line of text in NDJSON.
pub type NumberedLine = (u64, Result<Json, LineError>);

impl BodyFormat {
    /// The format of a content type; JSON when none is named.
    ///
    /// # Errors
    /// Any other type.
    pub fn of(content_type: Option<&str>) -> Result<Self, BodyError> {
        let name = content_type.map(|it| it.split(';').next().unwrap_or(it).trim().to_ascii_lowercase());
        match name.as_deref() {
            None | Some("application/json") => Ok(BodyFormat::Json),
            Some("application/x-ndjson" | "application/jsonl") => Ok(BodyFormat::Ndjson),
            Some(_) => Err(BodyError::MediaType),
        }
    }
}

/// The lines of a body.
///
/// # Errors
/// The body as a whole cannot be read; a line that cannot is among the lines.
pub fn lines(format: BodyFormat, body: &[u8]) -> Result<Vec<NumberedLine>, BodyError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(BodyError::TooLarge);
    }
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|_| BodyError::NotText)?;
    match format {
        BodyFormat::Json => of_json(text),
        BodyFormat::Ndjson => of_ndjson(text),
    }
}

fn of_json(text: &str) -> Result<Vec<NumberedLine>, BodyError> {
    if text.trim_start().starts_with('{') {
        return Ok(vec![(1, parse(text))]);
    }
    let items: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| BodyError::NotJson(error.to_string()))?;
    if items.len() > LINES_MAX {
        return Err(BodyError::TooManyLines);
    }
    Ok((1..).zip(items.into_iter().map(|item| parse(item.get()))).collect())
}

fn of_ndjson(text: &str) -> Result<Vec<NumberedLine>, BodyError> {
    let full = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let lines: Vec<NumberedLine> =
        full.take(LINES_MAX + 1).map(|(number, line)| (number, parse(line))).collect();
    if lines.len() > LINES_MAX { Err(BodyError::TooManyLines) } else { Ok(lines) }
}

/// One line of JSON. A number that no finite double holds is refused here, as is what nests too deep.
pub(super) fn parse(line: &str) -> Result<Json, LineError> {
    serde_json::from_str(line).map_err(|error| LineError::NotJson(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(format: BodyFormat, body: &str) -> Vec<(u64, bool)> {
        let lines = lines(format, body.as_bytes()).unwrap();
        lines.into_iter().map(|(number, line)| (number, line.is_ok())).collect()
    }

    #[test]
    fn each_line_is_read_for_itself() {
        let body = "{\"a\":1}\n\n{\"a\":\r\n{\"a\":1e999}\n{}\n";
        assert_eq!(numbers(BodyFormat::Ndjson, body), [(1, true), (3, false), (4, false), (5, true)]);
        assert_eq!(numbers(BodyFormat::Json, "[{}, {\"a\": 1e999}, 3]"), [(1, true), (2, false), (3, true)]);
        assert_eq!(numbers(BodyFormat::Json, " {}"), [(1, true)]);
        assert_eq!(numbers(BodyFormat::Json, "[]"), []);
    }

    #[test]
    fn a_byte_order_mark_says_nothing() {
        assert_eq!(numbers(BodyFormat::Ndjson, "\u{feff}{}\n{}"), [(1, true), (2, true)]);
        assert_eq!(numbers(BodyFormat::Json, "\u{feff}[{}]"), [(1, true)]);
        assert_eq!(numbers(BodyFormat::Ndjson, "{}\n\u{feff}{}"), [(1, true), (2, false)]);
    }

    #[test]
    fn a_body_is_bounded() {
        let many = "{}\n".repeat(LINES_MAX + 1);
        assert_eq!(lines(BodyFormat::Ndjson, many.as_bytes()), Err(BodyError::TooManyLines));
        let array = format!("[{}0]", "0,".repeat(LINES_MAX));
        assert_eq!(lines(BodyFormat::Json, array.as_bytes()), Err(BodyError::TooManyLines));
        assert_eq!(lines(BodyFormat::Json, &vec![b' '; BODY_BYTES_MAX + 1]), Err(BodyError::TooLarge));
        assert_eq!(lines(BodyFormat::Json, b"\xff"), Err(BodyError::NotText));
    }

    #[test]
    fn content_types_are_read_with_their_parameters() {
        assert_eq!(BodyFormat::of(None), Ok(BodyFormat::Json));
        assert_eq!(BodyFormat::of(Some("Application/JSON; charset=utf-8")), Ok(BodyFormat::Json));
        assert_eq!(BodyFormat::of(Some("application/x-ndjson")), Ok(BodyFormat::Ndjson));
        assert_eq!(BodyFormat::of(Some("text/csv")), Err(BodyError::MediaType));
    }
}

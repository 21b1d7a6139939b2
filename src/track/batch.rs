//! A request's body, taken apart into lines: a JSON array, one JSON object, or NDJSON.
//!
//! Each line is parsed for itself, so that one wrong line does not take its neighbours down.

use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::line::LineError;
use crate::domain::body::{CharsetError, ContentType, ContentTypeError, Media, to_utf8};

/// The most lines a request may hold: they share one commit.
pub const LINES_MAX: usize = 1_000;
/// The largest body.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyFormat {
    /// A JSON array of lines, or a single line.
    Json,
    /// One line of JSON a line of text.
    Ndjson,
    /// Not said: JSON if it is that as a whole, and else a line a line. curl's `--data-binary` says "form" of anything.
    Either,
}

/// Why a body has no lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is not of a type that holds lines.
    #[error(
        "{0}; expected application/json (an array of lines) or application/x-ndjson (a line a line), in UTF-8"
    )]
    MediaType(#[from] ContentTypeError),
    /// Its text cannot be read.
    #[error(transparent)]
    Charset(#[from] CharsetError),
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
    /// The format of a content type.
    fn of(content_type: ContentType) -> Self {
        match content_type.media {
            Media::Json => BodyFormat::Json,
            Media::Ndjson => BodyFormat::Ndjson,
            Media::Form | Media::Unsaid => BodyFormat::Either,
        }
    }
}

/// The lines of a body of this content type.
///
/// # Errors
/// The body as a whole cannot be read; a line that cannot is among the lines.
pub fn lines_of(content_type: Option<&str>, body: &[u8]) -> Result<Vec<NumberedLine>, BodyError> {
    let content_type = ContentType::read(content_type)?;
    if body.len() > BODY_BYTES_MAX {
        return Err(BodyError::TooLarge);
    }
    let text = to_utf8(body, content_type.charset)?;
    let text = std::str::from_utf8(&text).map_err(|_| BodyError::NotText)?;
    match BodyFormat::of(content_type) {
        BodyFormat::Json => of_json(text),
        BodyFormat::Ndjson => of_ndjson(text),
        BodyFormat::Either if is_lines(text) => of_ndjson(text),
        BodyFormat::Either => of_json(text),
    }
}

/// Whether a text is an object and something behind it.
fn is_lines(text: &str) -> bool {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let first = values.next();
    text.trim_start().starts_with('{') && matches!(first, Some(Ok(_))) && values.next().is_some()
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

    const JSON: &str = "application/json";
    const NDJSON: &str = "application/x-ndjson";

    fn numbers(content_type: &str, body: &str) -> Vec<(u64, bool)> {
        let lines = lines_of(Some(content_type), body.as_bytes()).unwrap();
        lines.into_iter().map(|(number, line)| (number, line.is_ok())).collect()
    }

    #[test]
    fn each_line_is_read_for_itself() {
        let body = "{\"a\":1}\n\n{\"a\":\r\n{\"a\":1e999}\n{}\n";
        assert_eq!(numbers(NDJSON, body), [(1, true), (3, false), (4, false), (5, true)]);
        assert_eq!(numbers(JSON, "[{}, {\"a\": 1e999}, 3]"), [(1, true), (2, false), (3, true)]);
        assert_eq!(numbers(JSON, " {}"), [(1, true)]);
        assert_eq!(numbers(JSON, "[]"), []);
    }

    #[test]
    fn what_nobody_says_is_json_or_a_line_a_line() {
        for unsaid in ["", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream"] {
            assert_eq!(numbers(unsaid, "[{}, {}]"), [(1, true), (2, true)], "{unsaid}");
            assert_eq!(numbers(unsaid, "{\n \"a\": 1\n}\n"), [(1, true)]);
            assert_eq!(numbers(unsaid, "{}\n{\"a\":\n{}\n"), [(1, true), (2, false), (3, true)]);
        }
        assert_eq!(numbers("application/vnd.crm+json", "[{}]"), [(1, true)]);
    }

    #[test]
    fn a_byte_order_mark_says_nothing() {
        assert_eq!(numbers(NDJSON, "\u{feff}{}\n{}"), [(1, true), (2, true)]);
        assert_eq!(numbers(JSON, "\u{feff}[{}]"), [(1, true)]);
        assert_eq!(numbers(NDJSON, "{}\n\u{feff}{}"), [(1, true), (2, false)]);
        let wide: Vec<u8> = "\u{feff}[{}]".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(lines_of(Some(JSON), &wide).unwrap().len(), 1);
    }

    #[test]
    fn a_body_is_bounded() {
        let refused = |content_type, body: &[u8]| lines_of(Some(content_type), body).unwrap_err();
        let many = "{}\n".repeat(LINES_MAX + 1);
        assert_eq!(refused(NDJSON, many.as_bytes()), BodyError::TooManyLines);
        let array = format!("[{}0]", "0,".repeat(LINES_MAX));
        assert_eq!(refused(JSON, array.as_bytes()), BodyError::TooManyLines);
        assert_eq!(refused(JSON, &vec![b' '; BODY_BYTES_MAX + 1]), BodyError::TooLarge);
        assert_eq!(refused(JSON, b"\xff"), BodyError::NotText);
        assert!(refused("text/csv", b"a").to_string().contains("text/csv"));
        assert!(refused("application/json; charset=latin1", b"[]").to_string().contains("UTF-8"));
    }
}

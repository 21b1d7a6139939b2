//! The encoding of a body's text: UTF-8 with or without its byte order mark, and UTF-16 where it can be told.

use std::borrow::Cow;

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// An encoding that a content type names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8, or a part of it.
    Utf8,
    /// UTF-16, the more significant byte first unless a byte order mark says otherwise (RFC 2781, 4.3).
    Utf16,
    /// UTF-16, the less significant byte first.
    Utf16Le,
}

/// A text whose encoding cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CharsetError {
    /// UTF-32, which no client sends on purpose.
    #[error("the text is in UTF-32; send it in UTF-8")]
    Utf32,
    /// UTF-16 that is none.
    #[error("the text begins as UTF-16 does, and is none that can be read; send it in UTF-8")]
    Utf16,
}

impl Charset {
    /// Reads the charset of a content type; `None` if it is not taken.
    pub fn read(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" | "us-ascii" | "ascii" => Some(Charset::Utf8),
            "utf-16" | "utf16" | "utf-16be" => Some(Charset::Utf16),
            "utf-16le" => Some(Charset::Utf16Le),
            _ => None,
        }
    }
}

/// A body's text in UTF-8, without a byte order mark (RFC 8259, 8.1). A mark outranks the charset that was named; UTF-16
/// without either is known by the zero byte beside the first character, which is ASCII in JSON. Whether it is UTF-8 if it
/// is nothing else, its reader finds.
///
/// # Errors
/// See [`CharsetError`].
pub fn to_utf8(body: &[u8], named: Option<Charset>) -> Result<Cow<'_, [u8]>, CharsetError> {
    if let Some(rest) = body.strip_prefix(UTF8_MARK) {
        return Ok(Cow::Borrowed(rest));
    }
    let (charset, rest) = match body {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, ..] | [_, 0, 0, 0, ..] => return Err(CharsetError::Utf32),
        [0xff, 0xfe, rest @ ..] => (Charset::Utf16Le, rest),
        [0xfe, 0xff, rest @ ..] => (Charset::Utf16, rest),
        [_, 0, ..] => (Charset::Utf16Le, body),
        [0, _, ..] => (Charset::Utf16, body),
        _ => (named.unwrap_or(Charset::Utf8), body),
    };
    let unit: fn([u8; 2]) -> u16 = match charset {
        Charset::Utf8 => return Ok(Cow::Borrowed(rest)),
        Charset::Utf16 => u16::from_be_bytes,
        Charset::Utf16Le => u16::from_le_bytes,
    };
    let (pairs, odd) = rest.as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect();
    match text {
        Ok(text) if odd.is_empty() => Ok(Cow::Owned(text.into_bytes())),
        _ => Err(CharsetError::Utf16),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn marks_and_utf_16_are_read_away() {
        let text = "{\"a\": \"snöwstorm ❄ 𝄞\"}";
        let little = utf16(text, u16::to_le_bytes);
        let big = utf16(text, u16::to_be_bytes);
        let bodies = [
            text.as_bytes().to_vec(),
            [UTF8_MARK, text.as_bytes()].concat(),
            [&[0xff, 0xfe][..], &little].concat(),
            [&[0xfe, 0xff][..], &big].concat(),
            little,
            big,
        ];
        for body in bodies {
            assert_eq!(to_utf8(&body, None).as_deref(), Ok(text.as_bytes()), "{body:?}");
        }
        assert_eq!(
            to_utf8(&utf16("ж", u16::to_be_bytes), Some(Charset::Utf16)).as_deref(),
            Ok("ж".as_bytes())
        );
    }

    #[test]
    fn a_mark_outranks_what_was_named_and_only_one_is_taken_away() {
        assert_eq!(to_utf8(b"\xef\xbb\xbf{}", Some(Charset::Utf16)).as_deref(), Ok(&b"{}"[..]));
        assert_eq!(to_utf8(b"\xef\xbb\xbf\xef\xbb\xbf{}", None).as_deref(), Ok(&b"\xef\xbb\xbf{}"[..]));
        assert_eq!(to_utf8(b"", None).as_deref(), Ok(&b""[..]));
        assert_eq!(to_utf8(b"3", None).as_deref(), Ok(&b"3"[..]));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert_eq!(to_utf8(b"{\0\0\0}\0\0\0", None), Err(CharsetError::Utf32));
        assert_eq!(to_utf8(b"\xff\xfe\0\0{\0\0\0", None), Err(CharsetError::Utf32));
        assert_eq!(to_utf8(b"\xff\xfe{", None), Err(CharsetError::Utf16));
        assert_eq!(to_utf8(b"\xff\xfe\0\xd8", None), Err(CharsetError::Utf16));
    }
}

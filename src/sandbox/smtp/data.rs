//! The text behind DATA: takes lines until the one that is a single dot, and undoes dot stuffing.
//!
//! Strict about CRLF, so that a client that ends lines otherwise is found here and not at a real server.

use std::io::BufRead;

use bytes::{Buf, BytesMut};

/// What EHLO announces as SIZE, in bytes.
pub(super) const SIZE_MAX: usize = 10 * 1024 * 1024;
/// A line that does not end within this many bytes ends the connection. (RFC 5321 allows 1,000.)
const LINE_MAX: usize = 256 * 1024;

/// Whether the end was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Done,
    /// It was longer than [`SIZE_MAX`].
    TooLarge,
    /// A line without an end.
    Endless,
}

/// The text so far.
#[derive(Debug)]
pub(super) struct Data {
    text: Vec<u8>,
    line_start: bool,
    too_large: bool,
}

impl Data {
    pub(super) fn new() -> Self {
        Self { text: Vec::with_capacity(8 * 1024), line_start: true, too_large: false }
    }

    pub(super) fn into_text(self) -> Vec<u8> {
        self.text
    }

    /// Consumes whole lines of the input, up to and with the line that ends the text.
    pub(super) fn take(&mut self, input: &mut BytesMut) -> Progress {
        let mut rest: &[u8] = input;
        let mut progress = Progress::More;
        loop {
            let line = next_line(rest);
            if !line.ends_with(b"\n") {
                if line.len() > LINE_MAX {
                    progress = Progress::Endless;
                }
                break;
            }
            rest = &rest[line.len()..];
            if self.line_start && line == b".\r\n" {
                progress = if self.too_large { Progress::TooLarge } else { Progress::Done };
                break;
            }
            self.append(line);
        }
        let consumed = input.len() - rest.len();
        input.advance(consumed);
        progress
    }

    fn append(&mut self, line: &[u8]) {
        let unstuffed = if self.line_start { line.strip_prefix(b".").unwrap_or(line) } else { line };
        if self.text.len() + unstuffed.len() > SIZE_MAX {
            self.too_large = true;
        } else if !self.too_large {
            self.text.extend_from_slice(unstuffed);
        }
        self.line_start = line.ends_with(b"\r\n");
    }
}

/// The bytes up to and with the next line feed. `skip_until` searches with memchr.
fn next_line(bytes: &[u8]) -> &[u8] {
    let mut reader = bytes;
    let length = reader.skip_until(b'\n').expect("reading memory does not fail");
    &bytes[..length]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&str], text: &str, left: &str) {
        let (mut data, mut input) = (Data::new(), BytesMut::new());
        let (last, first) = pieces.split_last().unwrap();
        for piece in first {
            input.extend_from_slice(piece.as_bytes());
            assert_eq!(data.take(&mut input), Progress::More, "after {piece:?}");
        }
        input.extend_from_slice(last.as_bytes());
        assert_eq!(data.take(&mut input), Progress::Done);
        assert_eq!(
            (String::from_utf8(data.into_text()).unwrap().as_str(), &input[..]),
            (text, left.as_bytes())
        );
    }

    #[test]
    fn ends_at_a_single_dot_however_it_is_cut() {
        check(&["a\r\nb\r\n.\r\n"], "a\r\nb\r\n", "");
        check(&["a\r\nb\r\n.\r\nQUIT\r\n"], "a\r\nb\r\n", "QUIT\r\n");
        check(&["a\r", "\n", ".", "\r", "\nNOOP"], "a\r\n", "NOOP");
        check(&[".\r\n"], "", "");
    }

    #[test]
    fn dots_are_unstuffed_and_bare_line_feeds_end_nothing() {
        check(&["..\r\n...a\r\n.\r\n"], ".\r\n..a\r\n", "");
        check(&["a\n.\r\nb\n.\n..c\r\n.\r\n"], "a\n.\r\nb\n.\n..c\r\n", "");
    }

    #[test]
    fn what_is_too_large_is_read_to_its_end() {
        let (mut data, line) = (Data::new(), "x".repeat(998) + "\r\n");
        for _ in 0..=SIZE_MAX / line.len() {
            assert_eq!(data.take(&mut BytesMut::from(line.as_bytes())), Progress::More);
        }
        assert_eq!(data.take(&mut BytesMut::from(&b".\r\n"[..])), Progress::TooLarge);
        let endless = "x".repeat(LINE_MAX + 1);
        assert_eq!(Data::new().take(&mut BytesMut::from(endless.as_bytes())), Progress::Endless);
    }
}

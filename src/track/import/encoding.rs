//! What a file is written in: UTF-8, UTF-16 as spreadsheets and PowerShell write it, or an encoding that a person names.
//!
//! UTF-16 says what it is by its byte order mark, or by the zeros of its first characters, which are ASCII in any file that is
//! read here. An encoding of one byte, such as windows-1252, cannot be told from another, so it has to be named.

use std::io::{self, BufRead, Read};
use std::str::FromStr;

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// How many bytes are decoded at once.
const PIECE_BYTES: usize = 64 * 1024;

/// An encoding by one of its names (<https://encoding.spec.whatwg.org/#names-and-labels>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileEncoding(&'static Encoding);

impl FromStr for FileEncoding {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Encoding::for_label_no_replacement(name.as_bytes()).map(FileEncoding);
        found.ok_or_else(|| {
            format!("`{name}` is no encoding that is known; write utf-8, utf-16le, windows-1252, macintosh or another of \
                the WHATWG's names")
        })
    }
}

/// A text that is not in the encoding that its file is read in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are characters in it that are none in {encoding}; name the file's own by --encoding")]
pub(super) struct NotInEncoding {
    encoding: &'static str,
}

/// A file as UTF-8, without a byte order mark. What is not UTF-8 in a file that should be is handed on as it is.
pub(super) enum Utf8Text<R> {
    AsItIs(R),
    Decoded(Decoded<R>),
}

impl<R: BufRead> Utf8Text<R> {
    /// Reads the file's first bytes to see what it is, unless that is named.
    pub(super) fn new(mut file: R, named: Option<FileEncoding>) -> io::Result<Self> {
        let begin = file.fill_buf()?;
        let (encoding, mark_bytes) = match (Encoding::for_bom(begin), named) {
            (Some((marked, bytes)), _) => (marked, bytes),
            (None, Some(FileEncoding(named))) => (named, 0),
            (None, None) => (by_zeros(begin), 0),
        };
        file.consume(mark_bytes);
        Ok(match encoding == UTF_8 {
            true => Utf8Text::AsItIs(file),
            false => Utf8Text::Decoded(Decoded::new(file, encoding)),
        })
    }
}

/// UTF-16 without a mark: of two ASCII characters every other byte is zero.
fn by_zeros(begin: &[u8]) -> &'static Encoding {
    match begin {
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => UTF_16BE,
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => UTF_16LE,
        _ => UTF_8,
    }
}

impl<R: BufRead> Read for Utf8Text<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Utf8Text::AsItIs(file) => file.read(buffer),
            Utf8Text::Decoded(decoded) => decoded.read(buffer),
        }
    }
}

/// A file in another encoding.
pub(super) struct Decoded<R> {
    file: R,
    decoder: Decoder,
    encoding: &'static str,
    ready: Vec<u8>,
    taken: usize,
    is_at_end: bool,
}

impl<R: BufRead> Decoded<R> {
    fn new(file: R, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_without_bom_handling();
        let encoding = encoding.name();
        Decoded { file, decoder, encoding, ready: vec![0; 0], taken: 0, is_at_end: false }
    }

    /// Decodes the next piece. A character that is none is refused: a text with characters replaced is not what was written.
    fn fill(&mut self) -> io::Result<()> {
        let begin = self.file.fill_buf()?;
        let is_last = begin.is_empty();
        self.ready.resize(PIECE_BYTES, 0);
        let decoded = self.decoder.decode_to_utf8_without_replacement(begin, &mut self.ready, is_last);
        let (result, read, written) = decoded;
        self.file.consume(read);
        self.ready.truncate(written);
        self.taken = 0;
        match result {
            DecoderResult::Malformed(_, _) => {
                let wrong = NotInEncoding { encoding: self.encoding };
                Err(io::Error::new(io::ErrorKind::InvalidData, wrong))
            }
            DecoderResult::InputEmpty => {
                self.is_at_end = is_last;
                Ok(())
            }
            DecoderResult::OutputFull => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.ready.len() && !self.is_at_end {
            self.fill()?;
        }
        let rest = &self.ready[self.taken..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], named: Option<&str>) -> io::Result<String> {
        let mut text = String::new();
        let file = io::BufReader::with_capacity(7, bytes);
        Utf8Text::new(file, named.map(|name| name.parse().unwrap()))?.read_to_string(&mut text)?;
        Ok(text)
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn spreadsheets_files_are_read_whatever_they_are_written_in() {
        let text = "registered,name\nC-1,Zoë 雪 👩\n";
        let marked = format!("\u{feff}{text}");
        for bytes in [
            text.as_bytes().to_vec(),
            marked.as_bytes().to_vec(),
            utf16(&marked, u16::to_le_bytes),
            utf16(&marked, u16::to_be_bytes),
            utf16(text, u16::to_le_bytes),
            utf16(text, u16::to_be_bytes),
        ] {
            assert_eq!(read(&bytes, None).unwrap(), text, "{bytes:?}");
        }
        assert_eq!(read(b"Zo\xeb, \x80 5", Some("windows-1252")).unwrap(), "Zoë, € 5");
        assert_eq!(read(b"Zo\x91", Some("macintosh")).unwrap(), "Zoë");
        assert_eq!(read(&utf16(text, u16::to_le_bytes), Some("utf-16le")).unwrap(), text);
    }

    #[test]
    fn what_is_no_character_is_refused_and_never_replaced() {
        let half = [b"a\0b\0".as_slice(), &[0x00, 0xd8, b'c', 0]].concat();
        let error = read(&half, None).unwrap_err().to_string();
        assert!(error.contains("UTF-16LE") && error.contains("--encoding"), "{error}");
        assert!(read(b"a\0b\0c", None).is_err(), "half a character at the end");
        assert!("latin-7000".parse::<FileEncoding>().unwrap_err().contains("windows-1252"));
    }
}

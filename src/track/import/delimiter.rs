//! What separates the cells of a CSV file: named by the person, by `sep=;` in its first line as Excel writes it, or told by its
//! header, which holds a cell `registered`.

use std::io::{self, BufRead};
use std::str::FromStr;

/// Separators that spreadsheets write, in the order in which they are tried.
const KNOWN: [u8; 4] = [b',', b';', b'\t', b'|'];
/// A header is not longer.
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// One character of ASCII between the cells of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiter(pub(super) u8);

impl FromStr for Delimiter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "tab" | "\\t" => Ok(Delimiter(b'\t')),
            text => match text.as_bytes() {
                [byte] if is_possible(*byte) => Ok(Delimiter(*byte)),
                _ => Err("write one character, such as `;` or `|`, or `tab`".to_owned()),
            },
        }
    }
}

/// What no cell's text needs: no letter, digit or quote.
fn is_possible(byte: u8) -> bool {
    (byte.is_ascii_punctuation() || byte == b'\t') && !matches!(byte, b'"' | b'.' | b'_' | b':')
}

/// The separator of a file, and how many bytes of it, in how many lines, come before its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub delimiter: u8,
    pub bytes_before: usize,
    pub lines_before: u64,
}

/// Looks at what a file begins with; nothing of it is consumed.
pub(super) fn find(begin: &[u8], named: Option<Delimiter>) -> Found {
    let (said, bytes_before) = sep_line(begin);
    let lines_before = u64::from(bytes_before > 0);
    let header = first_line(&begin[bytes_before..]);
    let delimiter = named.map(|Delimiter(byte)| byte).or(said).unwrap_or_else(|| by_header(header));
    Found { delimiter, bytes_before, lines_before }
}

/// As much of a file's begin as a header may take.
pub(super) fn begin(file: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    let mut ends = 0;
    while begin.len() < HEADER_BYTES_MAX && ends < 2 {
        let piece = file.fill_buf()?;
        if piece.is_empty() {
            break;
        }
        ends += piece.iter().filter(|byte| **byte == b'\n').count();
        let count = piece.len();
        begin.extend_from_slice(piece);
        file.consume(count);
    }
    Ok(begin)
}

/// `sep=;` and its end of line.
fn sep_line(begin: &[u8]) -> (Option<u8>, usize) {
    let line = first_line(begin);
    let text = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match text {
        [s, e, p, b'=', delimiter]
            if [*s, *e, *p].eq_ignore_ascii_case(b"sep") && is_possible(*delimiter) =>
        {
            let end = &begin[line.len()..];
            let end_bytes = if end.starts_with(b"\r\n") { 2 } else { usize::from(!end.is_empty()) };
            (Some(*delimiter), line.len() + end_bytes)
        }
        _ => (None, 0),
    }
}

fn first_line(text: &[u8]) -> &[u8] {
    text.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default()
}

/// The separator that makes a cell `registered` of the header, or else the one that is there most often.
fn by_header(header: &[u8]) -> u8 {
    let names_customers = |delimiter: &u8| {
        cells(header, *delimiter)
            .iter()
            .any(|cell| matches!(cell.as_slice(), b"registered" | b"ids.registered"))
    };
    let parts = |delimiter: &u8| cells(header, *delimiter).len();
    let named: Vec<u8> = KNOWN.into_iter().filter(names_customers).collect();
    let among = if named.is_empty() { KNOWN.to_vec() } else { named };
    let most = among.iter().map(parts).max().unwrap_or(1);
    among.into_iter().find(|delimiter| parts(delimiter) == most).unwrap_or(b',')
}

/// The header's cells, without quotes and white space around them.
fn cells(header: &[u8], delimiter: u8) -> Vec<Vec<u8>> {
    let (mut cells, mut is_quoted) = (vec![Vec::new()], false);
    for byte in header {
        match (*byte, cells.last_mut()) {
            (b'"', _) => is_quoted = !is_quoted,
            (byte, _) if byte == delimiter && !is_quoted => cells.push(Vec::new()),
            (byte, Some(cell)) => cell.push(byte),
            (_, None) => {}
        }
    }
    cells.iter().map(|cell| cell.trim_ascii().to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(begin: &str) -> (char, usize) {
        let Found { delimiter, bytes_before, .. } = find(begin.as_bytes(), None);
        (delimiter.into(), bytes_before)
    }

    #[test]
    fn a_header_tells_what_separates_its_cells() {
        for (begin, expected) in [
            ("registered,city\n", ','),
            ("registered;city\r\n", ';'),
            ("registered\tcity", '\t'),
            ("city|registered|x", '|'),
            ("registered", ','),
            ("\"last, first\";registered", ';'),
            ("\"registered\";\"a,b,c,d\"", ';'),
            ("registered,a;b;c;d", ','),
            ("name;city;zip", ';'),
            ("", ','),
        ] {
            assert_eq!(found(begin), (expected, 0), "{begin}");
        }
    }

    #[test]
    fn excels_own_line_names_the_separator_and_is_no_header() {
        assert_eq!(found("sep=;\r\nregistered;a,b\r\n"), (';', 7));
        assert_eq!(found("SEP=|\nregistered|a\n"), ('|', 6));
        assert_eq!(found("\"sep=,\"\nregistered,a\n"), (',', 8));
        assert_eq!(found("sep=\t\nregistered\ta\n"), ('\t', 6));
        assert_eq!(find(b"sep=;\nregistered|a\n", Some(Delimiter(b'|'))).delimiter, b'|');
    }

    #[test]
    fn a_person_names_one_character() {
        assert_eq!(
            (";".parse(), "tab".parse(), "\\t".parse()),
            (Ok(Delimiter(b';')), Ok(Delimiter(b'\t')), Ok(Delimiter(b'\t')),)
        );
        for wrong in ["", ";;", "a", "\"", "5", "é"] {
            assert!(wrong.parse::<Delimiter>().is_err(), "{wrong}");
        }
    }
}

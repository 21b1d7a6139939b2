//! Where the records of a CSV file begin and end, watched over as its bytes go by.
//!
//! The csv crate takes a quote that is never closed for a cell that reaches to the end of the file: every customer behind
//! it would be part of one name. Here such a file is refused, and so is a record too long to be one.
//! The crate also counts the feed of a line's `\r\n`, and lines without anything, to the record behind them: which line
//! a record is on is kept here.

use std::collections::VecDeque;
use std::io::{self, Read};

use super::LINE_BYTES_MAX;

/// Why a file is given up at a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BrokenRecord {
    /// The file ends inside of quotes.
    #[error(
        "a quote opens here and is never closed; close it, or write the cell as \"…\" with its quotes doubled"
    )]
    NeverClosed,
    /// It goes on and on.
    #[error("the record that begins here is longer than {LINE_BYTES_MAX} bytes; is a quote left open in it?")]
    TooLong,
}

/// A broken record and the line of text, from 1, to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub(super) struct BrokenAt {
    pub(super) line: u64,
    pub(super) problem: BrokenRecord,
}

/// Hands a file's bytes on until a record turns out broken; then the read fails with a [`BrokenAt`].
pub(super) struct Bounded<R> {
    file: R,
    delimiter: u8,
    place: Place,
    line: u64,
    record_line: u64,
    record_bytes: usize,
    quote_line: u64,
    /// Where records begin that were read ahead, and not asked for yet.
    begun: VecDeque<u64>,
}

/// Where the last byte stands, as the csv crate sees it: a quote opens a cell only as its first character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    CellBegins,
    Bare,
    Quoted,
    /// Behind a quote inside of quotes: it is the end, or the first half of a quote that is meant.
    BehindQuote,
}

impl<R> Bounded<R> {
    /// A file whose cells are separated so, behind as many lines that are no part of it.
    pub(super) fn new(file: R, delimiter: u8, lines_before: u64) -> Self {
        let line = 1 + lines_before;
        Bounded {
            file,
            delimiter,
            place: Place::CellBegins,
            line,
            record_line: line,
            record_bytes: 0,
            quote_line: line,
            begun: VecDeque::new(),
        }
    }

    /// The line of text on which the next record begins, the header's first; lines without anything are no records.
    /// To be asked once a record.
    pub(super) fn next_record_line(&mut self) -> Option<u64> {
        self.begun.pop_front()
    }

    fn pass(&mut self, byte: u8) -> Result<(), BrokenAt> {
        if self.record_bytes == 0 && !matches!(byte, b'\r' | b'\n') {
            self.begun.push_back(self.line);
        }
        self.record_bytes += 1;
        let place = self.next_place(byte);
        if place == Place::Quoted && self.place == Place::CellBegins {
            self.quote_line = self.line;
        }
        self.line += u64::from(byte == b'\n');
        if place == Place::CellBegins && matches!(byte, b'\r' | b'\n') {
            (self.record_bytes, self.record_line) = (0, self.line);
        }
        self.place = place;
        match self.record_bytes > LINE_BYTES_MAX {
            true => Err(BrokenAt { line: self.record_line, problem: BrokenRecord::TooLong }),
            false => Ok(()),
        }
    }

    fn next_place(&self, byte: u8) -> Place {
        match (self.place, byte) {
            (Place::Quoted, b'"') => Place::BehindQuote,
            (Place::Quoted, _) | (Place::CellBegins | Place::BehindQuote, b'"') => Place::Quoted,
            (_, b'\r' | b'\n') => Place::CellBegins,
            (_, byte) if byte == self.delimiter => Place::CellBegins,
            (_, _) => Place::Bare,
        }
    }

    fn end(&self) -> Result<(), BrokenAt> {
        match self.place {
            Place::Quoted => Err(BrokenAt { line: self.quote_line, problem: BrokenRecord::NeverClosed }),
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        let passed = match count {
            0 if !buffer.is_empty() => self.end(),
            _ => buffer[..count].iter().try_for_each(|byte| self.pass(*byte)),
        };
        passed.map(|()| count).map_err(|broken| io::Error::new(io::ErrorKind::InvalidData, broken))
    }
}

//! Reads files of customers and events, line by line, whatever their size.
//!
//! A bad line is reported with its number and reading goes on; whether to stop is the caller's decision.

mod cells;
mod csv_bounds;
mod csv_file;
mod delimiter;
mod encoding;
mod ndjson;

pub use delimiter::Delimiter;
pub use encoding::FileEncoding;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::line::{LineError, customer, event};
use crate::store::customers::{CustomerWrite, EventWrite};
use encoding::Utf8Text;

/// What is said of a line that is in another encoding.
pub(super) const NOT_UTF8: &str =
    "not UTF-8; save the file as UTF-8, or name its encoding as `--encoding windows-1252` does";

/// What a person says about a file that it does not say itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileOptions {
    /// What it is written in; told by its first bytes if left out, or else UTF-8.
    pub encoding: Option<FileEncoding>,
    /// What separates the cells of a CSV file; told by its first line if left out.
    pub delimiter: Option<Delimiter>,
}

/// How many bytes of a file are read at once.
const PIECE_BYTES: usize = 256 * 1024;

/// The longest line of a file, or record of a CSV file, in bytes.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;

/// A line of a file: its number, from 1, what it takes up to its end in bytes, and what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportLine<T> {
    /// The line of text it begins on.
    pub number: u64,
    /// How many bytes of the file's text, as UTF-8, are read with it, for showing progress.
    pub bytes_read: u64,
    /// What it says, or what is wrong with it.
    pub write: Result<T, LineError>,
}

/// Why a file cannot be read at all, or any further.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The disk says no.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file of another kind.
    #[error(
        "{}: expected a name ending in .csv, .tsv or .txt (cells in lines), or in .ndjson or .jsonl; a spreadsheet can save \
         as CSV",
        .0.display()
    )]
    Format(PathBuf),
    /// Events have nested properties, which no CSV column holds.
    #[error("{}: events are read from .ndjson or .jsonl", .0.display())]
    EventsInCsv(PathBuf),
    /// The first line of a CSV file does not name its columns.
    #[error("{}: {problem}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A record of a CSV file has no end, so that nothing behind it can be told from it.
    #[error("{}:{line}: {problem}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The line of text to look at.
        line: u64,
        /// What is wrong there.
        problem: String,
    },
}

/// Lines of a file, one after the other; an `Err` ends them.
pub type ImportLines<T> = Box<dyn Iterator<Item = Result<ImportLine<T>, ImportError>> + Send>;

/// Reads customers from a `.csv`, `.tsv`, `.txt`, `.ndjson` or `.jsonl` file.
///
/// # Errors
/// The file cannot be opened, or its header is wrong.
pub fn read_customers(path: &Path, options: FileOptions) -> Result<ImportLines<CustomerWrite>, ImportError> {
    match extension(path).as_str() {
        "csv" | "tsv" | "tab" | "txt" => {
            Ok(Box::new(csv_file::customers(path, open(path, options)?, options.delimiter)?))
        }
        "ndjson" | "jsonl" => Ok(Box::new(ndjson::lines(path, open(path, options)?, customer))),
        _ => Err(ImportError::Format(path.to_owned())),
    }
}

/// Reads events from a `.ndjson` or `.jsonl` file; one without a timestamp happened `now`.
///
/// # Errors
/// The file cannot be opened.
pub fn read_events(
    path: &Path,
    options: FileOptions,
    now: Timestamp,
) -> Result<ImportLines<EventWrite>, ImportError> {
    match extension(path).as_str() {
        "ndjson" | "jsonl" => {
            Ok(Box::new(ndjson::lines(path, open(path, options)?, move |line| event(line, now))))
        }
        "csv" | "tsv" | "tab" | "txt" => Err(ImportError::EventsInCsv(path.to_owned())),
        _ => Err(ImportError::Format(path.to_owned())),
    }
}

fn extension(path: &Path) -> String {
    path.extension().and_then(|it| it.to_str()).unwrap_or_default().to_ascii_lowercase()
}

fn open(path: &Path, options: FileOptions) -> Result<BufReader<Utf8Text<BufReader<File>>>, ImportError> {
    let failed = |source| ImportError::Io { path: path.to_owned(), source };
    let file = BufReader::with_capacity(PIECE_BYTES, File::open(path).map_err(failed)?);
    let text = Utf8Text::new(file, options.encoding).map_err(failed)?;
    Ok(BufReader::with_capacity(PIECE_BYTES, text))
}

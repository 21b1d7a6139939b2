//! CSV: a header that names `registered` and the attributes' columns, then a customer a line.

use std::collections::BTreeSet;
use std::io::{BufRead, Cursor, Read};
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord};
use serde_json::json;

use super::cells::{Column, Decimals, boolean, cell, column};
use super::csv_bounds::{Bounded, BrokenAt};
use super::delimiter::{Delimiter, Found, begin, find};
use super::encoding::NotInEncoding;
use super::{ImportError, ImportLine};
use crate::store::customers::CustomerWrite;
use crate::track::line::{LineError, customer, put, trimmed};

/// The names of a file's columns, and how its cells are written.
struct Table {
    headers: Vec<String>,
    columns: Vec<Column>,
    decimals: Decimals,
}

/// The customers of a file.
pub(super) fn customers<R: BufRead + Send>(
    path: &Path,
    mut file: R,
    named: Option<Delimiter>,
) -> Result<impl Iterator<Item = Result<ImportLine<CustomerWrite>, ImportError>> + Send + use<R>, ImportError>
{
    let path: PathBuf = path.to_owned();
    let begin = begin(&mut file).map_err(|source| broken(&path, source))?;
    let Found { delimiter, bytes_before, lines_before } = find(&begin, named);
    let whole = Cursor::new(begin.get(bytes_before..).unwrap_or_default().to_vec()).chain(file);
    let mut builder = ReaderBuilder::new();
    let mut reader =
        builder.delimiter(delimiter).flexible(true).from_reader(Bounded::new(whole, delimiter, lines_before));
    let header = reader.headers().map_err(|error| unreadable(&path, error))?.clone();
    reader.get_mut().next_record_line();
    let table = Table::of(&header, delimiter)
        .map_err(|problem| ImportError::Header { path: path.clone(), problem })?;
    let mut failed = false;
    Ok(std::iter::from_fn(move || {
        while !failed {
            let mut record = StringRecord::new();
            let read = match reader.read_record(&mut record) {
                Ok(false) => return None,
                Ok(true) => Ok(()),
                Err(error) if error.is_io_error() => {
                    failed = true;
                    return Some(Err(unreadable(&path, error)));
                }
                Err(error) => Err(LineError::NotCsv(what(&error))),
            };
            let said = reader.position().line();
            let number = reader.get_mut().next_record_line().unwrap_or(said);
            if read.is_ok() && record.iter().all(|cell| trimmed(cell).is_empty()) {
                continue;
            }
            let write = read.and_then(|()| table.line(&record));
            return Some(Ok(ImportLine { number, bytes_read: reader.position().byte(), write }));
        }
        None
    }))
}

impl Table {
    fn of(header: &StringRecord, delimiter: u8) -> Result<Self, String> {
        let mut headers = Vec::with_capacity(header.len());
        for cell in header {
            headers.push(bare(cell).map_err(|problem| format!("column `{}`: {problem}", trimmed(cell)))?);
        }
        let headers: Vec<String> = headers.into_iter().map(str::to_owned).collect();
        let columns: Vec<Column> = headers.iter().map(|it| column(it)).collect::<Result<_, _>>()?;
        if !columns.contains(&Column::Id("registered".into())) {
            return Err(no_registered(&headers, delimiter));
        }
        let mut seen = BTreeSet::new();
        let names = headers.iter().map(|it| trimmed(it.split(':').next().unwrap_or(it)));
        if let Some(name) = names.filter(|name| !name.is_empty()).find(|name| !seen.insert(*name)) {
            return Err(format!("column `{name}` is there twice"));
        }
        let decimals = if delimiter == b';' { Decimals::PointOrComma } else { Decimals::Point };
        nested(&columns).map_or(Ok(Table { headers, columns, decimals }), Err)
    }

    /// How many cells a line has at least: without those behind the last column that has a name.
    fn cells_min(&self) -> usize {
        self.columns.iter().rposition(|column| *column != Column::Nameless).map_or(0, |last| last + 1)
    }

    /// Makes of a record the line that says the same.
    fn line(&self, record: &StringRecord) -> Result<CustomerWrite, LineError> {
        if record.len() < self.cells_min() {
            let (cells, columns) = (record.len(), self.cells_min());
            return Err(LineError::NotCsv(format!("it has {cells} cells, the header {columns}")));
        }
        let mut line = json!({"ids": {}, "attributes": {}, "merge": {}, "consents": {}});
        for (index, text) in record.iter().enumerate() {
            let text = bare(text).map_err(|problem| LineError::NotCsv(format!("`{text}`: {problem}")))?;
            if text.is_empty() {
                continue;
            }
            let nameless = (&String::new(), &Column::Nameless);
            let (header, column) = self.headers.get(index).zip(self.columns.get(index)).unwrap_or(nameless);
            match column {
                Column::Nameless => return Err(self.nowhere(index, record)),
                Column::Id(kind) => line["ids"][kind] = text.into(),
                Column::Consent(category) => line["consents"][category] = boolean(header, text)?.into(),
                Column::Attribute(path, cell_type) => {
                    let whole = if path.len() == 1 { "attributes" } else { "merge" };
                    put(&mut line[whole], path, cell(header, *cell_type, self.decimals, text)?);
                }
            }
        }
        customer(line)
    }

    /// A cell that no column is for.
    fn nowhere(&self, index: usize, record: &StringRecord) -> LineError {
        LineError::NotCsv(match index < self.columns.len() {
            true => format!("column {} has no name in the header, and something stands in it", index + 1),
            false => format!("it has {} cells, the header {}", record.len(), self.columns.len()),
        })
    }
}

/// A cell without white space around it. Behind white space a quote opens no cell, so that it would be part of the text.
fn bare(cell: &str) -> Result<&str, &'static str> {
    let bare = trimmed(cell);
    match bare.starts_with('"') && !cell.starts_with('"') {
        true => Err("a quote stands behind white space; take the white space away"),
        false => Ok(bare),
    }
}

fn no_registered(headers: &[String], delimiter: u8) -> String {
    let near = headers.iter().find(|it| it.eq_ignore_ascii_case("registered"));
    let hint = near.map_or(String::new(), |near| format!("; write `registered` for `{near}`"));
    let separator = match delimiter {
        b'\t' => "a tab".to_owned(),
        other => format!("`{}`", char::from(other)),
    };
    let count = headers.len();
    format!(
        "the first line must name the columns, `registered` among them{hint}; read with {separator} between the cells, it \
         has {count}: is that what separates them? --delimiter names another"
    )
}

/// Whether a column's cells would replace, or be replaced by, the object that other columns are the parts of.
fn nested(columns: &[Column]) -> Option<String> {
    let mut paths: Vec<&[String]> = columns.iter().filter_map(Column::attribute).collect();
    // An object sorts right before its parts.
    paths.sort_unstable();
    let pair = paths.windows(2).find(|pair| pair[1].starts_with(pair[0]))?;
    let (whole, part) = (pair[0].join("."), pair[1].join("."));
    Some(format!("column `{part}` is a part of column `{whole}`; leave one of them out, or rename it"))
}

/// What is wrong with a record, without the position, which is said beside it.
fn what(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => super::NOT_UTF8.into(),
        _ => "it cannot be taken apart into cells".into(),
    }
}

fn unreadable(path: &Path, error: csv::Error) -> ImportError {
    let said = what(&error);
    match error.into_kind() {
        csv::ErrorKind::Io(source) => broken(path, source),
        _ => ImportError::Header { path: path.to_owned(), problem: format!("the first line: {said}") },
    }
}

/// Why reading stopped.
fn broken(path: &Path, source: std::io::Error) -> ImportError {
    let path = path.to_owned();
    let inner = source.get_ref();
    if let Some(BrokenAt { line, problem }) = inner.and_then(|it| it.downcast_ref()) {
        return ImportError::Record { path, line: *line, problem: problem.to_string() };
    }
    if let Some(wrong) = inner.and_then(|it| it.downcast_ref::<NotInEncoding>()) {
        return ImportError::Header { path, problem: wrong.to_string() };
    }
    ImportError::Io { path, source }
}

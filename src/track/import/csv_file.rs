//! CSV: a header that names `registered` and the attributes' columns, then a customer a line.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord};
use serde_json::json;

use super::cells::{Column, boolean, cell, column, put};
use super::csv_bounds::{Bounded, BrokenAt};
use super::{ImportError, ImportLine};
use crate::store::customers::CustomerWrite;
use crate::track::line::{LineError, customer};

/// The customers of a file.
pub(super) fn customers<R: Read + Send>(
    path: &Path,
    file: R,
) -> Result<impl Iterator<Item = Result<ImportLine<CustomerWrite>, ImportError>> + Send + use<R>, ImportError>
{
    let mut reader = ReaderBuilder::new().from_reader(Bounded::new(file));
    let headers = reader.headers().map_err(|error| unreadable(path, error))?.clone();
    reader.get_mut().next_record_line();
    let columns =
        columns(&headers).map_err(|problem| ImportError::Header { path: path.to_owned(), problem })?;
    let path: PathBuf = path.to_owned();
    let mut failed = false;
    Ok(std::iter::from_fn(move || {
        if failed {
            return None;
        }
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
        let write = read.and_then(|()| line(&headers, &columns, &record));
        let said = reader.position().line();
        let number = reader.get_mut().next_record_line().unwrap_or(said);
        Some(Ok(ImportLine { number, bytes_read: reader.position().byte(), write }))
    }))
}

fn columns(headers: &StringRecord) -> Result<Vec<Column>, String> {
    let columns: Vec<Column> = headers.iter().map(column).collect::<Result<_, _>>()?;
    if !columns.contains(&Column::Id("registered".into())) {
        return Err("the first line must name the columns, `registered` among them".into());
    }
    let mut seen = BTreeSet::new();
    match headers.iter().map(|it| it.split(':').next().unwrap_or(it)).find(|name| !seen.insert(*name)) {
        Some(name) => Err(format!("column {name:?} is there twice")),
        None => nested(&columns).map_or(Ok(columns), Err),
    }
}

/// Whether a column's cells would replace, or be replaced by, the object that other columns are the parts of.
fn nested(columns: &[Column]) -> Option<String> {
    let mut paths: Vec<&[String]> = columns.iter().filter_map(Column::attribute).collect();
    // An object sorts right before its parts.
    paths.sort_unstable();
    let pair = paths.windows(2).find(|pair| pair[1].starts_with(pair[0]))?;
    let (whole, part) = (pair[0].join("."), pair[1].join("."));
    Some(format!("column {part:?} is a part of column {whole:?}; leave one of them out, or rename it"))
}

/// Makes of a record the line that says the same.
fn line(
    headers: &StringRecord,
    columns: &[Column],
    record: &StringRecord,
) -> Result<CustomerWrite, LineError> {
    let mut line = json!({"ids": {}, "attributes": {}, "consents": {}});
    for ((header, column), text) in headers.iter().zip(columns).zip(record) {
        if text.is_empty() {
            continue;
        }
        match column {
            Column::Id(kind) => line["ids"][kind] = text.into(),
            Column::Consent(category) => line["consents"][category] = boolean(header, text)?.into(),
            Column::Attribute(path, cell_type) => {
                put(&mut line["attributes"], path, cell(header, *cell_type, text)?);
            }
        }
    }
    customer(line)
}

/// What is wrong with a record, without the position, which is said beside it.
fn what(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} cells, the header {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "not UTF-8".into(),
        _ => error.to_string(),
    }
}

fn unreadable(path: &Path, error: csv::Error) -> ImportError {
    let (path, problem) = (path.to_owned(), what(&error));
    match error.into_kind() {
        csv::ErrorKind::Io(source) => match source.get_ref().and_then(|it| it.downcast_ref::<BrokenAt>()) {
            Some(BrokenAt { line, problem }) => {
                ImportError::Record { path, line: *line, problem: problem.to_string() }
            }
            None => ImportError::Io { path, source },
        },
        _ => ImportError::Header { path, problem },
    }
}

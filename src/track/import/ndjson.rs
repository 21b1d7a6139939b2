//! NDJSON: one line of JSON a line of text.

use std::io::{BufRead, Read};
use std::path::Path;

use serde_json::Value as Json;

use super::{ImportError, ImportLine, LINE_BYTES_MAX};
use crate::track::batch::parse;
use crate::track::line::LineError;

/// The lines of a file; blank ones are passed over.
pub(super) fn lines<R, T, F>(
    path: &Path,
    mut file: R,
    read: F,
) -> impl Iterator<Item = Result<ImportLine<T>, ImportError>> + Send + use<R, T, F>
where
    R: BufRead + Send,
    F: Fn(Json) -> Result<T, LineError> + Send,
{
    let path = path.to_owned();
    let (mut number, mut bytes_read, mut failed) = (0, 0, false);
    std::iter::from_fn(move || {
        while !failed {
            let text = match next_line(&mut file) {
                Ok(None) => return None,
                Ok(Some(text)) => text,
                Err(source) => {
                    failed = true;
                    return Some(Err(ImportError::Io { path: path.clone(), source }));
                }
            };
            number += 1;
            bytes_read += text.bytes;
            let line = text.line;
            if line.as_ref().is_ok_and(|line| line.trim().is_empty()) {
                continue;
            }
            let write = line.and_then(|line| parse(&line)).and_then(&read);
            return Some(Ok(ImportLine { number, bytes_read, write }));
        }
        None
    })
}

/// A line of text, or why it is none; and how many bytes it takes.
struct Text {
    bytes: u64,
    line: Result<String, LineError>,
}

fn next_line(file: &mut impl BufRead) -> std::io::Result<Option<Text>> {
    let mut line = Vec::new();
    let most = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = file.by_ref().take(most).read_until(b'\n', &mut line)? as u64;
    if bytes == 0 {
        return Ok(None);
    }
    if bytes == most && line.last() != Some(&b'\n') {
        bytes += file.skip_until(b'\n')? as u64;
        let refused = LineError::NotJson(format!("longer than {LINE_BYTES_MAX} bytes"));
        return Ok(Some(Text { bytes, line: Err(refused) }));
    }
    let line = String::from_utf8(line).map_err(|_| LineError::NotJson(super::NOT_UTF8.into()));
    Ok(Some(Text { bytes, line }))
}

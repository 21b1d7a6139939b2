//! Splits a stream into its documents as kubectl does: at lines that begin with `---`.
//!
//! Each document stands for itself: an error in one leaves the others readable, and anchors end with it.

use std::sync::Arc;

use serde_json::Value;

use super::diagnostic::Diagnostic;
use super::places::Places;
use super::source::{Source, SourcePlace, Style};
use super::{syntax_hint, tree, value};

/// Every document of a source that holds something: its value, or what is wrong with it.
pub(super) fn read(source: &Arc<Source>) -> Vec<Result<(Value, Places), Box<Diagnostic>>> {
    let mut documents = Vec::new();
    for part in split(source) {
        let document = part.and_then(|(begin, end)| document(source, begin, end));
        match document {
            Ok(None) => {}
            Ok(Some(document)) => documents.push(Ok(document)),
            Err(diagnostic) => documents.push(Err(diagnostic)),
        }
    }
    documents
}

fn split(source: &Arc<Source>) -> Vec<Result<(usize, usize), Box<Diagnostic>>> {
    let text = source.text();
    let mut parts = Vec::new();
    // A byte order mark is no part of the text.
    let mut begin = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("---") {
            parts.push(Ok((begin.min(at), at)));
            begin = at + line.len();
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                let place =
                    SourcePlace { source: source.clone(), start: at, end: begin, style: Style::Plain };
                parts.push(Err(Box::new(Diagnostic::error(
                    &place,
                    "only a comment may follow the `---` between documents",
                ))));
            }
        }
        at += line.len();
    }
    parts.push(Ok((begin.min(at), at)));
    parts
}

fn document(
    source: &Arc<Source>,
    begin: usize,
    end: usize,
) -> Result<Option<(Value, Places)>, Box<Diagnostic>> {
    let root = tree::parse(source, begin, end)
        .map_err(|error| Box::new(syntax_hint::explain(source, begin, &error)))?;
    let Some(root) = root else { return Ok(None) };
    let (value, places) =
        value::build(&root).map_err(|error| Box::new(Diagnostic::error(&error.place, error.message)))?;
    Ok((!value.is_null()).then_some((value, places)))
}

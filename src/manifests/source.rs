//! Where something stands: a file's text, and the stretch of it that a value was read from.

use std::sync::Arc;

use super::alignment;

/// The text of one file, or of the standard input.
#[derive(Debug)]
pub struct Source {
    name: String,
    text: String,
    /// The byte offset at which each line begins.
    lines: Vec<usize>,
}

impl Source {
    /// Keeps a text under the name that messages give it, a path as the user wrote it.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Arc::new(Self { name: name.into(), text, lines })
    }

    /// The name that messages give it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line and the column of a byte offset, both counted from 1, the column in characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset.min(self.text.len()));
        let line = self.lines.partition_point(|begin| *begin <= offset);
        let begin = self.lines[line - 1];
        (line, self.text[begin..offset].chars().count() + 1)
    }

    /// The text of a line, counted from 1, without its line break.
    pub fn line(&self, line: usize) -> &str {
        let Some(begin) = line.checked_sub(1).and_then(|index| self.lines.get(index)) else { return "" };
        let end = self.lines.get(line).copied().unwrap_or(self.text.len());
        self.text[*begin..end].trim_end_matches(['\n', '\r'])
    }
}

/// How a value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In `'…'`.
    SingleQuoted,
    /// In `"…"`.
    DoubleQuoted,
    /// A block behind `|` or `>`.
    Block,
    /// Not a scalar: a list or a mapping.
    Collection,
}

/// The stretch of a source that a value was read from.
#[derive(Clone, Debug)]
pub struct SourcePlace {
    /// The file.
    pub source: Arc<Source>,
    /// The byte offset of its begin.
    pub start: usize,
    /// The byte offset behind its end.
    pub end: usize,
    /// How it was written.
    pub style: Style,
}

impl SourcePlace {
    /// The beginning of a file, for what can be said of no single value.
    pub fn beginning_of(source: &Arc<Source>) -> Self {
        Self { source: source.clone(), start: 0, end: 0, style: Style::Collection }
    }

    /// The line and the column it begins at, both counted from 1.
    pub fn position(&self) -> (usize, usize) {
        self.source.position(self.start)
    }

    /// The byte offset in the source of a byte offset in the value that was read from here.
    ///
    /// Quotes, escapes, folded lines and a block's indentation are accounted for. A value that did not come from here
    /// (a template set somewhere else) gives the begin of the place.
    pub fn offset_of(&self, value: &str, offset: usize) -> usize {
        let raw = &self.source.text[self.start..self.end];
        alignment::offset_in_source(raw, self.style, value, offset).map_or(self.start, |at| self.start + at)
    }
}

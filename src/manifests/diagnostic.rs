//! What is wrong with a manifest, and where: for people with a caret, for scripts as JSON.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use super::source::{SourcePlace, Style};

/// One thing to say about a manifest, and the place it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// Whether it stops the object from being used.
    pub severity: DiagnosticSeverity,
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The object, as `ApiTrigger default/weather-alert`, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The field path, as Kubernetes writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong and what to do about it.
    pub message: String,
    /// The line of the source.
    #[serde(skip)]
    snippet: String,
    /// How many characters the caret covers.
    #[serde(skip)]
    width: usize,
}

/// Whether something stops an object from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum DiagnosticSeverity {
    /// The object cannot be used.
    Error,
    /// Probably not what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

impl Diagnostic {
    /// An error about a whole value.
    pub fn error(place: &SourcePlace, message: impl Into<String>) -> Self {
        let end = if place.style == Style::Collection { place.start + 1 } else { place.end };
        Self::spanning(place, place.start..end, message.into())
    }

    /// An error about a part of a scalar: `part` is a range of bytes of `value`, the text that was read from `place`.
    pub fn within(place: &SourcePlace, value: &str, part: Range<usize>, message: impl Into<String>) -> Self {
        let start = place.offset_of(value, part.start);
        let last =
            value[..value.floor_char_boundary(part.end)].char_indices().next_back().map_or(0, |(at, _)| at);
        let end = place.offset_of(value, last.max(part.start));
        let width = place.source.text()[end..].chars().next().map_or(0, char::len_utf8);
        Self::spanning(place, start..end + width, message.into())
    }

    /// The same as a warning.
    pub fn warning(mut self) -> Self {
        self.severity = DiagnosticSeverity::Warning;
        self
    }

    /// The same as a note.
    pub fn note(mut self) -> Self {
        self.severity = DiagnosticSeverity::Note;
        self
    }

    /// The same with its field path.
    pub fn at_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same with the object it is about.
    pub fn of(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    /// Whether it stops the object from being used.
    pub fn is_error(&self) -> bool {
        self.severity == DiagnosticSeverity::Error
    }

    fn spanning(place: &SourcePlace, range: Range<usize>, message: String) -> Self {
        let source = &place.source;
        let (line, column) = source.position(range.start);
        let snippet = source.line(line).to_owned();
        let rest = snippet.chars().count().saturating_sub(column - 1);
        let end = range.end.clamp(range.start, source.text().len());
        let spanned = source.text().get(range.start..end).unwrap_or_default();
        let width = spanned.lines().next().map_or(0, |first| first.chars().count());
        let (file, width) = (source.name().to_owned(), width.min(rest).max(1));
        Self {
            severity: DiagnosticSeverity::Error,
            file,
            line,
            column,
            object: None,
            field: None,
            message,
            snippet,
            width,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.severity {
            DiagnosticSeverity::Error => "error",
            DiagnosticSeverity::Warning => "warning",
            DiagnosticSeverity::Note => "note",
        };
        write!(f, "{}:{}:{}: {kind}: ", self.file, self.line, self.column)?;
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        if let Some(field) = self.field.as_ref().filter(|field| !field.is_empty()) {
            write!(f, "{field}: ")?;
        }
        write!(f, "{}", self.message)?;
        if self.snippet.trim().is_empty() || self.severity == DiagnosticSeverity::Note {
            return Ok(());
        }
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        let (line, before) = self.shown();
        write!(f, "\n {number} | {line}\n {gutter} | {before}{}", "^".repeat(self.width.min(SHOWN)))
    }
}

/// How many characters of a line are shown on either side of the place.
const SHOWN: usize = 80;

impl Diagnostic {
    /// The line, or of a long one the part around the place, and what stands below it up to the caret.
    fn shown(&self) -> (String, String) {
        let from = (self.column - 1).saturating_sub(SHOWN);
        let from = if self.snippet.chars().count() <= 2 * SHOWN { 0 } else { from };
        let ellipsis = if from > 0 { "…" } else { "" };
        let part = self.snippet.chars().skip(from).take(2 * SHOWN);
        let line = ellipsis.chars().chain(part).collect::<String>();
        // Tabs keep their width only if the line of carets has them too.
        let blank = |c| if c == '\t' { '\t' } else { ' ' };
        let before =
            line.chars().take(self.column - 1 - from + ellipsis.chars().count()).map(blank).collect();
        (line, before)
    }
}

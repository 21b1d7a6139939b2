//! What became of a file's lines.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::track::import::ImportLine;

/// So many bad lines are named; of more, only the number. Whoever has a thousand has one mistake a thousand times.
const NAMED_MAX: usize = 50;

/// Counts lines, and names the bad ones.
#[derive(Debug)]
pub(super) struct Report {
    file: PathBuf,
    lines: u64,
    kept: u64,
    invalid: u64,
    named: Vec<(u64, String)>,
}

impl Report {
    pub(super) fn new(file: &Path) -> Self {
        Report { file: file.to_owned(), lines: 0, kept: 0, invalid: 0, named: Vec::new() }
    }

    /// Looks at a line before anything is sent.
    pub(super) fn check(&mut self, line: &ImportLine<Value>) {
        self.lines += 1;
        if let Err(error) = &line.write {
            self.bad(line.number, error.to_string());
        }
    }

    /// A line that is not imported, and why.
    pub(super) fn bad(&mut self, number: u64, reason: String) {
        self.invalid += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push((number, reason));
        }
    }

    /// So many more lines were kept.
    pub(super) fn kept(&mut self, lines: u64) {
        self.kept += lines;
    }

    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    pub(super) fn invalid(&self) -> u64 {
        self.invalid
    }

    /// How many lines were kept so far.
    pub(super) fn kept_so_far(&self) -> u64 {
        self.kept
    }

    /// `customers.csv:17: ids.registered is missing …`, a line each, on stderr.
    pub(super) fn print_bad_lines(&self) {
        for (number, reason) in &self.named {
            eprintln!("{}:{number}: {reason}", self.file.display());
        }
        let unnamed = self.invalid - self.named.len() as u64;
        if unnamed > 0 {
            eprintln!("{}: and {unnamed} more", self.file.display());
        }
    }

    pub(super) fn summary(&self, what: &str) -> String {
        match self.invalid {
            0 => format!("{} {what} imported", self.kept),
            left_out => format!("{} {what} imported, {left_out} lines left out", self.kept),
        }
    }

    /// For scripts: `{"imported": n, "invalid": n, "badLines": [{"line", "reason"}]}`.
    pub(super) fn to_json(&self) -> Value {
        let bad: Vec<Value> =
            self.named.iter().map(|(line, reason)| json!({"line": line, "reason": reason})).collect();
        json!({"imported": self.kept, "invalid": self.invalid, "badLines": bad})
    }
}

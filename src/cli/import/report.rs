//! What became of a file's lines.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::output::{counted, warn};
use crate::cli::visible::one_line;
use crate::track::import::ImportLine;

/// So many bad lines are named; of more, only the number: a thousand of them are one mistake a thousand times.
const NAMED_MAX: usize = 50;

/// So many customers are told apart, in some 64 MB; of a larger file its lines are counted.
const ABOUT_MAX: usize = 4_000_000;

/// Counts lines, and names the bad ones.
#[derive(Debug)]
pub(super) struct Report {
    file: PathBuf,
    lines: u64,
    kept: u64,
    /// Whom the lines that were kept are about, by the hash of their ids.
    about: HashSet<u64>,
    hasher: RandomState,
    invalid: u64,
    named: Vec<(u64, String)>,
}

impl Report {
    pub(super) fn new(file: &Path) -> Self {
        Report {
            file: file.to_owned(),
            lines: 0,
            kept: 0,
            about: HashSet::new(),
            hasher: RandomState::new(),
            invalid: 0,
            named: Vec::new(),
        }
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

    /// What stands for a line's customer in [`Self::kept`].
    pub(super) fn hash_of(&self, line: &Value) -> u64 {
        self.hasher.hash_one(line["ids"]["registered"].as_str().unwrap_or_default())
    }

    /// One more line was kept, about this customer.
    pub(super) fn kept(&mut self, customer: u64) {
        self.kept += 1;
        if self.about.len() < ABOUT_MAX {
            self.about.insert(customer);
        }
    }

    /// How many customers the lines are about; none where they are more than are counted.
    fn customers(&self) -> Option<u64> {
        (self.about.len() < ABOUT_MAX).then_some(self.about.len() as u64)
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
            warn(&format!("{}:{number}: {}", self.file.display(), one_line(reason)));
        }
        let unnamed = self.invalid - self.named.len() as u64;
        if unnamed > 0 {
            warn(&format!("{}: and {unnamed} more", self.file.display()));
        }
    }

    pub(super) fn summary(&self, what: &str) -> String {
        let imported = match (what, self.customers()) {
            ("customers", Some(customers)) if customers == self.kept => counted(customers, "customer"),
            // One of them is named more than once; the last line holds.
            ("customers", Some(customers)) => {
                format!("{} of {}", counted(customers, "customer"), counted(self.kept, "line"))
            }
            ("customers", None) => counted(self.kept, "line"),
            _ => counted(self.kept, "event"),
        };
        match self.invalid {
            0 => format!("{imported} imported"),
            left_out => format!("{imported} imported, {} left out", counted(left_out, "line")),
        }
    }

    /// For scripts: `{"imported": n, "lines": n, "invalid": n, "badLines": [{"line", "reason"}]}`. A customer whom several
    /// lines are about is imported once.
    pub(super) fn to_json(&self, what: &str) -> Value {
        let bad: Vec<Value> =
            self.named.iter().map(|(line, reason)| json!({"line": line, "reason": reason})).collect();
        let customers = self.customers().filter(|_| what == "customers");
        let imported = customers.unwrap_or(self.kept);
        json!({"imported": imported, "lines": self.kept, "invalid": self.invalid, "badLines": bad})
    }
}

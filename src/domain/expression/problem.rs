//! What is wrong with a source text, where, and what to do about it.
//!
//! The place is bytes of the source as its author wrote it; the reader of the file knows line and column.

use std::fmt;
use std::ops::Range;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The object cannot be used.
    Error,
    /// It can be used, but probably does not mean what was written.
    Warning,
}

/// One finding in one source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionProblem {
    /// How much it matters.
    pub severity: Severity,
    /// The bytes of the source that it is about; never outside the source.
    pub span: Range<usize>,
    /// What is wrong, as one clause without a full stop.
    pub message: String,
    /// What to do, as one clause without a full stop.
    pub remedy: Option<String>,
}

impl ExpressionProblem {
    /// An error at a place.
    pub fn error(span: Range<usize>, message: impl Into<String>) -> Self {
        ExpressionProblem { severity: Severity::Error, span, message: message.into(), remedy: None }
    }

    /// A warning at a place.
    pub fn warning(span: Range<usize>, message: impl Into<String>) -> Self {
        ExpressionProblem { severity: Severity::Warning, ..ExpressionProblem::error(span, message) }
    }

    /// Says what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for ExpressionProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match &self.remedy {
            Some(remedy) => write!(formatter, "; {remedy}"),
            None => Ok(()),
        }
    }
}

/// A source that cannot be used, with everything that was found in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", listed(.problems))]
pub struct CompileError {
    /// What was found, warnings included, in the order of the source; at least one is an error.
    pub problems: Vec<ExpressionProblem>,
}

impl From<ExpressionProblem> for CompileError {
    fn from(problem: ExpressionProblem) -> Self {
        CompileError { problems: vec![problem] }
    }
}

fn listed(problems: &[ExpressionProblem]) -> String {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    texts.join("\n")
}

/// The candidate that a misspelt name most likely means, if one is near.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bound = name.chars().count().div_ceil(3).min(3);
    candidates
        .into_iter()
        .map(|candidate| (distance(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The number of characters to insert, remove or exchange to make one text of the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, character) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in right.iter().enumerate() {
            let exchanged = diagonal + usize::from(character != *other);
            diagonal = row[column + 1];
            row[column + 1] = exchanged.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_near_name_and_no_far_one() {
        assert_eq!(nearest("postcode", ["postcodes", "until"]), Some("postcodes"));
        assert_eq!(nearest("recievedAt", ["id", "receivedAt"]), Some("receivedAt"));
        assert_eq!(nearest("zebra", ["alert", "until"]), None);
    }
}

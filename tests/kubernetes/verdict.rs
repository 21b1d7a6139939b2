//! Two verdicts on one file, made comparable: the API server's and ours.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Output;

use fanfare::manifests;

use crate::cluster::stderr;

/// Whether a file is accepted, and the field paths of what is wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is accepted.
    pub accepted: bool,
    /// The field paths; empty where the client already refused the text.
    pub fields: BTreeSet<String>,
}

/// What kubectl printed, as a verdict.
pub fn of_api_server(output: &Output) -> Verdict {
    let text = stderr(output);
    let mut fields = BTreeSet::new();
    for unknown in text.split("unknown field \"").skip(1) {
        fields.extend(unknown.split('"').next().map(str::to_owned));
    }
    let causes = text.lines().filter_map(|line| {
        let cause = line.strip_prefix("* ").or_else(|| Some(line.split_once("\" is invalid: ")?.1))?;
        cause.split_once(": ").map(|(field, _)| field)
    });
    // `<nil>` only says that further rules were not looked at.
    fields.extend(causes.filter(|field| *field != "<nil>").map(str::to_owned));
    Verdict { accepted: output.status.success(), fields }
}

/// What `fanfare validate` says of the text, its schema and its rules, before it compiles what is meant.
pub fn of_ours(file: &Path) -> Verdict {
    let manifests = manifests::read_folder(file).unwrap();
    let checked = manifests::check(&manifests);
    let errors: Vec<_> =
        manifests.diagnostics.iter().chain(&checked).filter(|found| found.is_error()).collect();
    let fields = errors.iter().filter_map(|error| error.field.clone()).collect();
    Verdict { accepted: errors.is_empty(), fields }
}

/// The files of a folder beside this one, in order.
pub fn corpus(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes").join(folder);
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

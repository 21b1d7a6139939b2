//! Loads what the folder's `data/` holds into an empty data folder, so that an example has someone to reach.
//!
//! Events have no id of their own, so a second import would double them: data is loaded into an empty store only.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::store::StoreError;
use crate::store::customers::{Customers, LineResult};
use crate::track::import::{self as files, FileOptions, ImportLine, ImportLines};

/// How many lines are written at once.
const BATCH: usize = 1_000;

/// Why the data could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum DevImportError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] files::ImportError),
    /// The folder cannot be listed.
    #[error("cannot list {}: {source}", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A line is wrong.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Loads `data/` of the folder of manifests, if there is one and no customers are known yet.
///
/// # Errors
/// A file cannot be read, or a line is wrong: the lines before it are kept.
pub async fn when_empty(manifests: &Path, store: &dyn Customers) -> Result<(), DevImportError> {
    let folder = manifests.join("data");
    if !folder.is_dir() || store.count_customers().await? > 0 {
        return Ok(());
    }
    let named = |prefix: &str| list(&folder, prefix);
    for path in named("customers")? {
        let lines = load(&path, files::read_customers(&path, FileOptions::default())?, |batch| {
            store.upsert_customers(batch)
        })
        .await?;
        tracing::info!(file = %path.display(), lines, "customers loaded");
    }
    for path in named("events")? {
        let read = files::read_events(&path, FileOptions::default(), Timestamp::now())?;
        let lines = load(&path, read, |batch| store.insert_events(batch)).await?;
        tracing::info!(file = %path.display(), lines, "events loaded");
    }
    Ok(())
}

/// The files whose name begins so, in the order of their names.
fn list(folder: &Path, prefix: &str) -> Result<Vec<PathBuf>, DevImportError> {
    let failed = |source| DevImportError::List { path: folder.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.map_err(failed)?;
    paths.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)));
    paths.sort();
    Ok(paths)
}

async fn load<T, W, F>(path: &Path, lines: ImportLines<T>, write: W) -> Result<u64, DevImportError>
where
    W: Fn(Vec<T>) -> F,
    F: Future<Output = Result<Vec<LineResult>, StoreError>>,
{
    let mut loaded = 0;
    let mut lines = lines.peekable();
    while lines.peek().is_some() {
        let mut numbers = Vec::with_capacity(BATCH);
        let mut batch = Vec::with_capacity(BATCH);
        for line in lines.by_ref().take(BATCH) {
            let ImportLine { number, write, .. } = line?;
            batch.push(write.map_err(|error| wrong(path, number, &error))?);
            numbers.push(number);
        }
        let results = write(batch).await?;
        for (number, result) in numbers.into_iter().zip(results) {
            result.map_err(|refused| wrong(path, number, &refused))?;
            loaded += 1;
        }
    }
    Ok(loaded)
}

fn wrong(path: &Path, line: u64, reason: &dyn std::fmt::Display) -> DevImportError {
    DevImportError::Line { path: path.to_owned(), line, reason: reason.to_string() }
}

//! Reads manifests from a folder, a file or a stream, as `kubectl apply -R -f` does.
//!
//! Passed over: `kustomization.yaml` and objects of other kinds, with a note; the folders `data` and `calls`, which
//! hold customers and payloads; and whatever is hidden.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::manifest::{Manifests, collect};
use super::source::Source;

/// The largest file that is read, in bytes. A ConfigMap holds at most 1 MiB.
const MAX_FILE: u64 = 4 << 20;
/// The most that is read from one folder, in bytes.
const MAX_TOTAL: u64 = 64 << 20;
/// The most files that are read from one folder.
const MAX_FILES: usize = 5_000;
/// How deeply folders may be nested.
const MAX_DEPTH: usize = 16;

/// Why manifests could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system said no.
    #[error("cannot read {}: {error}", path.display())]
    Io {
        /// What could not be read.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is no text.
    #[error("{} is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// A file is too large to be a manifest.
    #[error("{} is larger than {} MiB; manifests are not, is it data?", path.display(), limit >> 20)]
    TooLarge {
        /// The file, or the folder as a whole.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// A folder holds too much.
    #[error("{} holds more than {MAX_FILES} manifest files, or folders nested more than {MAX_DEPTH} deep", .0.display())]
    TooMany(PathBuf),
}

/// Reads every manifest below a folder, in the order of their paths, or those of a single file.
///
/// # Errors
///
/// If something cannot be read at all. What is wrong within a file is told by [`Manifests::diagnostics`].
pub fn read_folder(folder: &Path) -> Result<Manifests, ReadError> {
    let mut files = Vec::new();
    if metadata(folder)?.is_dir() {
        list(folder, 0, &mut files)?;
        if files.len() > MAX_FILES {
            return Err(ReadError::TooMany(folder.to_owned()));
        }
    } else {
        files.push(folder.to_owned());
    }
    let mut manifests = Manifests::default();
    let mut total = 0;
    for file in files {
        let text = read_file(&file)?;
        total += text.len() as u64;
        if total > MAX_TOTAL {
            return Err(ReadError::TooLarge { path: folder.to_owned(), limit: MAX_TOTAL });
        }
        collect(&Source::new(file.display().to_string(), text), &mut manifests);
    }
    Ok(manifests)
}

/// Reads what `kustomize build` prints, or any other stream of manifests; `name` stands for it in messages.
///
/// # Errors
///
/// If the stream cannot be read, is no text or is larger than a folder may be.
pub fn read_stream(name: &str, stream: impl Read) -> Result<Manifests, ReadError> {
    let text = read_text(Path::new(name), stream, MAX_TOTAL)?;
    let mut manifests = Manifests::default();
    collect(&Source::new(name, text), &mut manifests);
    Ok(manifests)
}

/// Whether a file at this path would be read as a manifest of the folder.
pub fn is_read_from(folder: &Path, path: &Path) -> bool {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Ok(folder), Ok(parent)) = (folder.canonicalize(), parent.canonicalize()) else { return false };
    let Ok(below) = parent.strip_prefix(&folder) else { return false };
    let names: Vec<_> = below.iter().chain(path.file_name()).map(|name| name.to_string_lossy()).collect();
    let is_other = names.len() > 1 && matches!(names.first().map(|name| &**name), Some("data" | "calls"));
    is_manifest(path) && !is_other && !names.iter().any(|name| name.starts_with('.'))
}

fn list(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), ReadError> {
    if depth > MAX_DEPTH || files.len() > MAX_FILES {
        return Err(ReadError::TooMany(folder.to_owned()));
    }
    let failed = |error| ReadError::Io { path: folder.to_owned(), error };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>().map_err(failed)?;
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let other = depth == 0 && matches!(&*name, "data" | "calls");
        if name.starts_with('.') || other {
            continue;
        }
        // A link to a folder is not followed: it could lead back to where it stands.
        if path.is_dir() && !path.is_symlink() {
            list(&path, depth + 1, files)?;
        } else if path.is_file() && is_manifest(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_manifest(path: &Path) -> bool {
    let kustomization = path.file_stem().is_some_and(|stem| stem == "kustomization");
    !kustomization
        && path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|e| extension == *e))
}

fn metadata(path: &Path) -> Result<fs::Metadata, ReadError> {
    fs::metadata(path).map_err(|error| ReadError::Io { path: path.to_owned(), error })
}

fn read_file(path: &Path) -> Result<String, ReadError> {
    let file = File::open(path).map_err(|error| ReadError::Io { path: path.to_owned(), error })?;
    read_text(path, file, MAX_FILE)
}

fn read_text(path: &Path, stream: impl Read, limit: u64) -> Result<String, ReadError> {
    let mut bytes = Vec::new();
    let read = stream.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|error| ReadError::Io { path: path.to_owned(), error })?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge { path: path.to_owned(), limit });
    }
    String::from_utf8(bytes).map_err(|_| ReadError::NotText(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_from_a_folder_is_known_before_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        for below in ["data", "calls", ".fanfare", "channels/calls"] {
            fs::create_dir_all(folder.path().join(below)).unwrap();
        }
        let is_read = |path: &str| is_read_from(folder.path(), &folder.path().join(path));
        assert!(is_read("ready.json") && is_read("channels/ready.yaml") && is_read("channels/calls/a.yml"));
        for other in [
            "ready.txt",
            ".ready.json",
            ".fanfare/ready.json",
            "data/a.json",
            "calls/a.json",
            "../ready.json",
        ] {
            assert!(!is_read(other), "{other}");
        }
    }
}

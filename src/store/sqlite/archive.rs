//! Both files as one archive (tar), taken while a process works on them, and put into an empty folder again.
//!
//! The ledger is copied first: a customer it speaks of is in the other copy, unless it was deleted meanwhile.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};

/// The files, in the order in which they are copied.
const FILES: [&str; 2] = ["ledger.db", "customers.db"];
/// What is copied, too, where it is: the credentials that callers were given, so that they are not locked out of what is
/// restored. A folder that holds some keeps its own.
const CREDENTIALS: &str = "credentials.json";
/// Where copies are until they are in the archive, beside the files: there is room for them or nowhere.
const COPIES: &str = "backup.tmp";

/// Why there is no archive, or nothing was made of one.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// There is nothing to copy.
    #[error("there is no {0}; give the folder of a Fanfare that keeps its data in files with --data")]
    NoFile(PathBuf),
    /// What is there would be lost.
    #[error("{0} is there already; restore into an empty folder")]
    Occupied(PathBuf),
    /// A copy could not be made.
    #[error("cannot copy {path}: {source}")]
    Copy {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A file or the archive could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The archive holds something else, or less.
    #[error("this is no backup of Fanfare: {0}")]
    Foreign(String),
}

/// Writes an archive of the folder's files as they are now, each at one moment.
///
/// # Errors
/// See [`ArchiveError`]; nothing of it stays in the folder.
pub fn write_archive(folder: &Path, now: Timestamp, out: impl Write) -> Result<(), ArchiveError> {
    let copies = folder.join(COPIES);
    remove(&copies)?;
    private_folder().create(&copies).map_err(at(&copies))?;
    let written = copy_all(folder, &copies).and_then(|()| pack(&copies, now, out));
    remove(&copies)?;
    written
}

/// Puts an archive into a folder that has none of the files; gives when it was taken.
///
/// # Errors
/// See [`ArchiveError`]; no file is there under its name unless both are whole.
pub fn read_archive(folder: &Path, archive: impl Read) -> Result<Timestamp, ArchiveError> {
    private_folder().recursive(true).create(folder).map_err(at(folder))?;
    if let Some(there) = FILES.map(|name| folder.join(name)).into_iter().find(|path| path.exists()) {
        return Err(ArchiveError::Occupied(there));
    }
    let copies = folder.join(COPIES);
    remove(&copies)?;
    private_folder().create(&copies).map_err(at(&copies))?;
    let taken_at = unpack(&copies, archive).and_then(|taken_at| {
        let credentials = copies.join(CREDENTIALS);
        if credentials.exists() && !folder.join(CREDENTIALS).exists() {
            fs::rename(credentials, folder.join(CREDENTIALS)).map_err(at(&copies))?;
        }
        for name in FILES.iter().rev() {
            fs::rename(copies.join(name), folder.join(name)).map_err(at(&copies))?;
        }
        let parent = File::open(folder).map_err(at(folder))?;
        parent.sync_all().map_err(at(folder)).map(|()| taken_at)
    });
    remove(&copies)?;
    taken_at
}

/// How a folder is made that its owner alone may look into.
fn private_folder() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700);
    builder
}

fn copy_all(folder: &Path, copies: &Path) -> Result<(), ArchiveError> {
    for name in FILES {
        let path = folder.join(name);
        if !path.exists() {
            return Err(ArchiveError::NoFile(path));
        }
        let failed = |source| ArchiveError::Copy { path: path.clone(), source };
        let connection =
            Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
        connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(failed)?;
        let copy = copies.join(name);
        connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()]).map_err(failed)?;
    }
    let credentials = folder.join(CREDENTIALS);
    match fs::copy(&credentials, copies.join(CREDENTIALS)) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(at(&credentials)(source)),
        _ => Ok(()),
    }
}

fn pack(copies: &Path, now: Timestamp, out: impl Write) -> Result<(), ArchiveError> {
    let mut archive = tar::Builder::new(out);
    let there = FILES.into_iter().chain(copies.join(CREDENTIALS).exists().then_some(CREDENTIALS));
    for name in there {
        let path = copies.join(name);
        let mut file = File::open(&path).map_err(at(&path))?;
        let mut header = tar::Header::new_gnu();
        header.set_size(file.metadata().map_err(at(&path))?.len());
        header.set_mode(0o600);
        header.set_mtime(now.as_second().unsigned_abs());
        archive.append_data(&mut header, name, &mut file).map_err(at(&path))?;
    }
    let mut out = archive.into_inner().map_err(at(copies))?;
    out.flush().map_err(at(copies))
}

fn unpack(copies: &Path, archive: impl Read) -> Result<Timestamp, ArchiveError> {
    let foreign = |error: io::Error| ArchiveError::Foreign(error.to_string());
    let mut archive = tar::Archive::new(archive);
    let (mut taken_at, mut found) = (Timestamp::UNIX_EPOCH, Vec::new());
    for entry in archive.entries().map_err(foreign)? {
        let mut entry = entry.map_err(foreign)?;
        let name = entry.path().map_err(foreign)?.to_string_lossy().into_owned();
        let mut names = FILES.iter().chain([&CREDENTIALS]);
        let known = names.find(|known| **known == name && !found.contains(*known));
        let Some(known) = known.filter(|_| entry.header().entry_type().is_file()) else {
            return Err(ArchiveError::Foreign(format!("it holds {name:?}")));
        };
        let seconds = i64::try_from(entry.header().mtime().map_err(foreign)?).unwrap_or_default();
        taken_at = Timestamp::from_second(seconds).unwrap_or(taken_at);
        let path = copies.join(known);
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&path).map_err(at(&path))?;
        io::copy(&mut entry, &mut file).map_err(foreign)?;
        file.sync_all().map_err(at(&path))?;
        found.push(known);
    }
    match FILES.iter().find(|name| !found.contains(name)) {
        Some(missing) => Err(ArchiveError::Foreign(format!("it holds no {missing}"))),
        None => Ok(taken_at),
    }
}

fn remove(folder: &Path) -> Result<(), ArchiveError> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(ArchiveError::Io { path: folder.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> ArchiveError {
    let path = path.to_owned();
    move |source| ArchiveError::Io { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with_files() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in FILES {
            let file = Connection::open(folder.path().join(name)).unwrap();
            let batch =
                format!("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES ('{name}')");
            file.execute_batch(&batch).unwrap();
        }
        folder
    }

    #[test]
    fn what_was_written_is_read_again_with_its_time() {
        let (folder, other) = (folder_with_files(), tempfile::tempdir().unwrap());
        let now: Timestamp = "2026-11-25T10:00:00Z".parse().unwrap();
        let mut archive = Vec::new();
        write_archive(folder.path(), now, &mut archive).unwrap();
        assert!(!folder.path().join(COPIES).exists());
        assert_eq!(read_archive(other.path(), archive.as_slice()).unwrap(), now);
        for name in FILES {
            let file = Connection::open(other.path().join(name)).unwrap();
            let found: String = file.query_row("SELECT a FROM t", [], |row| row.get(0)).unwrap();
            assert_eq!(found, name);
        }
        let again = read_archive(other.path(), archive.as_slice()).unwrap_err();
        assert!(matches!(again, ArchiveError::Occupied(_)), "{again}");
    }

    #[test]
    fn credentials_come_along_and_those_that_are_there_stay() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = folder_with_files();
        fs::write(folder.path().join(CREDENTIALS), "old").unwrap();
        let mut archive = Vec::new();
        write_archive(folder.path(), Timestamp::UNIX_EPOCH, &mut archive).unwrap();
        let restored = |there: Option<&str>| {
            let other = tempfile::tempdir().unwrap();
            let path = other.path().join(CREDENTIALS);
            there.into_iter().for_each(|text| fs::write(&path, text).unwrap());
            read_archive(other.path(), archive.as_slice()).unwrap();
            (fs::read_to_string(&path).unwrap(), fs::metadata(&path).unwrap().permissions().mode() & 0o777)
        };
        assert_eq!(restored(None), ("old".to_owned(), 0o600));
        assert_eq!(restored(Some("new")).0, "new");
    }

    #[test]
    fn what_is_no_backup_leaves_nothing() {
        let folder = folder_with_files();
        let mut archive = Vec::new();
        write_archive(folder.path(), Timestamp::UNIX_EPOCH, &mut archive).unwrap();
        let mut foreign = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        foreign.append_data(&mut header, "other/ledger.db", &b"x"[..]).unwrap();
        let foreign = foreign.into_inner().unwrap();
        for wrong in [&archive[..archive.len() / 2], &archive[..0], b"<html>not found</html>", &foreign] {
            let other = tempfile::tempdir().unwrap();
            let error = read_archive(other.path(), wrong).unwrap_err();
            assert!(matches!(error, ArchiveError::Foreign(_)), "{error}");
            assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
        }
    }
}

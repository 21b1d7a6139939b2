//! One SQLite file: opened durably, migrated forward, written by one thread and read by a few.
//!
//! Everything that touches a connection goes through `write` or `read`.

use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use super::foreground::User;
use super::readers::Readers;
use super::writer::{WRITING, Writer};
use crate::store::StoreError;
use crate::store::trouble::Trouble;

/// The writer's page cache, in KiB: it changes the same inner pages of its trees again and again.
const WRITER_CACHE_KIB: i64 = 65_536;

/// After so many pages (16 MiB) the log is copied into the file.
pub(super) const CHECKPOINT_PAGES: i64 = 4000;
/// The same while something works in the background, 1 MiB at a time: calls wait for the flush of as much, on the same
/// disk.
pub(super) const PAGES_A_SMALL_CHECKPOINT: i64 = 250;

/// Why a file could not be opened as a store.
#[derive(Debug, thiserror::Error)]
pub enum SqliteOpenError {
    /// SQLite could not open or prepare it.
    #[error("cannot open {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// It could not be made for its owner alone.
    #[error("cannot keep {} from other users: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A newer Fanfare wrote it.
    #[error("{} has schema {found}, this Fanfare knows {known}; run the newer version", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema's number in the file.
        found: u32,
        /// The newest schema known here.
        known: u32,
    },
    /// A durability setting did not take.
    #[error("{} does not keep `{pragma}`; a 202 would be a lie", path.display())]
    NotDurable {
        /// The file.
        path: PathBuf,
        /// The setting that did not take.
        pragma: &'static str,
    },
}

/// A SQLite file with its writer thread and its readers. Cheap to share by `Arc`.
#[derive(Debug)]
pub struct SqliteDatabase {
    writer: Writer,
    readers: Readers,
    trouble: Arc<Trouble>,
}

impl SqliteDatabase {
    /// Opens or creates the file and brings its schema forward. `migrations` only ever grows at its end.
    ///
    /// # Errors
    /// The file can't be opened, is newer than this program, or is not durable.
    pub fn open(path: &Path, migrations: &[&str]) -> Result<Self, SqliteOpenError> {
        let connection = connect(path, WRITER_CACHE_KIB)?;
        migrate(&connection, path, migrations)?;
        let failed = |source| SqliteOpenError::Sqlite { path: path.to_owned(), source };
        let trouble = Arc::new(Trouble::default());
        Ok(SqliteDatabase {
            writer: Writer::start(connection, Arc::clone(&trouble)).map_err(failed)?,
            readers: Readers::new(path.to_owned()),
            trouble,
        })
    }

    /// Runs `work` in the next commit and answers once that is on disk. A failing `work` is undone alone; its
    /// neighbours in the same commit are kept.
    ///
    /// # Errors
    /// See [`StoreError`]; waits for a place in the queue.
    pub async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.writer.write(User::Foreground, work).await
    }

    /// Like [`Self::write`], for work in the background that rests while others use the files.
    pub(super) async fn write_in_background<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.writer.write(User::Background, work).await
    }

    /// Like [`Self::write`], but answers [`StoreError::Busy`] at once when the queue is full.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn try_write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.writer.try_write(work).await
    }

    /// Runs `work` on a reader's connection, on a snapshot of what is committed.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.readers.read(User::Foreground, work).await
    }

    /// Like [`Self::read`], for work in the background that rests while others use the files.
    pub(super) async fn read_in_background<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.readers.read(User::Background, work).await
    }

    /// Whether what is given to it is kept: tells of what failed of late, and tries a small write where that may be over.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn check(&self) -> Result<(), StoreError> {
        if self.trouble.is_open() {
            self.write(probe).await?;
            self.trouble.succeeded(WRITING);
        }
        self.trouble.newest().map_or(Ok(()), |words| Err(StoreError::Unavailable(words)))
    }

    /// Commits what is queued, ends the writer thread and closes the file.
    pub async fn close(&self) {
        self.writer.close().await;
    }
}

/// Writes the number of the schema as it is, which is a page on the disk.
fn probe(connection: &Connection) -> rusqlite::Result<()> {
    let number: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    connection.pragma_update(None, "user_version", number)
}

/// Makes the file for its owner alone, or takes it from everybody else; SQLite gives the files beside it the same rights.
/// Those of another owner, as a volume may have them, are left as they are.
fn make_private(path: &Path) -> std::io::Result<()> {
    let private = || std::fs::Permissions::from_mode(0o600);
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    for beside in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(beside);
        match std::fs::set_permissions(&name, private()) {
            Ok(()) => {}
            Err(error) => match error.kind() {
                std::io::ErrorKind::NotFound
                | std::io::ErrorKind::PermissionDenied
                | std::io::ErrorKind::ReadOnlyFilesystem => {}
                _ => return Err(error),
            },
        }
    }
    Ok(())
}

/// Opens a connection with the settings that a promise rests on.
pub(super) fn connect(path: &Path, cache_kib: i64) -> Result<Connection, SqliteOpenError> {
    let failed = |source| SqliteOpenError::Sqlite { path: path.to_owned(), source };
    let io = |source: std::io::Error| SqliteOpenError::Io { path: path.to_owned(), source };
    make_private(path).map_err(io)?;
    let connection = Connection::open(path).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(256);
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;
             PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864;",
        )
        .map_err(failed)?;
    // The file is not mapped: every connection's mapping would count as memory of this process.
    connection.pragma_update(None, "mmap_size", 0).map_err(failed)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(failed)?;
    connection.pragma_update(None, "cache_size", -cache_kib).map_err(failed)?;
    let synchronous: i64 =
        connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).map_err(failed)?;
    let journal: String =
        connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(failed)?;
    match (synchronous, journal.as_str()) {
        (2, "wal") => Ok(connection),
        (2, _) => Err(SqliteOpenError::NotDurable { path: path.to_owned(), pragma: "journal_mode=WAL" }),
        _ => Err(SqliteOpenError::NotDurable { path: path.to_owned(), pragma: "synchronous=FULL" }),
    }
}

fn migrate(connection: &Connection, path: &Path, migrations: &[&str]) -> Result<(), SqliteOpenError> {
    let failed = |source| SqliteOpenError::Sqlite { path: path.to_owned(), source };
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    let known = u32::try_from(migrations.len()).expect("migrations are written by hand, one at a time");
    if found > known {
        return Err(SqliteOpenError::Newer { path: path.to_owned(), found, known });
    }
    for (number, migration) in (1..=known).zip(migrations).skip(found as usize) {
        let transaction = connection.unchecked_transaction().map_err(failed)?;
        transaction.execute_batch(migration).map_err(failed)?;
        transaction.pragma_update(None, "user_version", number).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &[&str] = &["CREATE TABLE t (n INTEGER PRIMARY KEY, CHECK (n < 100))"];

    fn open(folder: &tempfile::TempDir) -> SqliteDatabase {
        SqliteDatabase::open(&folder.path().join("t.db"), SCHEMA).unwrap()
    }

    async fn insert(database: &SqliteDatabase, n: i64) -> Result<usize, StoreError> {
        database.write(move |c| c.execute("INSERT INTO t VALUES (?1)", [n])).await
    }

    async fn count(database: &SqliteDatabase) -> i64 {
        database.read(|c| c.query_row("SELECT count(*) FROM t", [], |row| row.get(0))).await.unwrap()
    }

    #[tokio::test]
    async fn a_failing_write_is_undone_alone() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(&folder);
        let writes = (98..103).map(|n| insert(&database, n));
        let results = futures_util::future::join_all(writes).await;
        let kept: Vec<bool> = results.iter().map(Result::is_ok).collect();
        assert_eq!(kept, [true, true, false, false, false]);
        assert!(results[2].as_ref().is_err_and(|error| !error.is_transient()));
        assert_eq!(count(&database).await, 2);
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_opening_again() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(&folder);
        insert(&database, 1).await.unwrap();
        database.close().await;
        assert_eq!(insert(&database, 2).await, Err(StoreError::Closed));
        assert_eq!(count(&open(&folder)).await, 1);
    }

    #[tokio::test]
    async fn a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(&folder));
        let opened = SqliteDatabase::open(&folder.path().join("t.db"), &[]);
        assert!(matches!(opened, Err(SqliteOpenError::Newer { found: 1, known: 0, .. })));
    }

    #[tokio::test]
    async fn a_write_for_which_there_is_no_room_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(&folder);
        assert_eq!(database.check().await, Ok(()));
        let fill = |c: &Connection| c.pragma_update(None, "max_page_count", 3);
        database.write(fill).await.unwrap();
        let large = |c: &Connection| c.execute("CREATE TABLE large AS SELECT zeroblob(100000)", []);
        assert!(database.write(large).await.unwrap_err().is_transient());
        // What finds room is kept, and the other is told of all the same.
        insert(&database, 1).await.unwrap();
        let told = database.check().await.unwrap_err();
        assert!(told.to_string().contains("full"), "{told}");
    }

    #[tokio::test]
    async fn only_its_owner_reads_a_file_also_if_it_was_made_earlier() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.db");
        let modes = || {
            let files = std::fs::read_dir(folder.path()).unwrap();
            let mode = |file: std::fs::DirEntry| file.metadata().unwrap().permissions().mode() & 0o777;
            files.map(|file| mode(file.unwrap())).collect::<Vec<_>>()
        };
        let database = SqliteDatabase::open(&path, &["CREATE TABLE t (a)"]).unwrap();
        assert_eq!(modes(), [0o600; 3]);
        for name in ["some.db", "some.db-wal", "some.db-shm"] {
            let open = std::fs::Permissions::from_mode(0o644);
            std::fs::set_permissions(folder.path().join(name), open).unwrap();
        }
        let other = SqliteDatabase::open(&path, &["CREATE TABLE t (a)"]).unwrap();
        assert_eq!(modes(), [0o600; 3]);
        other.close().await;
        database.close().await;
    }
}

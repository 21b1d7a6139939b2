//! The data folder: generated credentials and, unless a database server is given, both databases.
//!
//! Files have one holder at a time. With a database server, several processes may share the folder: then only what
//! changes it is done by one at a time.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::credentials::{CredentialsError, DevCredentials};
use crate::compile::Snapshot;

/// Who may look into a data folder: its owner. It holds credentials and people's data.
const PRIVATE: u32 = 0o700;
/// What an earlier process may have left in one.
const LEFT_BY_US: [&str; 4] = ["lock", "shared.lock", "ledger.db", "credentials.json"];

/// Whether a folder belongs to this user and has been a data folder: one that is only named as one by mistake, such as
/// `/tmp`, keeps its rights.
fn is_ours(path: &Path) -> bool {
    let own = fs::metadata("/proc/self").map(|process| process.uid());
    let belongs = fs::metadata(path).is_ok_and(|folder| own.is_ok_and(|own| own == folder.uid()));
    belongs && LEFT_BY_US.iter().any(|name| path.join(name).exists())
}

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// It cannot be made or locked.
    #[error("cannot use {} as data folder: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Two writers would each believe to be alone.
    #[error("another process uses {}; stop it, or give another folder with --data", .0.display())]
    InUse(PathBuf),
    /// The credentials cannot be read or kept.
    #[error(transparent)]
    DevCredentials(#[from] CredentialsError),
}

/// The folder, held or shared.
pub struct DataFolder {
    /// Where it is.
    pub path: PathBuf,
    /// Generated credentials.
    pub credentials: DevCredentials,
    is_shared: bool,
    lock: File,
}

/// Everybody else waits until this is dropped.
pub struct Alone<'a>(Option<&'a File>);

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if let Some(lock) = self.0 {
            // It ends with the process at the latest.
            drop(lock.unlock());
        }
    }
}

impl DataFolder {
    /// Makes or opens it for this process alone. The system gives up the lock when the process ends, however it ends.
    ///
    /// # Errors
    /// See [`DataFolderError`].
    pub fn hold(path: &Path) -> Result<Self, DataFolderError> {
        let folder = Self::open(path, false)?;
        folder.lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => DataFolderError::InUse(path.to_owned()),
            TryLockError::Error(source) => DataFolderError::Io { path: path.to_owned(), source },
        })?;
        folder.with_credentials()
    }

    /// Makes or opens it beside others.
    ///
    /// # Errors
    /// See [`DataFolderError`].
    pub fn share(path: &Path) -> Result<Self, DataFolderError> {
        Self::open(path, true)?.with_credentials()
    }

    fn open(path: &Path, is_shared: bool) -> Result<Self, DataFolderError> {
        let failed = |source| DataFolderError::Io { path: path.to_owned(), source };
        if !path.is_dir() {
            fs::DirBuilder::new().recursive(true).mode(PRIVATE).create(path).map_err(failed)?;
        }
        let name = if is_shared { "shared.lock" } else { "lock" };
        if is_ours(path) {
            fs::set_permissions(path, fs::Permissions::from_mode(PRIVATE)).map_err(failed)?;
        }
        let lock = File::create(path.join(name)).map_err(failed)?;
        Ok(DataFolder { path: path.to_owned(), credentials: DevCredentials::default(), is_shared, lock })
    }

    fn with_credentials(mut self) -> Result<Self, DataFolderError> {
        self.credentials = DevCredentials::read(&self.path)?;
        Ok(self)
    }

    /// Waits until no other process that shares the folder is here.
    ///
    /// # Errors
    /// The lock cannot be taken.
    pub fn alone(&self) -> Result<Alone<'_>, DataFolderError> {
        if !self.is_shared {
            return Ok(Alone(None));
        }
        self.lock.lock().map_err(|source| DataFolderError::Io { path: self.path.clone(), source })?;
        Ok(Alone(Some(&self.lock)))
    }

    /// Generates what the snapshot needs and is not there yet.
    ///
    /// # Errors
    /// See [`DataFolderError`]; nothing has changed then.
    pub fn complete_credentials(&mut self, snapshot: &Snapshot) -> Result<(), DataFolderError> {
        let mut credentials = self.credentials.clone();
        {
            let _alone = self.alone()?;
            if self.is_shared {
                credentials = DevCredentials::read(&self.path)?;
            }
            credentials.complete(snapshot, &self.path)?;
        }
        self.credentials = credentials;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_its_owner_looks_into_it_also_if_it_was_made_earlier() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/data");
        drop(DataFolder::hold(&path).unwrap());
        assert_eq!(mode(&path), 0o700);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        drop(DataFolder::hold(&path).unwrap());
        assert_eq!(mode(&path), 0o700);
        // A folder of somebody's own, that was never one.
        let other = parent.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(other.join("notes.txt"), "").unwrap();
        drop(DataFolder::share(&other).unwrap());
        assert_eq!(mode(&other), 0o755);
    }
}

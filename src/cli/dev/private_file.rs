//! Files that hold passwords: written whole, to disk, and readable by their owner only.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Writes a file so that a reader sees the old one or the new one, whatever happens; only its owner may read it. It is
/// made beside the old one by a name that cannot be known before, and takes that one's place; a link that stands there,
/// or that somebody puts there meanwhile, is not followed.
pub fn write_whole(path: &Path, text: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let temporary = path.with_file_name(format!(".{}.{}.new", name.display(), uuid::Uuid::now_v7()));
    let written = write_new(&temporary, text).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // What was made of it is of no use; that it cannot be removed is the lesser trouble.
        drop(fs::remove_file(&temporary));
    }
    written?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn no_link_is_followed_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("ready.json"), folder.path().join("other"));
        fs::write(&other, "mine").unwrap();
        symlink(&other, &path).unwrap();
        // As the file beside it was called once.
        symlink(&other, folder.path().join("ready.new")).unwrap();
        write_whole(&path, b"{}").unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
        let written = fs::symlink_metadata(&path).unwrap();
        assert!(written.is_file());
        assert_eq!(written.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn what_cannot_be_put_there_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("file"), "").unwrap();
        assert!(write_whole(&path, b"{}").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

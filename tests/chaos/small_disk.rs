//! A disk that can be filled: a file system of its own in memory, which needs the right to mount.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Mounts a file system of this size on the folder. Whoever may not mount names a folder on a small file system by
/// `FANFARE_SMALL_DISK`; it is used instead.
pub fn make(folder: &Path, mebibytes: u32) {
    if let Some(disk) = std::env::var_os("FANFARE_SMALL_DISK") {
        let name = folder.file_name().expect("it has a name");
        let on_disk = Path::new(&disk).join(name);
        fs::create_dir(&on_disk).unwrap();
        fs::remove_dir(folder).unwrap();
        std::os::unix::fs::symlink(&on_disk, folder).unwrap();
        return;
    }
    let size = format!("size={mebibytes}m");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).status();
    assert!(
        mounted.is_ok_and(|status| status.success()),
        "a full disk needs a file system of its own: run this as root, or name a folder on a small one by \
         FANFARE_SMALL_DISK"
    );
}

/// Fills what is free of the folder's disk.
pub fn fill(folder: &Path) {
    let mut ballast = File::create(folder.join("ballast")).unwrap();
    // Large pieces first, then what is left between them.
    for size in [1 << 20, 1 << 12] {
        let zeros = vec![0; size];
        while ballast.write_all(&zeros).is_ok() {}
    }
}

/// Frees it again.
pub fn free(folder: &Path) {
    fs::remove_file(folder.join("ballast")).unwrap();
}

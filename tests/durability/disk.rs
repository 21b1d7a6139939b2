//! A disk that forgets what was not fsynced: the preloaded shim, and what it applies after a kill.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether fsync keeps anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// As on any disk.
    Keeps,
    /// It succeeds and keeps nothing, which is what `synchronous=OFF` amounts to.
    Ignored,
}

/// A data folder on such a disk.
pub struct Disk {
    /// The folder to keep data in.
    pub data: PathBuf,
    log: PathBuf,
    shim: PathBuf,
}

impl Disk {
    /// Builds the shim and makes an empty data folder, both within `folder`.
    pub fn new(folder: &Path) -> Self {
        // The shim compares paths as the kernel gives them, so no link may be among them.
        let folder = fs::canonicalize(folder).unwrap();
        let (data, log, shim) = (folder.join("data"), folder.join("undo"), folder.join("shim.so"));
        fs::create_dir(&data).unwrap();
        fs::create_dir(&log).unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/durability/shim.c");
        let arguments = ["-Wall", "-Wextra", "-Winit-self", "-Werror", "-O2", "-shared", "-fPIC", "-o"];
        let built = Command::new("cc").args(arguments).arg(&shim).arg(source).status();
        assert!(built.expect("a C compiler, `cc`, is installed").success(), "the shim does not compile");
        Self { data, log, shim }
    }

    /// The environment in which a process has this disk.
    pub fn environment(&self, fsync: Fsync) -> [(&'static str, String); 4] {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let mode = if fsync == Fsync::Ignored { "ignore" } else { "keep" };
        [
            ("LD_PRELOAD", text(&self.shim)),
            ("FANFARE_SHIM_DATA", text(&self.data)),
            ("FANFARE_SHIM_LOG", text(&self.log)),
            ("FANFARE_SHIM_FSYNC", mode.to_owned()),
        ]
    }

    /// Takes the power away: undoes everything that was not fsynced. Returns how many changes that were. The
    /// process must be gone.
    pub fn forget(&self) -> usize {
        let mut logs: Vec<PathBuf> =
            fs::read_dir(&self.log).unwrap().map(|entry| entry.unwrap().path()).collect();
        // Contents before names: a file is found by its second name, which goes last.
        logs.sort_by_key(|path| path.extension().is_some_and(|kind| kind == "dir"));
        let mut undone = 0;
        for log in &logs {
            match log.extension().and_then(|kind| kind.to_str()) {
                Some("undo") => undone += undo_writes(log, &log.with_extension("file")),
                Some("dir") => undone += self.undo_names(log),
                _ => {}
            }
        }
        logs.iter().for_each(|log| fs::remove_file(log).unwrap());
        undone
    }

    fn undo_names(&self, log: &Path) -> usize {
        let notes = fs::read_to_string(log).unwrap();
        for note in notes.lines().rev() {
            if let Some(created) = note.strip_prefix('+') {
                remove(Path::new(created));
            } else if let Some((inode, name)) = note.strip_prefix('-').and_then(|note| note.split_once(' ')) {
                remove(Path::new(name));
                fs::hard_link(self.log.join(inode).with_extension("file"), name).unwrap();
            }
        }
        notes.lines().count()
    }
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{}: {error}", path.display()),
        _ => {}
    }
}

/// Applies the records from the newest to the oldest. A last record without its end undoes a write that was never
/// made.
fn undo_writes(log: &Path, file: &Path) -> usize {
    const HEAD: usize = 24;
    let bytes = fs::read(log).unwrap();
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let (mut records, mut at) = (Vec::new(), 0);
    while at + HEAD <= bytes.len() {
        let (offset, size, length) = (number(at), number(at + 8), usize::try_from(number(at + 16)).unwrap());
        let Some(old) = bytes.get(at + HEAD..at + HEAD + length) else { break };
        records.push((offset, size, old));
        at += HEAD + length;
    }
    let file = File::options().write(true).open(file).unwrap();
    for (offset, size, old) in records.iter().rev() {
        file.write_all_at(old, *offset).unwrap();
        file.set_len(*size).unwrap();
    }
    records.len()
}

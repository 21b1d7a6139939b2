//! Whom this process writes for just now, in a file that outlives it: what the next one finds there ended it.
//!
//! A write to a file costs a microsecond and is kept by the system however the process ends, so each customer can have
//! one; a commit of the ledger for each could not. If the machine itself ends, marks may be lost, and are not missed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::customer::CustomerKey;
use crate::domain::name::RunId;

/// How many threads write at once and have a mark; more than those are not marked.
const SLOTS: usize = 64;
/// A run's and a customer's number.
const SLOT_BYTES: usize = 16;
const ENDING: &str = "writing";
/// How many files of processes that ended are read.
const LEFT_MAX: usize = 1_000;

/// The customers that this process writes for just now.
#[derive(Debug)]
pub struct Marks {
    file: Option<Kept>,
    slots: Vec<Mutex<Slot>>,
    free: Mutex<Vec<usize>>,
    left: Mutex<Vec<Left>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Slot {
    /// How often it was written.
    changes: u64,
    mark: Option<(RunId, CustomerKey)>,
}

/// A file with its lock, removed when the process ends by itself.
#[derive(Debug)]
struct Kept {
    file: File,
    path: PathBuf,
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

/// What a process left that did not end by itself.
#[derive(Debug)]
pub(super) struct Left {
    /// The process, by a name that no other has.
    pub process: String,
    /// Whom it wrote for.
    pub marks: Vec<(RunId, CustomerKey)>,
    path: PathBuf,
}

impl Left {
    /// It is in the ledger.
    pub(super) fn forget(&self) {
        drop(fs::remove_file(&self.path));
    }
}

/// A look at one mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub slot: usize,
    /// Another number after every change.
    pub changes: u64,
    pub run: RunId,
    pub customer: CustomerKey,
}

impl Default for Marks {
    /// Marks in memory only: they show who stands still, not who ended the process.
    fn default() -> Self {
        Marks {
            file: None,
            slots: (0..SLOTS).map(|_| Mutex::default()).collect(),
            free: Mutex::new((0..SLOTS).collect()),
            left: Mutex::default(),
        }
    }
}

impl Marks {
    /// Marks in a file of the folder, which is made if it is not there; several processes may share the folder.
    ///
    /// # Errors
    /// It cannot be written, or belongs to somebody else.
    pub fn in_folder(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let (found, own) = (fs::symlink_metadata(folder)?, fs::metadata("/proc/self")?);
        if !found.is_dir() || found.uid() != own.uid() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to somebody else"));
        }
        let left = left_in(folder)?;
        let path = folder.join(format!("{}.{ENDING}", uuid::Uuid::now_v7()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        file.try_lock().map_err(io::Error::from)?;
        file.write_all_at(&[0; SLOTS * SLOT_BYTES], 0)?;
        Ok(Marks { file: Some(Kept { file, path }), left: Mutex::new(left), ..Marks::default() })
    }

    /// A place for marks of one thread, as long as it writes.
    pub(super) fn begin(&self) -> Writing<'_> {
        Writing { marks: self, slot: lock(&self.free).pop() }
    }

    /// What earlier processes left, once.
    pub(super) fn take_left(&self) -> Vec<Left> {
        std::mem::take(&mut lock(&self.left))
    }

    /// Everybody who is written for just now.
    pub(super) fn look(&self) -> Vec<Look> {
        let looks = self.slots.iter().enumerate().filter_map(|(slot, kept)| {
            let Slot { changes, mark } = *lock(kept);
            mark.map(|(run, customer)| Look { slot, changes, run, customer })
        });
        looks.collect()
    }

    fn write(&self, slot: usize, mark: Option<(RunId, CustomerKey)>) {
        let mut kept = lock(&self.slots[slot]);
        *kept = Slot { changes: kept.changes + 1, mark };
        if let Some(Kept { file, .. }) = &self.file {
            let (run, customer) = mark.map_or((0, 0), |(run, customer)| (run.0, customer.0));
            let mut bytes = [0; SLOT_BYTES];
            bytes[..8].copy_from_slice(&run.to_le_bytes());
            bytes[8..].copy_from_slice(&customer.to_le_bytes());
            // A mark that cannot be written is one that will not be found.
            drop(file.write_all_at(&bytes, (slot * SLOT_BYTES) as u64));
        }
    }
}

/// One thread's marks; the last one goes when this is dropped.
pub(super) struct Writing<'m> {
    marks: &'m Marks,
    slot: Option<usize>,
}

impl Writing<'_> {
    /// From now on it writes for this customer.
    pub(super) fn is_for(&self, run: RunId, customer: CustomerKey) {
        if let Some(slot) = self.slot {
            self.marks.write(slot, Some((run, customer)));
        }
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            self.marks.write(slot, None);
            lock(&self.marks.free).push(slot);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The files that no living process holds.
fn left_in(folder: &Path) -> io::Result<Vec<Left>> {
    let mut left = Vec::new();
    for entry in fs::read_dir(folder)?.take(LEFT_MAX) {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).map(str::to_owned);
        let Some(process) = name.filter(|_| path.extension().is_some_and(|ending| ending == ENDING)) else {
            continue;
        };
        // One that goes just now has ended by itself.
        let Ok(file) = File::open(&path) else { continue };
        if file.try_lock().is_err() {
            continue;
        }
        let mut bytes = [0; SLOTS * SLOT_BYTES];
        let marks = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => marks_of(&bytes),
            // It ended before it wrote for anybody.
            Err(_) => Vec::new(),
        };
        if marks.is_empty() {
            drop(fs::remove_file(&path));
        } else {
            left.push(Left { process, marks, path });
        }
    }
    Ok(left)
}

fn marks_of(bytes: &[u8]) -> Vec<(RunId, CustomerKey)> {
    let number = |bytes: &[u8]| bytes.try_into().map_or(0, i64::from_le_bytes);
    let slots = bytes.chunks_exact(SLOT_BYTES).map(|slot| (number(&slot[..8]), number(&slot[8..])));
    slots.filter(|(run, _)| *run != 0).map(|(run, customer)| (RunId(run), CustomerKey(customer))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: (RunId, CustomerKey) = (RunId(7), CustomerKey(-3));

    /// What a process leaves that is killed: its file, without its lock.
    fn killed(folder: &Path, mark: bool) -> Left {
        let marks = Marks::in_folder(folder).unwrap();
        let writing = marks.begin();
        if mark {
            writing.is_for(MARK.0, MARK.1);
        }
        let path = marks.file.as_ref().unwrap().path.clone();
        let bytes = fs::read(&path).unwrap();
        drop(writing);
        drop(marks);
        fs::write(&path, bytes).unwrap();
        Left { process: path.file_stem().unwrap().to_str().unwrap().to_owned(), marks: Vec::new(), path }
    }

    #[test]
    fn whom_a_killed_process_wrote_for_is_found_until_it_is_in_the_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("writing");
        let ended = killed(&folder, true);
        for _ in 0..2 {
            let left = Marks::in_folder(&folder).unwrap().take_left();
            assert_eq!(left.len(), 1);
            assert_eq!(
                (left[0].process.as_str(), left[0].marks.as_slice()),
                (ended.process.as_str(), &[MARK][..])
            );
        }
        Marks::in_folder(&folder).unwrap().take_left().iter().for_each(Left::forget);
        assert_eq!(Marks::in_folder(&folder).unwrap().take_left().len(), 0);
    }

    #[test]
    fn who_ends_between_customers_or_by_itself_or_is_alive_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        killed(folder.path(), false);
        let alive = Marks::in_folder(folder.path()).unwrap();
        let writing = alive.begin();
        writing.is_for(MARK.0, MARK.1);
        assert_eq!(Marks::in_folder(folder.path()).unwrap().take_left().len(), 0);
        drop(writing);
        drop(alive);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_look_shows_who_is_written_for_and_whether_that_goes_on() {
        let marks = Marks::default();
        let (one, other) = (marks.begin(), marks.begin());
        one.is_for(MARK.0, MARK.1);
        let first = marks.look();
        assert_eq!((first.len(), first[0].run, first[0].customer), (1, MARK.0, MARK.1));
        assert_eq!(marks.look(), first);
        one.is_for(MARK.0, MARK.1);
        assert_ne!(marks.look(), first);
        other.is_for(RunId(8), CustomerKey(1));
        assert_eq!(marks.look().len(), 2);
        drop(one);
        assert_eq!(marks.look().len(), 1);
    }
}

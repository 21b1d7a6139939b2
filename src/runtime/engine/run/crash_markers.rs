//! Crash markers: the customers whose messages this process is rendering, in a file that survives it. A marker that the
//! next process finds names the customer at whom this one crashed.
//!
//! Writing a marker costs a microsecond, and the kernel keeps it however the process ends, so every customer gets one; a
//! commit of the ledger for each would be too slow. If the machine itself crashes, markers may be lost; that is harmless.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::customer::CustomerKey;
use crate::domain::name::RunId;

/// How many threads can hold a marker at once; further threads render without one.
const SLOTS: usize = 64;
/// A run id and a customer key, eight bytes each.
const SLOT_BYTES: usize = 16;
const ENDING: &str = "writing";
/// How many marker files of crashed processes are read.
const LEFT_MAX: usize = 1_000;

/// The markers of this process.
#[derive(Debug)]
pub struct CrashMarkers {
    file: Option<Kept>,
    slots: Vec<Mutex<MarkerSlot>>,
    free: Mutex<Vec<usize>>,
    left: Mutex<Vec<LeftMarkers>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct MarkerSlot {
    /// Incremented by every write.
    changes: u64,
    mark: Option<(RunId, CustomerKey)>,
}

/// The locked marker file, removed on a regular exit.
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

/// The markers of a crashed process.
#[derive(Debug)]
pub(super) struct LeftMarkers {
    /// A unique name of the process.
    pub process: String,
    /// The runs and customers it was rendering for.
    pub crash_markers: Vec<(RunId, CustomerKey)>,
    path: PathBuf,
}

impl LeftMarkers {
    /// Removes the file, once the crash is recorded in the ledger.
    pub(super) fn forget(&self) {
        drop(fs::remove_file(&self.path));
    }
}

/// A snapshot of one marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub slot: usize,
    /// Differs after every write.
    pub changes: u64,
    pub run: RunId,
    pub customer: CustomerKey,
}

impl Default for CrashMarkers {
    /// Markers in memory only: they reveal stalled threads, but no crashes.
    fn default() -> Self {
        CrashMarkers {
            file: None,
            slots: (0..SLOTS).map(|_| Mutex::default()).collect(),
            free: Mutex::new((0..SLOTS).collect()),
            left: Mutex::default(),
        }
    }
}

impl CrashMarkers {
    /// Markers in a file of the folder, which is created if needed. Several processes may share the folder.
    ///
    /// # Errors
    /// It cannot be written, or belongs to another user.
    pub fn in_folder(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let (found, own) = (fs::symlink_metadata(folder)?, fs::metadata("/proc/self")?);
        if !found.is_dir() || found.uid() != own.uid() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user"));
        }
        let left = left_in(folder)?;
        let path = folder.join(format!("{}.{ENDING}", uuid::Uuid::now_v7()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        file.try_lock().map_err(io::Error::from)?;
        file.write_all_at(&[0; SLOTS * SLOT_BYTES], 0)?;
        Ok(CrashMarkers {
            file: Some(Kept { file, path }),
            left: Mutex::new(left),
            ..CrashMarkers::default()
        })
    }

    /// A marker for one thread, for as long as it renders.
    pub(super) fn begin(&self) -> MarkerGuard<'_> {
        MarkerGuard { crash_markers: self, slot: lock(&self.free).pop() }
    }

    /// The markers of crashed processes; empty from the second call on.
    pub(super) fn take_left(&self) -> Vec<LeftMarkers> {
        std::mem::take(&mut lock(&self.left))
    }

    /// All markers that are set.
    pub(super) fn look(&self) -> Vec<Look> {
        let looks = self.slots.iter().enumerate().filter_map(|(slot, kept)| {
            let MarkerSlot { changes, mark } = *lock(kept);
            mark.map(|(run, customer)| Look { slot, changes, run, customer })
        });
        looks.collect()
    }

    fn write(&self, slot: usize, mark: Option<(RunId, CustomerKey)>) {
        let mut kept = lock(&self.slots[slot]);
        *kept = MarkerSlot { changes: kept.changes + 1, mark };
        if let Some(Kept { file, .. }) = &self.file {
            let (run, customer) = mark.map_or((0, 0), |(run, customer)| (run.0, customer.0));
            let mut bytes = [0; SLOT_BYTES];
            bytes[..8].copy_from_slice(&run.to_le_bytes());
            bytes[8..].copy_from_slice(&customer.to_le_bytes());
            // Without the marker a crash is not attributed to this customer; nothing else depends on it.
            drop(file.write_all_at(&bytes, (slot * SLOT_BYTES) as u64));
        }
    }
}

/// The marker of one thread, cleared on drop.
pub(super) struct MarkerGuard<'m> {
    crash_markers: &'m CrashMarkers,
    slot: Option<usize>,
}

impl MarkerGuard<'_> {
    /// Sets the marker to this customer.
    pub(super) fn is_for(&self, run: RunId, customer: CustomerKey) {
        if let Some(slot) = self.slot {
            self.crash_markers.write(slot, Some((run, customer)));
        }
    }
}

impl Drop for MarkerGuard<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            self.crash_markers.write(slot, None);
            lock(&self.crash_markers.free).push(slot);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The marker files that no running process has locked.
fn left_in(folder: &Path) -> io::Result<Vec<LeftMarkers>> {
    let mut left = Vec::new();
    for entry in fs::read_dir(folder)?.take(LEFT_MAX) {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).map(str::to_owned);
        let Some(process) = name.filter(|_| path.extension().is_some_and(|ending| ending == ENDING)) else {
            continue;
        };
        // It was removed just now by a process that exited regularly.
        let Ok(file) = File::open(&path) else { continue };
        if file.try_lock().is_err() {
            continue;
        }
        let mut bytes = [0; SLOTS * SLOT_BYTES];
        let crash_markers = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => marks_of(&bytes),
            // It crashed before it rendered anything.
            Err(_) => Vec::new(),
        };
        if crash_markers.is_empty() {
            drop(fs::remove_file(&path));
        } else {
            left.push(LeftMarkers { process, crash_markers, path });
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

    /// What a killed process leaves: its file, without the lock.
    fn killed(folder: &Path, mark: bool) -> LeftMarkers {
        let crash_markers = CrashMarkers::in_folder(folder).unwrap();
        let writing = crash_markers.begin();
        if mark {
            writing.is_for(MARK.0, MARK.1);
        }
        let path = crash_markers.file.as_ref().unwrap().path.clone();
        let bytes = fs::read(&path).unwrap();
        drop(writing);
        drop(crash_markers);
        fs::write(&path, bytes).unwrap();
        LeftMarkers {
            process: path.file_stem().unwrap().to_str().unwrap().to_owned(),
            crash_markers: Vec::new(),
            path,
        }
    }

    #[test]
    fn whom_a_killed_process_wrote_for_is_found_until_it_is_in_the_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("writing");
        let ended = killed(&folder, true);
        for _ in 0..2 {
            let left = CrashMarkers::in_folder(&folder).unwrap().take_left();
            assert_eq!(left.len(), 1);
            assert_eq!(
                (left[0].process.as_str(), left[0].crash_markers.as_slice()),
                (ended.process.as_str(), &[MARK][..])
            );
        }
        CrashMarkers::in_folder(&folder).unwrap().take_left().iter().for_each(LeftMarkers::forget);
        assert_eq!(CrashMarkers::in_folder(&folder).unwrap().take_left().len(), 0);
    }

    #[test]
    fn who_ends_between_customers_or_by_itself_or_is_alive_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        killed(folder.path(), false);
        let alive = CrashMarkers::in_folder(folder.path()).unwrap();
        let writing = alive.begin();
        writing.is_for(MARK.0, MARK.1);
        assert_eq!(CrashMarkers::in_folder(folder.path()).unwrap().take_left().len(), 0);
        drop(writing);
        drop(alive);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_look_shows_who_is_written_for_and_whether_that_goes_on() {
        let crash_markers = CrashMarkers::default();
        let (one, other) = (crash_markers.begin(), crash_markers.begin());
        one.is_for(MARK.0, MARK.1);
        let first = crash_markers.look();
        assert_eq!((first.len(), first[0].run, first[0].customer), (1, MARK.0, MARK.1));
        assert_eq!(crash_markers.look(), first);
        one.is_for(MARK.0, MARK.1);
        assert_ne!(crash_markers.look(), first);
        other.is_for(RunId(8), CustomerKey(1));
        assert_eq!(crash_markers.look().len(), 2);
        drop(one);
        assert_eq!(crash_markers.look().len(), 1);
    }
}

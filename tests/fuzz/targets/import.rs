//! Files of customers and events: reading one to its end never panics. The first byte says which kind of file it is.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use fanfare::track::import::{FileOptions, read_customers, read_events};
use libfuzzer_sys::fuzz_target;

/// Files of this process alone, written anew for each input.
static FILES: LazyLock<[PathBuf; 2]> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("fanfare-fuzz-import-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the files");
    [folder.join("file.csv"), folder.join("file.ndjson")]
});

/// How many wrong lines in a row are read on.
const LINES_MAX: usize = 10_000;

fuzz_target!(|data: &[u8]| {
    let Some((kind, content)) = data.split_first() else { return };
    let file = &FILES[usize::from(kind % 2)];
    std::fs::write(file, content).expect("a file that can be written");
    if let Ok(lines) = read_customers(file, FileOptions::default()) {
        assert!(lines.take_while(Result::is_ok).take(LINES_MAX).count() <= LINES_MAX);
    }
    if let Ok(lines) = read_events(file, FileOptions::default(), jiff::Timestamp::UNIX_EPOCH) {
        assert!(lines.take_while(Result::is_ok).take(LINES_MAX).count() <= LINES_MAX);
    }
});

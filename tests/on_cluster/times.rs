//! How long the steps took: printed, and kept in `target/on_cluster/times.txt`.

use std::io::Write as _;
use std::time::{Duration, Instant};

/// Does something and notes how long it took.
pub fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    note(what, begun.elapsed());
    done
}

/// Notes how long something took.
pub fn note(what: &str, took: Duration) {
    let line = format!("{:7.1} s  {what}", took.as_secs_f64());
    println!("{line}");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/on_cluster");
    std::fs::create_dir_all(&folder).unwrap();
    let mut file = std::fs::File::options().create(true).append(true).open(folder.join("times.txt")).unwrap();
    writeln!(file, "{line}").unwrap();
}

//! The sandbox's record is what checkers trust: a message that was answered is in it, whatever happens then.

use std::path::Path;

use crate::disk::{Disk, Fsync};
use crate::harness::{Process, Request};

/// Sends messages to a sandbox, takes the power away, and returns how many were answered and how many are kept.
fn answered_and_kept(fsync: Fsync) -> (usize, usize) {
    const MESSAGES: usize = 50;
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::new(folder.path());
    let record = disk.data.join("record.ndjson");
    let mut process = start(&disk, fsync, &record, folder.path());
    let answered =
        (0..MESSAGES).filter(|_| process.1.send().is_ok_and(|answer| answer.status == 200)).count();
    process.0.kill();
    disk.forget();
    let kept = std::fs::read_to_string(&record).unwrap_or_default().lines().count();
    (answered, kept)
}

fn start(disk: &Disk, fsync: Fsync, record: &Path, folder: &Path) -> (Process, Request) {
    let ready_file = folder.join("ready.json");
    let mut command = Process::command(["sandbox"]);
    command.arg("--record").arg(record).arg("--ready-file").arg(&ready_file).envs(disk.environment(fsync));
    let (process, ready) = Process::start_ready(&mut command, &folder.join("log"), &ready_file);
    (process, Request::post(format!("{}/hooks/any", ready["url"].as_str().unwrap())).body("{}"))
}

#[test]
fn what_was_answered_is_kept() {
    assert_eq!(answered_and_kept(Fsync::Keeps), (50, 50));
}

#[test]
fn without_fsync_it_would_not_be() {
    assert_eq!(answered_and_kept(Fsync::Ignored), (50, 0));
}

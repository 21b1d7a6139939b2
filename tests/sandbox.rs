//! `fanfare sandbox` as a process: it says where it serves, takes a message, and ends cleanly on SIGTERM.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(20);

fn start(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_fanfare"))
        .args(["sandbox", "--record", "record.ndjson", "--ready-file", "ready.json"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Polls until there is something, or fails.
fn wait_for<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = poll() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn post_hook(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request =
        "POST /hooks/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_serves_from_the_ready_file_on_and_appends_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..=2 {
        let ready = folder.path().join("ready.json");
        let mut child = start(folder.path());
        let ready = wait_for("the ready file", || std::fs::read_to_string(&ready).ok());
        let ready: serde_json::Value = serde_json::from_str(&ready).unwrap();
        assert!(post_hook(ready["http"].as_str().unwrap()).starts_with("HTTP/1.1 200 "));
        TcpStream::connect(ready["smtp"].as_str().unwrap()).unwrap();

        let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let status = wait_for("its end", || child.try_wait().unwrap());
        assert_eq!(status.code(), Some(0));
        std::fs::remove_file(folder.path().join("ready.json")).unwrap();
        let record = std::fs::read_to_string(folder.path().join("record.ndjson")).unwrap();
        assert_eq!(record.lines().count(), round);
    }
}

//! The sandbox over real sockets and a real record file.

mod http;
mod smtp;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

/// Everything here ends long before.
const DEADLINE: Duration = Duration::from_secs(10);

async fn start(settings: SandboxSettings) -> RunningSandbox {
    Sandbox::start(settings).await.unwrap()
}

fn recording(folder: &Path, faults: &[&str]) -> SandboxSettings {
    SandboxSettings {
        record: Record::File(folder.join("record.ndjson")),
        faults: faults.iter().map(|rule| rule.parse().unwrap()).collect(),
        ..SandboxSettings::default()
    }
}

/// The record as a checker would read it.
fn record(folder: &Path) -> Vec<ReceivedMessage> {
    let text = std::fs::read_to_string(folder.join("record.ndjson")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A raw connection that types and reads.
struct Peer(TcpStream);

impl Peer {
    async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until the text ends with `end`.
    async fn hear_until(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            let read =
                timeout(DEADLINE, self.0.read_buf(&mut heard)).await.expect("an answer in time").unwrap();
            assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&heard));
        }
        String::from_utf8(heard).unwrap()
    }

    /// Reads until the peer closes; an error is how a reset shows.
    async fn hear_all(&mut self) -> std::io::Result<String> {
        let mut heard = String::new();
        timeout(DEADLINE, self.0.read_to_string(&mut heard)).await.expect("an end in time")?;
        Ok(heard)
    }

    /// Whether nothing comes for a while, and the connection stays open.
    async fn is_silent(&mut self) -> bool {
        timeout(Duration::from_millis(150), self.0.read_u8()).await.is_err()
    }
}

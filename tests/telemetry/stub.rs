//! An HTTP server that keeps what it is sent and answers as it is told: a collector of spans, or a webhook.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    /// By lower-case name.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }
}

/// A server on a free port; its threads end with the test's process.
pub struct Stub {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    received: Mutex<Vec<Received>>,
    answer: Mutex<&'static str>,
}

impl Stub {
    /// Answers 200 until it is told otherwise.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { received: Mutex::default(), answer: Mutex::new("200 OK\r\n") });
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&served);
                std::thread::spawn(move || while serve(&stream, &shared).is_some() {});
            }
        });
        Stub { address, shared }
    }

    /// Answers from now on with this status line's end and these headers.
    pub fn answer(&self, answer: &'static str) {
        *self.shared.answer.lock().unwrap() = answer;
    }

    /// What has come so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }
}

/// One request and its answer; `None` at the connection's end.
fn serve(stream: &TcpStream, shared: &Shared) -> Option<()> {
    // Exactly what the request holds is read, so that nothing of the next one is lost with the reader.
    let mut reader = BufReader::with_capacity(1, stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or("0", |(_, value)| value);
    let mut body = vec![0; length.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    shared.received.lock().unwrap().push(Received { path, headers, body });
    let answer = *shared.answer.lock().unwrap();
    let mut writer = stream;
    writer.write_all(format!("HTTP/1.1 {answer}Content-Length: 0\r\n\r\n").as_bytes()).ok()
}

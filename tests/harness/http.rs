//! A small blocking HTTP client: one request a connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// No answer takes longer, unless a test is about that.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// One request, built and sent.
#[derive(Debug, Clone)]
pub struct Request {
    method: &'static str,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    answer_max: Duration,
    at: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    head: String,
    /// The body as text.
    pub body: String,
}

impl Request {
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Any method, at an absolute `http://` URL.
    pub fn new(method: &'static str, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            answer_max: ANSWER_TIMEOUT,
            at: None,
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn basic(self, username: &str, password: &str) -> Self {
        let value = format!("Basic {}", STANDARD.encode(format!("{username}:{password}")));
        self.header("Authorization", &value)
    }

    pub fn json(self, value: &serde_json::Value) -> Self {
        self.header("Content-Type", "application/json").body(value.to_string())
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Connects to this address instead of the URL's host, as if a name led there.
    pub fn at(mut self, address: &str) -> Self {
        self.at = Some(address.to_owned());
        self
    }

    /// Waits no longer for a part of the answer.
    pub fn within(mut self, answer_max: Duration) -> Self {
        self.answer_max = answer_max;
        self
    }

    /// Sends it. An error says that no whole answer came: the server was killed, refused or timed out.
    pub fn send(&self) -> io::Result<Answer> {
        let rest = self.url.strip_prefix("http://").expect("an http:// URL");
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut stream = TcpStream::connect(self.at.as_deref().unwrap_or(host))?;
        stream.set_read_timeout(Some(self.answer_max))?;
        stream.set_nodelay(true)?;
        let mut request = format!(
            "{} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.method,
            self.body.len()
        );
        for (name, value) in &self.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(&[request.as_bytes(), &self.body].concat())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Answer::parse(&answer)
    }

    /// Sends it from a task, which goes on with others meanwhile.
    pub async fn sent(self) -> io::Result<Answer> {
        tokio::task::spawn_blocking(move || self.send()).await.expect("sending does not panic")
    }

    /// Sends it to a server that must answer.
    pub fn must(&self) -> Answer {
        self.send().unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.url))
    }
}

impl Answer {
    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let broken = || io::Error::new(io::ErrorKind::UnexpectedEof, "no whole answer");
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
        let mut answer = Self { status, head: head.to_owned(), body: body.to_owned() };
        if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            answer.body = unchunk(body).ok_or_else(broken)?;
        } else if let Some(length) =
            answer.header("content-length").and_then(|length| length.parse::<usize>().ok())
        {
            (body.len() == length).then_some(()).ok_or_else(broken)?;
        }
        Ok(answer)
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{} is not JSON: {error}: {}", self.status, self.body))
    }

    /// The same answer, once it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }
}

fn unchunk(body: &str) -> Option<String> {
    let (mut whole, mut rest) = (String::new(), body);
    loop {
        let (size, behind) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole.push_str(behind.get(..size)?);
        rest = behind.get(size..)?.strip_prefix("\r\n")?;
    }
}

//! `fanfare dev` as a process of its own, on a world made before it starts.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine as _;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpStream;

use super::customers;
use crate::harness::Process;
use crate::sink::{self, Sink};

/// A customer base on disk, and the manifests beside it.
pub struct World {
    /// How many customers there are.
    pub count: u64,
    folder: tempfile::TempDir,
}

/// A running server on a world, with sinks for its providers.
pub struct Stand {
    /// Takes text messages.
    pub sms: Sink,
    /// Takes mails.
    pub mail: Sink,
    process: Process,
    ready: Ready,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    server: String,
    api_key: Pair,
    triggers: Vec<Trigger>,
}

#[derive(Deserialize)]
struct Pair {
    username: String,
    password: String,
}

#[derive(Deserialize)]
struct Trigger {
    url: String,
    username: String,
    password: String,
}

impl World {
    /// Makes a base of so many customers.
    pub async fn make(count: u64) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("target can be written");
        let (data, manifests) = (folder.path().join("data"), folder.path().join("manifests"));
        for made in [&data, &manifests] {
            std::fs::create_dir(made).expect("a temporary folder can be written");
        }
        let start = Instant::now();
        customers::fill(&data, count).await;
        eprintln!("{count} customers with a ticket each made in {:.1} s", start.elapsed().as_secs_f64());
        let mails = serde_json::json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mails"},
            "data": {"snowstorm.html": mail_template()},
        });
        std::fs::write(manifests.join("mails.yaml"), mails.to_string()).expect("it can be written");
        std::fs::write(manifests.join("all.yaml"), include_str!("manifests.yaml"))
            .expect("it can be written");
        World { count, folder }
    }

    /// Starts a server on it and waits until its indexes are complete.
    pub async fn start(&self) -> Stand {
        let path = |name: &str| -> PathBuf { self.folder.path().join(name) };
        let (sms, mail) = (sink::http::start(), sink::smtp::start());
        let mut command = Process::command(["dev"]);
        command.arg(path("manifests")).args(["--listen", "127.0.0.1:0"]).arg("--data").arg(path("data"));
        command.arg("--ready-file").arg(path("ready.json")).env("RUST_LOG", "warn");
        command.args(["--host", &format!("sandbox:25={}", mail.address)]);
        command.args(["--host", &format!("sandbox={}", sms.address)]);
        let (process, ready) = Process::start_ready(&mut command, &path("log"), &path("ready.json"));
        let ready = serde_json::from_value(ready).expect("the ready file is as documented");
        self.wait_for_indexes().await;
        Stand { sms, mail, process, ready }
    }

    /// Where its databases are.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    async fn wait_for_indexes(&self) {
        let file = self.folder.path().join("data/customers.db");
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = rusqlite::Connection::open_with_flags(file, flags).expect("the server made it");
        let start = Instant::now();
        loop {
            let count = "SELECT count(*) FILTER (WHERE state = 1), count(*) FROM side_index";
            let counted =
                database.query_row(count, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
            if let Ok((complete, all @ 1..)) = counted
                && complete == all
            {
                eprintln!("{all} indexes complete after {:.1} s", start.elapsed().as_secs_f64());
                return;
            }
            assert!(
                start.elapsed() < Duration::from_secs(300),
                "the indexes are not complete after 5 minutes"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Stand {
    /// Calls the trigger and answers the call's id and the moment before the call was sent.
    pub async fn call(&self, params: &Value) -> (String, Instant) {
        let trigger = &self.ready.triggers[0];
        let body = params.to_string();
        let start = Instant::now();
        let request = Request::post(&trigger.url).header("content-type", "application/json");
        let answer = ask(request, &trigger.username, &trigger.password, body, StatusCode::ACCEPTED).await;
        (answer["id"].as_str().expect("an accepted call has an id").to_owned(), start)
    }

    /// Waits until the call's one run is done and checks that every member of the audience was sent a message.
    pub async fn wait_until_done(&self, call: &str, sent: u64) {
        let start = Instant::now();
        loop {
            let Pair { username, password } = &self.ready.api_key;
            let request = Request::get(format!("{}/api/v1/calls/{call}", self.ready.server));
            let answer = ask(request, username, password, String::new(), StatusCode::OK).await;
            let run = &answer["runs"][0];
            if run["state"] == "done" {
                assert_eq!(
                    (&run["audience"], &run["deliveries"]["sent"]),
                    (&sent.into(), &sent.into()),
                    "{answer}"
                );
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(120), "the run is not done: {answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The most memory the server has held at once, in MiB.
    pub fn peak_memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says so");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib / 1024.0
    }

    /// The processor time the server has used so far, in seconds.
    pub fn processor_time(&self) -> f64 {
        const TICKS_A_SECOND: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("it runs");
        let behind_the_name = stat.rsplit(')').next().expect("there is one");
        let ticks =
            |place: usize| behind_the_name.split_whitespace().nth(place).and_then(|text| text.parse().ok());
        (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / TICKS_A_SECOND
    }
}

async fn ask(
    request: http::request::Builder,
    username: &str,
    password: &str,
    body: String,
    expected: StatusCode,
) -> Value {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"));
    let mut request =
        request.header("authorization", format!("Basic {basic}")).body(Full::new(Bytes::from(body)));
    let request = request.as_mut().expect("a request");
    let authority = request.uri().authority().expect("a whole URL").to_string();
    request.headers_mut().insert("host", authority.parse().expect("an authority is a header's value"));
    *request.uri_mut() =
        request.uri().path_and_query().expect("a URL has a path").as_str().parse().expect("a path");
    let stream = TcpStream::connect(&authority).await.expect("the server listens");
    stream.set_nodelay(true).expect("a socket can be told");
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.expect("a fresh connection");
    let driver = tokio::spawn(connection);
    let response = sender.send_request(std::mem::take(request)).await.expect("the server answers");
    let status = response.status();
    let body = response.into_body().collect().await.expect("the server finishes its answers").to_bytes();
    drop(sender);
    // The connection ends with its sender; how does not matter.
    let _ = driver.await;
    assert_eq!(status, expected, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).expect("answers are JSON")
}

/// A mail of four kilobytes that is another for each customer.
fn mail_template() -> String {
    let body = crate::part::clients::mail_of_4_kb();
    format!("<p>Dear {{{{ customer.first_name }}}} in {{{{ customer.city }}}},</p>\n{}", &body[120..])
}

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

use super::base::Base;
use crate::harness::{Postgres, Process};
use crate::sink::{self, Sink};

/// A customer base on disk, and the manifests beside it.
pub struct World {
    /// How many customers there are.
    pub count: u64,
    folder: tempfile::TempDir,
    base: Base,
}

/// A running server on a world, with sinks for its providers.
pub struct Stand {
    /// Takes text messages.
    pub sms: Sink,
    /// Takes mails.
    pub mail: Sink,
    /// Several of them work on one database; calls go to the first.
    replicas: Vec<Process>,
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
    /// Makes a base of so many customers in files.
    pub async fn make(count: u64) -> Self {
        Self::on(count, |data| Base::in_files(&data)).await
    }

    /// Makes a base of so many customers in a database of its own on the server.
    pub async fn make_on(server: &Postgres, count: u64) -> Self {
        let base = Base::on_server(server).await;
        Self::on(count, |_| base).await
    }

    async fn on(count: u64, base: impl FnOnce(PathBuf) -> Base) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("target can be written");
        let (data, manifests) = (folder.path().join("data"), folder.path().join("manifests"));
        for made in [&data, &manifests] {
            std::fs::create_dir(made).expect("a temporary folder can be written");
        }
        let start = Instant::now();
        let base = base(data);
        base.fill(count).await;
        eprintln!(
            "{count} customers with a ticket each made in {:.1} s, {}",
            start.elapsed().as_secs_f64(),
            base.words()
        );
        let mails = serde_json::json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mails"},
            "data": {"snowstorm.html": mail_template()},
        });
        std::fs::write(manifests.join("mails.yaml"), mails.to_string()).expect("it can be written");
        std::fs::write(manifests.join("all.yaml"), include_str!("manifests.yaml"))
            .expect("it can be written");
        World { count, folder, base }
    }

    /// Starts a server on it and waits until its indexes are complete.
    pub async fn start(&self) -> Stand {
        self.start_replicas(1, sink::http::start()).await
    }

    /// Starts several, with one provider of text messages.
    pub async fn start_replicas(&self, count: usize, sms: Sink) -> Stand {
        let mail = sink::smtp::start();
        let mut started: Vec<(Process, Ready)> = (0..count).map(|n| self.start_one(n, &sms, &mail)).collect();
        self.base.wait_for_indexes().await;
        let ready = started.remove(0);
        let others = started.into_iter().map(|(process, _)| process);
        Stand { sms, mail, replicas: std::iter::once(ready.0).chain(others).collect(), ready: ready.1 }
    }

    fn start_one(&self, n: usize, sms: &Sink, mail: &Sink) -> (Process, Ready) {
        let path = |name: &str| -> PathBuf { self.folder.path().join(format!("{n}-{name}")) };
        let folder = |name: &str| -> PathBuf { self.folder.path().join(name) };
        let mut command = Process::command(["dev"]);
        command.arg(folder("manifests")).args(["--listen", "127.0.0.1:0"]).arg("--data").arg(folder("data"));
        command.arg("--ready-file").arg(path("ready.json")).env("RUST_LOG", "warn");
        if let Some(url) = self.base.url() {
            command.args(["--database", url]);
        }
        command.args(["--host", &format!("sandbox:25={}", mail.address)]);
        command.args(["--host", &format!("sandbox={}", sms.address)]);
        let (process, ready) = Process::start_ready(&mut command, &path("log"), &path("ready.json"));
        (process, serde_json::from_value(ready).expect("the ready file is as documented"))
    }

    /// Its customers.
    pub fn base(&self) -> &Base {
        &self.base
    }
}

impl Stand {
    /// SIGKILL for one of several.
    pub fn kill(&mut self, n: usize) {
        self.replicas[n].kill();
    }

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

    /// Waits until the call is at its end, however many were sent: a kill may have left some in doubt.
    pub async fn wait_until_ended(&self, call: &str) {
        let start = Instant::now();
        loop {
            let Pair { username, password } = &self.ready.api_key;
            let request = Request::get(format!("{}/api/v1/calls/{call}", self.ready.server));
            let answer = ask(request, username, password, String::new(), StatusCode::OK).await;
            if answer["runs"][0]["state"] == "done" {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(180), "the run is not done: {answer}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The most memory the server has held at once, in MiB.
    pub fn peak_memory(&self) -> f64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.replicas[0].id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says so");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib / 1024.0
    }

    /// The processor time the server has used so far, in seconds.
    pub fn processor_time(&self) -> f64 {
        const TICKS_A_SECOND: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.replicas[0].id())).expect("it runs");
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

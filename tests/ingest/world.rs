//! A running server on a store of its own, and a client that sends what a test says, byte by byte if need be.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use fanfare::compile::{Snapshot, Sources, compile};
use fanfare::domain::credentials::{ApiKeyEntry, Digest, Keyring, Permissions, TriggerAccess};
use fanfare::domain::secret::Secret;
use fanfare::runtime::http::RefusalLog;
use fanfare::runtime::http::app::App;
use fanfare::runtime::http::server::{self, Limits, Listen, RunningServer, Surface};
use fanfare::store::calls::{CallFilter, CallRecord};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::harness::{Ledger, Place};

/// A runtime without its run engine: what is accepted stays accepted.
pub struct World {
    pub app: Arc<App>,
    pub ledger: Ledger,
    pub address: SocketAddr,
    /// The port that may be exposed.
    pub exposed: SocketAddr,
    running: RunningServer,
    refusals: JoinHandle<()>,
    stop: CancellationToken,
    sources: Sources,
    place: Place,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

impl World {
    /// Starts a server with one trigger `t`.
    pub async fn with_trigger(place: Place, spec: Value) -> World {
        World::with(place, json!({"triggers": {"t": spec}})).await
    }

    /// Starts a server with these sources.
    pub async fn with(place: Place, sources: Value) -> World {
        World::within(place, sources, Limits::default()).await
    }

    /// Starts a server with these sources and limits.
    pub async fn within(place: Place, sources: Value, limits: Limits) -> World {
        let mut sources = sources;
        sources["namespace"] = "default".into();
        World::start(place, serde_json::from_value(sources).unwrap(), limits).await
    }

    /// Stops everything and starts it again on the same store.
    pub async fn restart(self) -> World {
        let (place, sources) = self.end().await;
        World::start(place, sources, Limits::default()).await
    }

    async fn start(place: Place, sources: Sources, limits: Limits) -> World {
        let (ledger, customers) = place.open_both().await;
        let (log, writer) = RefusalLog::new(Arc::clone(&ledger.calls));
        let app = Arc::new(App::new("default", Arc::clone(&ledger.calls), customers, log));

        let compiled = compile(&sources);
        assert!(compiled.problems.is_empty(), "{:?}", compiled.problems);
        let snapshot = Arc::new(compiled.snapshot);
        let ring = keyring(&snapshot);
        app.put_in_force(&sources, snapshot, ring, Timestamp::now()).await.unwrap();

        let stop = CancellationToken::new();
        let refusals = tokio::spawn(writer.run(stop.clone()));
        let listen = |surface| Listen { address: "127.0.0.1:0".parse().unwrap(), surface };
        let listen = [listen(Surface::Everything), listen(Surface::Calls)];
        let routes = fanfare::runtime::http::api::routes(Arc::clone(&app), Arc::clone(&ledger.log), None);
        let running = server::start_within(&listen, &app, &routes, limits).unwrap();
        let (address, exposed) = (running.addresses[0], running.addresses[1]);
        World { app, ledger, address, exposed, running, refusals, stop, sources, place }
    }

    /// `Basic …` of the trigger's own credentials.
    pub fn basic(&self, trigger: &str) -> String {
        let text = format!("{trigger}:{}", secret(trigger));
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
    }

    /// Posts JSON to the trigger `t` with its own credentials.
    pub async fn post(&self, body: &Value) -> Answer {
        self.post_with(&[], body.to_string().as_bytes()).await
    }

    /// Posts JSON to the trigger `t` with its own credentials and more headers.
    pub async fn post_with(&self, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let basic = self.basic("t");
        let mut all = vec![("authorization", basic.as_str()), ("content-type", "application/json")];
        all.retain(|(name, _)| !headers.iter().any(|(other, _)| other == name));
        all.extend_from_slice(headers);
        self.send("POST", "/in/default/t", &all, body).await
    }

    /// Sends a request with exactly these headers, beside Host and Content-Length.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.send_to(self.address, method, path, headers, body).await
    }

    /// Sends a request to one of the ports.
    pub async fn send_to(
        &self,
        port: SocketAddr,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        parse(&exchange_whole(port, &bytes).await)
    }

    /// Asks the API with the key of the one who may do everything.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[("authorization", &bearer("owner"))], b"").await
    }

    /// Sends bytes and reads one answer.
    pub async fn exchange(&self, bytes: &[u8]) -> Answer {
        parse(&self.exchange_whole(bytes).await)
    }

    /// Sends bytes and reads what comes until the connection ends.
    pub async fn exchange_whole(&self, bytes: &[u8]) -> Vec<u8> {
        exchange_whole(self.address, bytes).await
    }

    /// Where the store is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// All calls of the log, newest first.
    pub async fn calls(&self) -> Vec<CallRecord> {
        self.ledger.calls.list(CallFilter { limit: 1_000, ..CallFilter::default() }).await.unwrap()
    }

    /// Stops everything and joins it.
    pub async fn stop(self) {
        drop(self.end().await);
    }

    /// Stops everything and keeps the store.
    pub async fn stop_and_keep(self) -> Place {
        self.end().await.0
    }

    async fn end(self) -> (Place, Sources) {
        assert!(self.running.drain(Duration::from_secs(10)).await);
        self.stop.cancel();
        self.refusals.await.unwrap();
        self.ledger.close().await;
        (self.place, self.sources)
    }
}

/// Writes everything before it reads anything, as simple clients do.
async fn exchange_whole(port: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(port).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("an answer").unwrap();
    answer
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub fn id(&self) -> &str {
        self.body["id"].as_str().unwrap()
    }
}

/// The password of a trigger, the secret of a private key or the token of a public one; ids are the names.
pub fn secret(name: &str) -> String {
    format!("secret-of-{name}")
}

/// `Bearer …` of a private key.
pub fn bearer(key: &str) -> String {
    format!("Bearer {key}:{}", secret(key))
}

fn keyring(snapshot: &Snapshot) -> Keyring {
    let mut ring = Keyring::default();
    for trigger in snapshot.triggers.values() {
        let name = trigger.name.as_str();
        let basic = vec![(Arc::from(name), Digest::of(&secret(name)))];
        ring.add_trigger(
            trigger.name.clone(),
            TriggerAccess { basic, api_keys: trigger.api_keys, ..TriggerAccess::default() },
        );
    }
    for key in snapshot.api_keys.values() {
        let entry = ApiKeyEntry {
            name: format!("key/{}", key.name).into(),
            digest: Digest::of(&secret(&key.name)),
            permissions: key.permissions,
            triggers: key.triggers.clone(),
            origins: Arc::clone(&key.origins),
            track: key.track_scope(|name| vec![Secret::new(secret(name))]),
        };
        if key.public {
            ring.add_public(entry);
        } else {
            ring.add_private(key.name.clone(), entry);
        }
    }
    let (name, digest) = ("owner".into(), Digest::of(&secret("owner")));
    let permissions = Permissions::all();
    let owner =
        ApiKeyEntry { name, digest, permissions, triggers: None, origins: Arc::default(), track: None };
    ring.add_private("owner", owner);
    ring
}

fn parse(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    Answer { status, headers: lines.map(header).collect(), body }
}

//! A proxy in front of the API server: counts what is written, and fails as API servers and networks do.

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::client::Body;
use tokio_util::sync::CancellationToken;

type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// What a watch says whose place in time the server has forgotten.
const GONE: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","#,
    r#""message":"too old","reason":"Expired","code":410}}"#,
    "\n"
);

/// The proxy. Requests are made with the rights of the kubeconfig it was started with.
pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

struct State {
    client: kube::Client,
    faults: Mutex<Faults>,
    /// Rung when the last write before the death has been answered.
    died: tokio::sync::Notify,
}

#[derive(Default)]
struct Faults {
    writes: Vec<String>,
    reads: usize,
    die_after: Option<usize>,
    dead: bool,
    /// So many requests are answered with this, one after the other.
    answers: VecDeque<(usize, u16)>,
    /// Events of watches are swallowed.
    mute: bool,
    /// Lists as they were, by path.
    lists: HashMap<String, Bytes>,
    replay: bool,
    /// Which lists were answered so.
    replayed: HashSet<String>,
    /// What is read of our kinds has these words in place of those.
    rewrites: Vec<(String, String)>,
    watches: CancellationToken,
    /// The next watch whose path ends so is told to list anew.
    expired: Option<&'static str>,
    /// Requests whose path ends so wait for the token.
    hold: Option<(String, CancellationToken)>,
    /// How many wait, or did.
    held: usize,
}

impl Proxy {
    /// Starts it in front of the server that the kubeconfig names.
    pub async fn start(kubeconfig: &str) -> Self {
        let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let parsed = kube::config::Kubeconfig::from_yaml(kubeconfig).unwrap();
        let mut config = kube::Config::from_custom_kubeconfig(parsed, &Default::default()).await.unwrap();
        config.default_retry = false;
        let client = kube::Client::try_from(config).unwrap();
        let state = Arc::new(State { client, faults: Mutex::default(), died: tokio::sync::Notify::new() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&served);
                tokio::spawn(async move {
                    let service = service_fn(move |request| Arc::clone(&state).answer(request));
                    let serving = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    let _hung_up = serving.await;
                });
            }
        });
        Proxy { address, state, task }
    }

    /// A kubeconfig that leads here.
    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: p, cluster: {{server: \"http://{}\"}}}}]\nusers: [{{name: p, user: {{}}}}]\n\
             contexts: [{{name: p, context: {{cluster: p, user: p}}}}]\ncurrent-context: p\n",
            self.address
        )
    }

    /// What was written, but for Leases and Events.
    pub fn writes(&self) -> Vec<String> {
        self.state.faults.lock().unwrap().writes.clone()
    }

    /// How often was read, watches not counted.
    #[allow(dead_code, reason = "the bench counts them")]
    pub fn reads(&self) -> usize {
        self.state.faults.lock().unwrap().reads
    }

    /// Nothing goes through any more once this many writes have been answered.
    pub fn die_after(&self, writes: usize) {
        self.state.faults.lock().unwrap().die_after = Some(writes);
    }

    /// Waits for that; false if it does not come in time.
    pub async fn died_within(&self, time: Duration) -> bool {
        if self.state.faults.lock().unwrap().dead {
            return true;
        }
        tokio::time::timeout(time, self.state.died.notified()).await.is_ok()
    }

    /// Lets everything through again.
    pub fn revive(&self) {
        let mut faults = self.state.faults.lock().unwrap();
        (faults.dead, faults.die_after) = (false, None);
    }

    /// Nothing goes through, from now on: the API server is away.
    pub fn go_away(&self) {
        self.state.faults.lock().unwrap().dead = true;
        self.cut_watches();
    }

    /// Answers the next requests, so many of them, with a status instead.
    pub fn answer_with(&self, status: u16, times: usize) {
        self.state.faults.lock().unwrap().answers.push_back((times, status));
        self.cut_watches();
    }

    /// Swallows what watches bring, or lets them go on; what was swallowed is lost to those who watched.
    pub fn mute_watches(&self, mute: bool) {
        self.state.faults.lock().unwrap().mute = mute;
        if !mute {
            self.cut_watches();
        }
    }

    /// Lets watches go on after [`Self::mute_watches`], but the one whose path ends so must list anew.
    pub fn expire_watch(&self, end: &'static str) {
        let mut faults = self.state.faults.lock().unwrap();
        (faults.mute, faults.expired) = (false, Some(end));
        std::mem::take(&mut faults.watches).cancel();
    }

    /// Whether that watch has been told so.
    pub fn has_expired(&self) -> bool {
        self.state.faults.lock().unwrap().expired.is_none()
    }

    /// Shows our kinds with other words in place of some: objects as another version would write them.
    pub fn rewrite(&self, words: &[(&str, &str)]) {
        let words = words.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned()));
        self.state.faults.lock().unwrap().rewrites = words.collect();
        self.cut_watches();
    }

    /// Lets requests wait whose path ends so, until [`Self::release`].
    pub fn hold(&self, end: &str) {
        let mut faults = self.state.faults.lock().unwrap();
        (faults.hold, faults.held) = (Some((end.to_owned(), CancellationToken::new())), 0);
    }

    /// Whether a request waits.
    pub fn holds(&self) -> bool {
        self.state.faults.lock().unwrap().held > 0
    }

    /// Lets go on what waits.
    pub fn release(&self) {
        if let Some((_, held)) = self.state.faults.lock().unwrap().hold.take() {
            held.cancel();
        }
    }

    /// Ends every watch under way.
    pub fn cut_watches(&self) {
        let mut faults = self.state.faults.lock().unwrap();
        std::mem::take(&mut faults.watches).cancel();
    }

    /// How many lists were answered as they were first.
    pub fn replayed(&self) -> usize {
        self.state.faults.lock().unwrap().replayed.len()
    }

    /// Answers lists as they were answered first, and lets watches see nothing: a server that lags behind.
    pub fn lag(&self, lag: bool) {
        let mut faults = self.state.faults.lock().unwrap();
        (faults.replay, faults.mute) = (lag, lag);
        faults.replayed.clear();
        std::mem::take(&mut faults.watches).cancel();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, std::io::Error> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let is_watch = parts.uri.query().is_some_and(|query| query.contains("watch=true"));
        let is_write = parts.method != Method::GET && !path.contains("/leases") && !path.contains("/events");
        if let Some(held) = self.held(&path) {
            held.cancelled().await;
        }
        if let Some(answer) = self.fault(&path, is_watch, &parts.method) {
            return answer;
        }
        let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        let mut request =
            Request::builder().method(&parts.method).uri(parts.uri.path_and_query().unwrap().as_str());
        for name in [http::header::CONTENT_TYPE, http::header::ACCEPT] {
            if let Some(value) = parts.headers.get(&name) {
                request = request.header(name, value);
            }
        }
        let answered = self.client.send(request.body(Body::from(body.to_vec())).unwrap()).await;
        let answer = answered.map_err(std::io::Error::other)?;
        if is_watch {
            return Ok(self.watched(answer, path));
        }
        let (mut head, body) = answer.into_parts();
        let mut body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        if is_write {
            self.wrote(&parts.method, &path, head.status);
        } else if parts.method == Method::GET {
            let mut faults = self.faults.lock().unwrap();
            faults.reads += 1;
            body = faults.rewritten(&path, body);
            head.headers.remove(http::header::CONTENT_LENGTH);
            faults.lists.entry(path).or_insert_with(|| body.clone());
        }
        Ok(Response::from_parts(head, full(body)))
    }

    /// What a request waits for.
    fn held(&self, path: &str) -> Option<CancellationToken> {
        let mut faults = self.faults.lock().unwrap();
        let (_, held) = faults.hold.clone().filter(|(end, _)| path.ends_with(end.as_str()))?;
        faults.held += 1;
        Some(held)
    }

    /// What a request gets instead of an answer of the server.
    fn fault(&self, path: &str, is_watch: bool, method: &Method) -> Option<Result<Answer, std::io::Error>> {
        let mut faults = self.faults.lock().unwrap();
        if faults.dead {
            return Some(Err(std::io::Error::other("away")));
        }
        if let Some((left, status)) = faults.answers.pop_front() {
            if left > 1 {
                faults.answers.push_front((left - 1, status));
            }
            let text = format!(
                r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","reason":"Tests","message":"planted","code":{status}}}"#
            );
            let answer = Response::builder()
                .status(status)
                .header("content-type", "application/json")
                .body(full(text.into()));
            return Some(Ok(answer.unwrap()));
        }
        if is_watch && faults.expired.is_some_and(|end| path.ends_with(end)) {
            faults.expired = None;
            return Some(Ok(Response::new(full(GONE.into()))));
        }
        // A namespace's objects of one of our kinds, as a list or a watch.
        let is_of_kinds = path.contains("/apis/fanfare.dev/") && path.matches('/').count() <= 6;
        if method != Method::GET || !is_of_kinds || !faults.replay || !faults.lists.contains_key(path) {
            return None;
        }
        let body = match is_watch {
            false => {
                faults.replayed.insert(path.to_owned());
                faults.lists[path].clone()
            }
            // Whoever watches is told to list once more.
            true if !faults.replayed.contains(path) => GONE.into(),
            true => return None,
        };
        Some(Ok(Response::builder().header("content-type", "application/json").body(full(body)).unwrap()))
    }

    fn wrote(&self, method: &Method, path: &str, status: StatusCode) {
        let mut faults = self.faults.lock().unwrap();
        faults.writes.push(format!("{method} {path} {}", status.as_u16()));
        if faults.die_after.is_some_and(|after| faults.writes.len() >= after) && !faults.dead {
            faults.dead = true;
            self.died.notify_one();
        }
    }

    /// A watch, which may be cut or muted while it goes on.
    fn watched(self: Arc<Self>, answer: Response<Body>, path: String) -> Answer {
        let (head, body) = answer.into_parts();
        let cut = self.faults.lock().unwrap().watches.clone();
        let frames = TryStreamExt::map_err(BodyStream::new(body), std::io::Error::other).try_filter_map(
            move |frame: Frame<Bytes>| {
                let faults = self.faults.lock().unwrap();
                let shown = (!faults.mute).then(|| frame.map_data(|data| faults.rewritten(&path, data)));
                async move { Ok(shown) }
            },
        );
        let frames = frames.take_until(cut.cancelled_owned());
        Response::from_parts(head, BodyExt::boxed_unsync(StreamBody::new(frames)))
    }
}

impl Faults {
    fn rewritten(&self, path: &str, body: Bytes) -> Bytes {
        if self.rewrites.is_empty() || !path.starts_with("/apis/fanfare.dev/") {
            return body;
        }
        let text = String::from_utf8(body.to_vec()).unwrap();
        self.rewrites.iter().fold(text, |text, (from, to)| text.replace(from, to)).into()
    }
}

fn full(body: Bytes) -> UnsyncBoxBody<Bytes, std::io::Error> {
    Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync()
}

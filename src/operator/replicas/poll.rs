//! Asks one replica what it has in force, again and again; the replica answers when something has changed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio_util::sync::CancellationToken;

use crate::causes::in_words;
use crate::domain::backoff::ExponentialBackoff;
use crate::domain::replica_report::ReplicaReport;

/// How long a replica may wait for a change before it answers that there is none.
const WAIT: Duration = Duration::from_secs(25);
/// How long an answer may take beyond that.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// The largest report: that of some ten thousand objects, each some hundred bytes.
const REPORT_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The wait after a failure.
const BACKOFF: ExponentialBackoff =
    ExponentialBackoff::new(Duration::from_millis(200), Duration::from_secs(5));

/// What a replica is asked by.
pub(super) type Http = Client<HttpConnector, Empty<Bytes>>;

/// What an answer brought.
enum Answer {
    /// A report, and the tag it is known by.
    Report(Box<ReplicaReport>, String),
    /// Nothing has changed.
    Same,
}

/// Asks the replica at an address until told to stop; `reported` is told what each request brought that found a change or
/// failed. `jitter`, from 0 to 1, is for the wait after a failure.
pub(super) async fn poll(
    address: SocketAddr,
    jitter: f64,
    stop: CancellationToken,
    reported: impl Fn(Result<Arc<ReplicaReport>, String>),
) {
    let http: Http = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let (mut tag, mut backoff) = (String::new(), BACKOFF);
    loop {
        // One of which nothing is known has something to say at once.
        let wait = if tag.is_empty() { Duration::ZERO } else { WAIT };
        let asked = tokio::select! {
            () = stop.cancelled() => return,
            asked = tokio::time::timeout(wait + ANSWER_MAX, ask(&http, address, &tag)) => asked,
        };
        match asked.unwrap_or_else(|_| Err("it does not answer".into())) {
            Ok(Answer::Same) => backoff.succeeded(),
            Ok(Answer::Report(report, new)) => {
                tag = new;
                backoff.succeeded();
                reported(Ok(Arc::from(report)));
            }
            Err(why) => {
                tag.clear();
                reported(Err(why));
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(backoff.failed(jitter)) => {}
                }
            }
        }
    }
}

async fn ask(http: &Http, address: SocketAddr, tag: &str) -> Result<Answer, String> {
    let uri = format!("http://{address}/report?unless={tag}&wait={}", WAIT.as_secs());
    let uri = uri.parse().map_err(|_| format!("{address} is no address"))?;
    let answer = http.get(uri).await.map_err(|error| in_words(&error))?;
    if answer.status() == http::StatusCode::NOT_MODIFIED {
        return Ok(Answer::Same);
    }
    if answer.status() != http::StatusCode::OK {
        return Err(format!("it answers {}", answer.status()));
    }
    let tag = answer.headers().get(http::header::ETAG).and_then(|tag| tag.to_str().ok());
    let tag = tag.unwrap_or_default().trim_matches('"').to_owned();
    let body = Limited::new(answer.into_body(), REPORT_BYTES_MAX).collect().await;
    let body =
        body.map_err(|error| format!("its report cannot be read: {}", in_words(error.as_ref())))?.to_bytes();
    let report = serde_json::from_slice(&body).map_err(|error| format!("its report is none: {error}"))?;
    Ok(Answer::Report(Box::new(report), tag))
}

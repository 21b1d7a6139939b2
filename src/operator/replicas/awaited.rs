//! Asks a process that runs and is not ready what it waits for: its log says so, and the status of the Runtime should too.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio_util::sync::CancellationToken;

use super::poll::Http;

/// How often it is asked; a process that only takes its time is ready before the first answer.
const ASK_EVERY: Duration = Duration::from_secs(3);
/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The most that is told.
const TOLD_BYTES_MAX: usize = 1000;

/// Asks the process at an address until told to stop; `awaits` is told what it waits for, if it says so.
pub(super) async fn ask_again(address: SocketAddr, stop: CancellationToken, awaits: impl Fn(Option<String>)) {
    let http: Http = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ASK_EVERY) => {}
        }
        let told = tokio::time::timeout(ANSWER_MAX, ask(&http, address)).await.ok().flatten();
        awaits(told);
    }
}

/// What it answers, if it answers that it is not ready.
async fn ask(http: &Http, address: SocketAddr) -> Option<String> {
    let uri = format!("http://{address}/readyz").parse().ok()?;
    let answer = http.get(uri).await.ok()?;
    if answer.status() != http::StatusCode::SERVICE_UNAVAILABLE {
        return None;
    }
    let body = Limited::new(answer.into_body(), TOLD_BYTES_MAX * 16).collect().await.ok()?.to_bytes();
    let text = String::from_utf8_lossy(&body);
    let end = text.floor_char_boundary(TOLD_BYTES_MAX.min(text.len()));
    Some(text[..end].trim().to_owned())
}

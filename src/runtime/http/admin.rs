//! A runtime's own port: whether it lives, whether it can take calls, its numbers, and what it has in force.
//!
//! It is there before anything else and after everything else, and is never exposed.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::{Semaphore, watch};

use super::api::numbers;
use super::app::App;
use crate::compile::bytes_digest;
use crate::domain::replica_report::ReplicaReport;
use crate::store::run_log::RunLog;

/// How many requests may wait for a change of the report.
const WAITING_MAX: usize = 32;
/// How long one may wait.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// A report as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    tag: String,
    json: Bytes,
}

/// What the admin port shows.
pub struct AdminState {
    report: watch::Sender<Arc<Shown>>,
    waiting: Semaphore,
    /// Why nothing can be served yet; `None` once it can.
    awaits: Mutex<Option<String>>,
    served: OnceLock<(Arc<App>, Arc<dyn RunLog>)>,
    stopping: tokio_util::sync::CancellationToken,
}

impl Default for AdminState {
    fn default() -> Self {
        AdminState {
            report: watch::Sender::new(Arc::new(shown(&ReplicaReport::default()))),
            waiting: Semaphore::new(WAITING_MAX),
            awaits: Mutex::new(Some("the process has just begun".into())),
            served: OnceLock::new(),
            stopping: tokio_util::sync::CancellationToken::new(),
        }
    }
}

impl AdminState {
    /// Shows a report in place of the one before; those who wait for a change are answered if it is another.
    pub fn show(&self, report: &ReplicaReport) {
        let shown = shown(report);
        self.report.send_if_modified(|before| {
            let is_other = **before != shown;
            if is_other {
                *before = Arc::new(shown);
            }
            is_other
        });
    }

    /// Says why nothing can be served yet; `None` once it can.
    pub fn set_awaits(&self, awaits: Option<String>) {
        *self.awaits.lock().unwrap_or_else(PoisonError::into_inner) = awaits;
    }

    /// Says whose readiness and whose numbers are shown.
    pub fn set_served(&self, app: Arc<App>, log: Arc<dyn RunLog>) {
        // There is one for the life of a process.
        drop(self.served.set((app, log)));
    }

    /// Answers those who wait, so that connections can end.
    pub fn close(&self) {
        self.stopping.cancel();
    }

    /// The routes of the admin port.
    pub fn routes(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/livez", get(async || "ok"))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .route("/report", get(report))
            .with_state(Arc::clone(self))
    }
}

fn shown(report: &ReplicaReport) -> Shown {
    let json = serde_json::to_vec(report).expect("texts by text keys are always JSON");
    Shown { tag: bytes_digest(&json), json: json.into() }
}

async fn ready(State(admin_state): State<Arc<AdminState>>) -> Response {
    let unready = |why: String| (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    let awaits = admin_state.awaits.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match (awaits, admin_state.served.get()) {
        (Some(why), _) => unready(why),
        (None, None) => unready("nothing is served yet".into()),
        (None, Some((app, _))) if app.is_leaving() => unready("this process is about to end".into()),
        // A store that is away does not make it unready: with no replica left, callers would be told nothing at all,
        // where a replica tells them 503 and when to come back.
        (None, Some(_)) => "ok".into_response(),
    }
}

async fn metrics(State(admin_state): State<Arc<AdminState>>, headers: HeaderMap) -> Response {
    match admin_state.served.get() {
        Some((app, log)) => numbers(app, log.as_ref(), &headers).await,
        None => (StatusCode::SERVICE_UNAVAILABLE, "nothing is counted yet").into_response(),
    }
}

/// What a reader of the report knows already, and how long it waits for something else.
#[derive(Deserialize)]
struct Known {
    #[serde(default)]
    unless: String,
    #[serde(default)]
    wait: u64,
}

async fn report(State(admin_state): State<Arc<AdminState>>, Query(known): Query<Known>) -> Response {
    let unless = known.unless.trim_matches('"');
    let mut reports = admin_state.report.subscribe();
    let is_other = |shown: &Arc<Shown>| shown.tag != unless;
    let now = Arc::clone(&reports.borrow());
    if is_other(&now) {
        return shown_answer(&now);
    }
    let Ok(_place) = admin_state.waiting.try_acquire() else {
        let retry = [(header::RETRY_AFTER, HeaderValue::from_static("1"))];
        return (StatusCode::SERVICE_UNAVAILABLE, retry, "too many wait for a change already")
            .into_response();
    };
    let wait = Duration::from_secs(known.wait).min(WAIT_MAX);
    tokio::select! {
        changed = tokio::time::timeout(wait, reports.wait_for(is_other)) => match changed {
            Ok(Ok(shown)) => shown_answer(&Arc::clone(&shown)),
            _ => StatusCode::NOT_MODIFIED.into_response(),
        },
        () = admin_state.stopping.cancelled() => StatusCode::NOT_MODIFIED.into_response(),
    }
}

fn shown_answer(shown: &Shown) -> Response {
    let kind = HeaderValue::from_static("application/json");
    let tag = HeaderValue::from_str(&format!("\"{}\"", shown.tag)).expect("base64 is visible ASCII");
    ([(header::CONTENT_TYPE, kind), (header::ETAG, tag)], shown.json.clone()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(admin_state: &Arc<AdminState>, unless: &str, wait: u64) -> (StatusCode, String) {
        let known = Known { unless: unless.into(), wait };
        let answer = report(State(Arc::clone(admin_state)), Query(known)).await;
        let tag = answer.headers().get(header::ETAG).map(|tag| tag.to_str().unwrap().to_owned());
        (answer.status(), tag.unwrap_or_default())
    }

    #[tokio::test]
    async fn a_report_is_given_at_once_if_it_is_another_and_else_when_it_changes() {
        let admin_state = Arc::new(AdminState::default());
        let (status, tag) = ask(&admin_state, "", 0).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(ask(&admin_state, &tag, 0).await.0, StatusCode::NOT_MODIFIED);
        let waiting = tokio::spawn({
            let (admin_state, tag) = (Arc::clone(&admin_state), tag.clone());
            async move { ask(&admin_state, &tag, 50).await }
        });
        tokio::task::yield_now().await;
        admin_state.show(&ReplicaReport::default());
        admin_state.show(&ReplicaReport { version: "2".into(), ..ReplicaReport::default() });
        let (status, other) = waiting.await.unwrap();
        assert_eq!(status, StatusCode::OK);
        assert_ne!(other, tag);
    }

    #[tokio::test]
    async fn so_many_may_wait_and_no_more() {
        let admin_state = Arc::new(AdminState::default());
        let (_, tag) = ask(&admin_state, "", 0).await;
        let waiting: Vec<_> = (0..=WAITING_MAX)
            .map(|_| {
                let (admin_state, tag) = (Arc::clone(&admin_state), tag.clone());
                tokio::spawn(async move { ask(&admin_state, &tag, 1).await.0 })
            })
            .collect();
        let answers = futures_util::future::join_all(waiting).await;
        let refused = answers.iter().filter(|it| *it.as_ref().unwrap() == StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.count(), 1);
    }
}

//! Whether the process lives, whether it can take calls, and its numbers.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::ApiState;
use crate::runtime::http::app::App;
use crate::store::StoreError;
use crate::store::calls::Calls;
use crate::store::run_log::RunLog;
use crate::telemetry::Exposition;

/// A kubelet gives a probe up after some seconds: by then the store has answered, or it counts as not answering.
const STORE_TIME_MAX: Duration = Duration::from_secs(3);

/// Whether the process lives.
#[utoipa::path(get, path = "/livez", tag = "probes", responses((status = 200, description = "It lives")))]
pub(super) async fn alive() -> &'static str {
    "ok"
}

/// Whether calls can be taken: the store answers.
#[utoipa::path(get, path = "/readyz", tag = "probes", responses(
    (status = 200, description = "Calls can be taken"),
    (status = 503, description = "The store does not answer; the body says why"),
))]
pub(super) async fn ready(State(api): State<ApiState>) -> Response {
    match readiness(&api.app).await {
        Ok(()) => "ok".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
    }
}

/// Whether calls can be taken, or why not.
async fn readiness(app: &App) -> Result<(), String> {
    if app.is_leaving() {
        return Err("this process is about to end".into());
    }
    store_answers(app.calls.as_ref()).await.map_err(|error| error.to_string())
}

/// Asks the store for something that costs it nothing, in the way in which calls are kept, and what it refused of late.
pub(in crate::runtime) async fn store_answers(calls: &dyn Calls) -> Result<(), StoreError> {
    soon(calls.check()).await
}

/// The answer of the store, within the time that a probe waits.
async fn soon<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = || StoreError::Unavailable(format!("it did not answer within {STORE_TIME_MAX:?}"));
    tokio::time::timeout(STORE_TIME_MAX, asked).await.unwrap_or_else(|_| Err(late()))
}

/// The process's numbers, in Prometheus' text format, or in OpenMetrics if the request asks for it.
#[utoipa::path(get, path = "/metrics", tag = "probes", responses(
    (status = 200, description = "Numbers", content((String = "text/plain; version=0.0.4"), (String = "application/openmetrics-text; version=1.0.0"))),
))]
pub(super) async fn metrics(State(api): State<ApiState>, headers: HeaderMap) -> Response {
    numbers(&api.app, api.log.as_ref(), &headers).await
}

/// The numbers as an answer.
pub(in crate::runtime) async fn numbers(app: &App, log: &dyn RunLog, headers: &HeaderMap) -> Response {
    let (backlog, store) = tokio::join!(soon(log.backlog()), store_answers(app.calls.as_ref()));
    match backlog {
        Ok(backlog) => app.metrics.set_backlog(&backlog, Timestamp::now()),
        // The rest is worth showing all the more while the store does not answer.
        Err(error) => tracing::warn!(%error, "the backlog cannot be counted"),
    }
    app.metrics.ledger.set_store(store.is_ok(), app.calls.refused_connections());
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Exposition::asked(accept);
    let kind = HeaderValue::from_static(format.content_type());
    ([(header::CONTENT_TYPE, kind)], format.of(app.metrics.text())).into_response()
}

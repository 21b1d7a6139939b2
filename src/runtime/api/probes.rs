//! Whether the process lives, whether it can take calls, and its numbers.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::Desk;
use crate::store::calls::CallFilter;

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
pub(super) async fn ready(State(desk): State<Desk>) -> Response {
    if desk.app.is_leaving() {
        return (StatusCode::SERVICE_UNAVAILABLE, "this process is about to end").into_response();
    }
    let now = Some(Timestamp::now());
    match desk.app.calls.list(CallFilter { since: now, limit: 1, ..CallFilter::default() }).await {
        Ok(_) => "ok".into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

/// The process's numbers, in OpenMetrics.
#[utoipa::path(get, path = "/metrics", tag = "probes", responses((status = 200, description = "OpenMetrics text")))]
pub(super) async fn metrics(State(desk): State<Desk>) -> Response {
    match desk.log.backlog().await {
        Ok(backlog) => desk.app.metrics.set_backlog(&backlog),
        // The rest is worth showing all the more while the store does not answer.
        Err(error) => tracing::warn!(%error, "the backlog cannot be counted"),
    }
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], desk.app.metrics.text()).into_response()
}

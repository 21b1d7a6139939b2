//! The operator's own port: whether it lives, whether it can work, and its numbers.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::caches::Caches;
use super::managed_by::{Others, namespaces_of_others};
use super::metrics::Metrics;
use super::standing;
use crate::telemetry::Exposition;

/// What the probes look at.
#[derive(Clone)]
pub(super) struct Health {
    pub metrics: Arc<Metrics>,
    /// What the leader watches; nothing on one that stands by.
    pub watched: Arc<Mutex<Vec<Caches>>>,
    /// What is known of other installations.
    pub others: Arc<Others>,
    /// How this one is known.
    pub installation: String,
    /// Whether it is about to end.
    pub leaving: tokio_util::sync::CancellationToken,
    /// What it must know before it can begin, if that is not known yet.
    pub awaited: Arc<Mutex<Option<String>>>,
}

pub(super) fn routes(health: Health) -> Router {
    Router::new()
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

/// A kind the cluster does not know yet does not appear by a restart: that is not ready, and lives.
async fn ready(State(health): State<Health>) -> Response {
    let unready = |why: String| (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    if health.leaving.is_cancelled() {
        return unready("this process is about to end".into());
    }
    if let Some(awaited) = health.awaited.lock().unwrap_or_else(PoisonError::into_inner).clone() {
        return unready(awaited);
    }
    let watched = health.watched.lock().unwrap_or_else(PoisonError::into_inner);
    match watched.iter().map(Caches::are_filled).find_map(Result::err) {
        Some(kind) => unready(format!(
            "no list of {kind} has come yet; if it stays so, look whether the cluster knows the kind (that the \
             CustomResourceDefinitions are applied) and whether the operator may list it"
        )),
        None => "ok".into_response(),
    }
}

async fn metrics(State(health): State<Health>, headers: HeaderMap) -> Response {
    let caches = health.watched.lock().unwrap_or_else(PoisonError::into_inner).clone();
    health.metrics.set_objects(caches.iter().flat_map(standing::counts));
    let of_others = caches.iter().map(|caches| namespaces_of_others(caches, &health.installation)).sum();
    health.metrics.set_namespaces_of_others(of_others);
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Exposition::asked(accept);
    let kind = HeaderValue::from_static(format.content_type());
    ([(header::CONTENT_TYPE, kind)], format.of(health.metrics.text())).into_response()
}

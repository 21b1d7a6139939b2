//! Stopping what is under way: pause and resume, or cancel, a call, a scenario, a channel or everything.
//!
//! The engine does it and the store keeps it; this calls it for callers with the permission `Control`.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ApiState;
use super::auth::{Control, May, ReadLog};
use super::body::Body;
use super::calls::no_such_call;
use super::id::{KindAndName, kept};
use super::problem::ApiProblem;
use crate::domain::body::to_utf8;
use crate::domain::name::CallId;
use crate::domain::pause::{Pause, PauseReport, PauseScope, REASON_MAX};
use crate::problem_details::ProblemBody;
use crate::runtime::engine::run::Control as EngineControl;

/// All that is paused.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PauseList {
    /// The oldest first.
    #[schema(value_type = Vec<PauseView>)]
    items: Vec<PauseReport>,
}

/// A pause, as it is shown.
#[derive(Debug, utoipa::ToSchema)]
#[expect(dead_code, reason = "it describes a type of the domain, which knows nothing of OpenAPI")]
pub struct PauseView {
    /// `runtime`, `scenario`, `channel` or `call`.
    kind: String,
    /// The name within its kind; empty for the whole runtime.
    name: String,
    /// The key of the caller who asked for it.
    who: String,
    /// Why, in their words.
    reason: String,
    /// Since when, RFC 3339.
    since: String,
}

/// Why something is paused.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PauseRequest {
    /// Kept and shown with the pause; at most 500 characters.
    reason: String,
}

/// What was cancelled.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Cancelled {
    /// How many runs were under way; what of each was not sent is in the log of its call.
    runs: usize,
}

/// The routes of everything that can be stopped.
pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/api/v1/pauses", get(list))
        .route("/api/v1/runtime/pause", post(pause_runtime))
        .route("/api/v1/runtime/resume", post(resume_runtime))
        .route("/api/v1/runtime/cancel", post(cancel_runtime))
        .route("/api/v1/{kind}/{name}/pause", post(pause))
        .route("/api/v1/{kind}/{name}/resume", post(resume))
        .route("/api/v1/{kind}/{name}/cancel", post(cancel))
}

/// What is paused now, by whom and why.
#[utoipa::path(get, path = "/api/v1/pauses", tag = "control", responses(
    (status = 200, body = PauseList), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 503, body = ProblemBody),
))]
pub(super) async fn list(
    _caller: May<ReadLog>,
    State(api): State<ApiState>,
) -> Result<Json<PauseList>, ApiProblem> {
    let pauses = engine(&api)?.pauses().await?;
    Ok(Json(PauseList { items: pauses.iter().map(PauseReport::from).collect() }))
}

/// Pause a call, a scenario or a channel: nothing of it is sent until it is resumed, whatever is declared meanwhile.
///
/// What is under way at a provider comes to its outcome. Expiries go on. Pausing what is paused changes nothing.
#[utoipa::path(post, path = "/api/v1/{kind}/{name}/pause", tag = "control",
    params(("kind" = String, Path, description = "`calls`, `scenarios` or `channels`"),
        ("name" = String, Path, description = "The call's id, or the name")),
    request_body(content = Option<PauseRequest>), responses(
    (status = 200, body = PauseView), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
    (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
    (status = 503, body = ProblemBody),
))]
pub(super) async fn pause(
    caller: May<Control>,
    State(api): State<ApiState>,
    KindAndName(kind, name): KindAndName,
    Body(body): Body,
) -> Result<Json<PauseReport>, ApiProblem> {
    let scope = scope(&kind, &name)?;
    exists(&api, &scope).await?;
    pause_scope(&caller, &api, scope, &body).await
}

/// Pause everything: calls are accepted and kept, and nothing is decided or sent until it is resumed.
#[utoipa::path(post, path = "/api/v1/runtime/pause", tag = "control",
    request_body(content = Option<PauseRequest>), responses(
    (status = 200, body = PauseView), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
    (status = 403, body = ProblemBody), (status = 409, body = ProblemBody), (status = 503, body = ProblemBody),
))]
pub(super) async fn pause_runtime(
    caller: May<Control>,
    State(api): State<ApiState>,
    Body(body): Body,
) -> Result<Json<PauseReport>, ApiProblem> {
    pause_scope(&caller, &api, PauseScope::Runtime, &body).await
}

/// Resume a call, a scenario or a channel. What has expired meanwhile is not sent.
#[utoipa::path(post, path = "/api/v1/{kind}/{name}/resume", tag = "control",
    params(("kind" = String, Path, description = "`calls`, `scenarios` or `channels`"),
        ("name" = String, Path, description = "The call's id, or the name")), responses(
    (status = 200, body = PauseView, description = "The pause there was"), (status = 401, body = ProblemBody),
    (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody, description = "It is not paused"),
    (status = 503, body = ProblemBody),
))]
pub(super) async fn resume(
    caller: May<Control>,
    State(api): State<ApiState>,
    KindAndName(kind, name): KindAndName,
) -> Result<Json<PauseReport>, ApiProblem> {
    resume_scope(&caller, &api, &scope(&kind, &name)?).await
}

/// Resume everything. What was paused by itself stays paused.
#[utoipa::path(post, path = "/api/v1/runtime/resume", tag = "control", responses(
    (status = 200, body = PauseView, description = "The pause there was"), (status = 401, body = ProblemBody),
    (status = 403, body = ProblemBody), (status = 409, body = ProblemBody, description = "It is not paused"),
    (status = 503, body = ProblemBody),
))]
pub(super) async fn resume_runtime(
    caller: May<Control>,
    State(api): State<ApiState>,
) -> Result<Json<PauseReport>, ApiProblem> {
    resume_scope(&caller, &api, &PauseScope::Runtime).await
}

/// Cancel what has not been sent of the runs that are under way: of a call, of a scenario, or of all that send by a channel.
#[utoipa::path(post, path = "/api/v1/{kind}/{name}/cancel", tag = "control",
    params(("kind" = String, Path, description = "`calls`, `scenarios` or `channels`"),
        ("name" = String, Path, description = "The call's id, or the name")), responses(
    (status = 200, body = Cancelled), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 503, body = ProblemBody),
))]
pub(super) async fn cancel(
    caller: May<Control>,
    State(api): State<ApiState>,
    KindAndName(kind, name): KindAndName,
) -> Result<Json<Cancelled>, ApiProblem> {
    let scope = scope(&kind, &name)?;
    exists(&api, &scope).await?;
    cancel_scope(&caller, &api, &scope).await
}

/// Cancel what has not been sent of all runs that are under way.
#[utoipa::path(post, path = "/api/v1/runtime/cancel", tag = "control", responses(
    (status = 200, body = Cancelled), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 503, body = ProblemBody),
))]
pub(super) async fn cancel_runtime(
    caller: May<Control>,
    State(api): State<ApiState>,
) -> Result<Json<Cancelled>, ApiProblem> {
    cancel_scope(&caller, &api, &PauseScope::Runtime).await
}

async fn pause_scope(
    caller: &May<Control>,
    api: &ApiState,
    scope: PauseScope,
    body: &[u8],
) -> Result<Json<PauseReport>, ApiProblem> {
    let who = caller.caller.credential.to_string();
    let pause = Pause { scope, who, reason: reason(body)?, since: Timestamp::now() };
    let Some(holds) = engine(api)?.pause(&pause).await? else {
        return Err(ApiProblem::conflict("too much is paused already; resume something first"));
    };
    tracing::warn!(what = %holds.scope, who = %holds.who, reason = %holds.reason, "paused");
    Ok(Json(PauseReport::from(&holds)))
}

async fn resume_scope(
    caller: &May<Control>,
    api: &ApiState,
    scope: &PauseScope,
) -> Result<Json<PauseReport>, ApiProblem> {
    let ended = engine(api)?.resume(scope).await?;
    let ended = ended.ok_or_else(|| ApiProblem::conflict(format!("{scope} is not paused")))?;
    tracing::warn!(what = %scope, who = %caller.caller.credential, "resumed");
    Ok(Json(PauseReport::from(&ended)))
}

async fn cancel_scope(
    caller: &May<Control>,
    api: &ApiState,
    scope: &PauseScope,
) -> Result<Json<Cancelled>, ApiProblem> {
    let runs = engine(api)?.cancel(scope).await?;
    tracing::warn!(what = %scope, who = %caller.caller.credential, runs, "cancelled");
    Ok(Json(Cancelled { runs }))
}

fn reason(body: &[u8]) -> Result<String, ApiProblem> {
    if body.is_empty() {
        return Ok(String::new());
    }
    let body = to_utf8(body, None).map_err(|error| ApiProblem::bad_request(error.to_string()))?;
    let request: Option<PauseRequest> = serde_json::from_slice(&body).map_err(|error| {
        ApiProblem::bad_request(format!("the body must be {{\"reason\": \"…\"}}: {error}"))
    })?;
    let request = request.unwrap_or_default();
    if request.reason.chars().count() > REASON_MAX || request.reason.contains('\0') {
        return Err(ApiProblem::bad_request(format!(
            "reason must be text of at most {REASON_MAX} characters"
        )));
    }
    Ok(request.reason)
}

fn scope(kinds: &str, name: &str) -> Result<PauseScope, ApiProblem> {
    kept(name)?;
    let scope = kinds.strip_suffix('s').filter(|kind| *kind != "runtime");
    scope.and_then(|kind| PauseScope::read(kind, name)).ok_or_else(|| {
        ApiProblem::not_found(format!(
            "{kinds:?} cannot be stopped; calls, scenarios, channels and runtime can"
        ))
    })
}

/// Whether there is such a thing; a typing error must not look like a stop.
async fn exists(api: &ApiState, scope: &PauseScope) -> Result<(), ApiProblem> {
    let snapshot = api.app.snapshot.load();
    let (is_there, known): (bool, Vec<&str>) = match scope {
        PauseScope::Runtime => return Ok(()),
        PauseScope::Scenario(name) => (
            snapshot.scenarios.contains_key(name),
            snapshot.scenarios.keys().map(|name| name.as_str()).collect(),
        ),
        PauseScope::Channel(name) => (
            snapshot.channels.contains_key(name),
            snapshot.channels.keys().map(|name| name.as_str()).collect(),
        ),
        PauseScope::Call(id) => {
            let call = api.app.calls.get(&CallId::new(id.as_str())).await?;
            return call.map(drop).ok_or_else(|| no_such_call(api, id.as_str()));
        }
    };
    let near = || known.iter().take(10).copied().collect::<Vec<_>>().join(", ");
    is_there
        .then_some(())
        .ok_or_else(|| ApiProblem::not_found(format!("there is no {scope}; there are: {}", near())))
}

fn engine(api: &ApiState) -> Result<&EngineControl, ApiProblem> {
    api.control.as_ref().ok_or_else(|| ApiProblem::unavailable("nothing can be stopped here"))
}

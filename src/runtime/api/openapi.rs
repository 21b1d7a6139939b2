//! The description of all routes, by OpenAPI.

use axum::Json;
use utoipa::OpenApi;

use super::problem::ProblemBody;
use super::{calls, customers, deliveries, held, pauses, probes};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Fanfare",
        description = "One call about something that happened in the world reaches every customer it concerns."
    ),
    paths(
        call_trigger,
        calls::list,
        calls::detail,
        deliveries::of_call,
        deliveries::list,
        held::resend,
        held::close,
        pauses::list,
        pauses::pause,
        pauses::resume,
        pauses::cancel,
        pauses::pause_runtime,
        pauses::resume_runtime,
        pauses::cancel_runtime,
        customers::post_customers,
        customers::post_events,
        customers::detail,
        document,
        probes::alive,
        probes::ready,
        probes::metrics,
    )
)]
struct Document;

/// This document.
#[utoipa::path(get, path = "/api/openapi.json", tag = "probes", responses((status = 200, description = "OpenAPI")))]
pub(super) async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(Document::openapi())
}

/// Call a trigger: something happened in the world.
#[utoipa::path(post, path = "/in/{namespace}/{trigger}", tag = "calls",
    params(
        ("namespace" = String, Path, description = "The trigger's namespace"),
        ("trigger" = String, Path, description = "The trigger's name"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered as the first time, for 24 hours"),
    ),
    request_body(content = serde_json::Value, description = "JSON or a form, as the trigger declares"),
    responses(
        (status = 202, description = "The call is on disk: `{\"id\": …}`, with forEach also `calls`"),
        (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 405, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 429, body = ProblemBody), (status = 503, body = ProblemBody),
    ))]
#[expect(dead_code, reason = "the endpoint is served before the routes; here it is only described")]
fn call_trigger() {}

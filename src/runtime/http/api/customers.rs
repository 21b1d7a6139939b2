//! Customers and events in, and a customer out; `track` answers, this settles who may ask.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::ApiState;
use super::answers::Turn;
use super::auth::{May, ReadCustomers, Track};
use super::body::Batch;
use super::id::Id;
use crate::problem_details::ProblemBody;
use crate::track::http::{self as track, BatchAnswer};
use crate::track::view::CustomerView;

/// Create and change customers, line by line. Attributes and consents that are not named stay.
#[utoipa::path(post, path = "/api/v1/customers", tag = "track",
    request_body(content = serde_json::Value, description = "One object, an array of them, or NDJSON: `{\"ids\": {\"registered\": \"ann\"}, \"attributes\": {…}, \"consents\": {\"sms\": true}}`"),
    responses(
    (status = 200, body = BatchAnswer, description = "Each line was dealt with, and at least one was kept"),
    (status = 422, body = BatchAnswer, description = "No line was kept"),
    (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 408, body = ProblemBody), (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 503, body = ProblemBody),
))]
pub(super) async fn post_customers(
    may: May<Track>,
    State(api): State<ApiState>,
    headers: HeaderMap,
    Batch { bytes: body, _room }: Batch,
) -> Response {
    let now = Timestamp::now();
    let (store, scope) = (api.app.customers.as_ref(), may.caller.track.as_deref());
    let answer = track::post_customers(store, scope, content_type(&headers), &body, now).await;
    answer.map_or_else(IntoResponse::into_response, IntoResponse::into_response)
}

/// Add events, line by line. A customer not known yet is created.
#[utoipa::path(post, path = "/api/v1/events", tag = "track",
    request_body(content = serde_json::Value, description = "One object, an array of them, or NDJSON: `{\"ids\": {\"registered\": \"ann\"}, \"type\": \"policy_purchased\", \"timestamp\": …, \"properties\": {…}}`"),
    responses(
    (status = 200, body = BatchAnswer, description = "Each line was dealt with, and at least one was kept"),
    (status = 422, body = BatchAnswer, description = "No line was kept"),
    (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 408, body = ProblemBody), (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 503, body = ProblemBody),
))]
pub(super) async fn post_events(
    may: May<Track>,
    State(api): State<ApiState>,
    headers: HeaderMap,
    Batch { bytes: body, _room }: Batch,
) -> Response {
    let now = Timestamp::now();
    let (store, scope) = (api.app.customers.as_ref(), may.caller.track.as_deref());
    let answer = track::post_events(store, scope, content_type(&headers), &body, now).await;
    answer.map_or_else(IntoResponse::into_response, IntoResponse::into_response)
}

/// A customer by the `registered` id: attributes, consents and the latest events.
#[utoipa::path(get, path = "/api/v1/customers/{id}", tag = "track",
    params(("id" = String, Path, description = "The `registered` id; case-sensitive")), responses(
    (status = 200, body = CustomerView),
    (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
    (status = 503, body = ProblemBody),
))]
pub(super) async fn detail(
    _caller: May<ReadCustomers>,
    _turn: Turn,
    State(api): State<ApiState>,
    Id(id): Id,
) -> Response {
    let answer = track::get_customer(api.app.customers.as_ref(), &id).await;
    answer.map_or_else(IntoResponse::into_response, |view| axum::Json(view).into_response())
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok())
}

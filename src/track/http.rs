//! The HTTP API's answers to customers and events. Who may ask is settled before these are called.
//!
//! A batch is answered line by line. 200 says that every line was dealt with and at least one was kept; 422 that
//! none was; whatever is not answered as kept was not kept.

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::batch::{BodyError, NumberedLine, lines_of};
use super::line::{LineError, customer, event, scoped_customer, scoped_event};
use super::view::{CustomerView, EVENTS_SHOWN_MAX};
use crate::domain::credentials::TrackScope;
use crate::domain::customer::EventNeeds;
use crate::problem_details::ProblemBody;
use crate::store::StoreError;
use crate::store::customers::{Customers, LineRefused, LineResult};

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct BatchAnswer {
    /// How many lines were kept.
    pub kept: u64,
    /// How many were not.
    pub refused: u64,
    /// Each line, in the order of the request.
    pub results: Vec<LineAnswer>,
}

/// What became of one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LineAnswer {
    /// Its place in the request: from 1 in an array, the line of text in NDJSON.
    pub line: u64,
    /// Whether it was kept.
    pub kept: bool,
    /// Why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Why a request was not answered with what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrackRefusal {
    /// The body as a whole cannot be read.
    #[error("{0}")]
    Body(#[from] BodyError),
    /// The store did not keep it, or did not say so in time.
    #[error("{}; {}", .0, what_was_kept(.0))]
    Store(#[from] StoreError),
    /// No such customer.
    #[error("no customer has the registered id {0:?}; ids are case-sensitive")]
    NotFound(String),
}

fn what_was_kept(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unavailable(_) => "it is not known whether this request was kept",
        StoreError::Refused(_) | StoreError::Barred(_) | StoreError::Busy | StoreError::Closed => {
            "nothing of this request was kept"
        }
    }
}

/// `POST /api/v1/customers`. With a scope only what it lists is written, of whom a line proves by what holds `now`.
///
/// # Errors
/// See [`TrackRefusal`].
pub async fn post_customers(
    store: &dyn Customers,
    scope: Option<&TrackScope>,
    content_type: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<BatchAnswer, TrackRefusal> {
    let (writes, mut answers) = sorted_out(content_type, body, |line| match scope {
        Some(scope) => scoped_customer(scope, line, now),
        None => customer(line),
    })?;
    let results = if writes.is_empty() { Vec::new() } else { store.upsert_customers(writes).await? };
    Ok(answered(&mut answers, results, scope))
}

/// `POST /api/v1/events`. An event without a timestamp happened `now`; a scope as for customers.
///
/// # Errors
/// See [`TrackRefusal`].
pub async fn post_events(
    store: &dyn Customers,
    scope: Option<&TrackScope>,
    content_type: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<BatchAnswer, TrackRefusal> {
    let (writes, mut answers) = sorted_out(content_type, body, |line| match scope {
        Some(scope) => scoped_event(scope, line, now),
        None => event(line, now),
    })?;
    let results = if writes.is_empty() { Vec::new() } else { store.insert_events(writes).await? };
    Ok(answered(&mut answers, results, scope))
}

/// `GET /api/v1/customers/{id}`, by the `registered` id.
///
/// # Errors
/// See [`TrackRefusal`].
pub async fn get_customer(store: &dyn Customers, registered: &str) -> Result<CustomerView, TrackRefusal> {
    let missing = || TrackRefusal::NotFound(registered.to_owned());
    let key = store.find(registered).await?.ok_or_else(missing)?;
    let customers = store.load(&[key], &EventNeeds::default()).await?;
    let customer = customers.first().ok_or_else(missing)?;
    Ok(CustomerView::new(customer, &store.latest_events(key, EVENTS_SHOWN_MAX).await?))
}

/// Separates the lines that can be written from those already answered.
fn sorted_out<T>(
    content_type: Option<&str>,
    body: &[u8],
    read: impl Fn(Value) -> Result<T, LineError>,
) -> Result<(Vec<T>, Vec<LineAnswer>), TrackRefusal> {
    let mut writes = Vec::new();
    let mut answers = Vec::new();
    for (line, json) in lines_of(content_type, body)? as Vec<NumberedLine> {
        let error = match json.and_then(&read) {
            Ok(write) => {
                writes.push(write);
                None
            }
            Err(error) => Some(error.to_string()),
        };
        answers.push(LineAnswer { line, kept: error.is_none(), error });
    }
    Ok((writes, answers))
}

/// Puts the store's results in the places of the lines that were written.
fn answered(
    answers: &mut Vec<LineAnswer>,
    results: Vec<LineResult>,
    scope: Option<&TrackScope>,
) -> BatchAnswer {
    for (answer, result) in answers.iter_mut().filter(|answer| answer.kept).zip(results) {
        if let Err(refused) = result {
            answer.kept = false;
            answer.error = Some(match (scope, refused) {
                // A web page must not learn which other customers exist.
                (Some(_), LineRefused::IdTaken { kind, .. }) => {
                    format!("the id of kind {kind:?} belongs to another customer; remove it from this line")
                }
                (_, refused) => refused.to_string(),
            });
        }
    }
    let kept = answers.iter().filter(|answer| answer.kept).count() as u64;
    BatchAnswer { kept, refused: answers.len() as u64 - kept, results: std::mem::take(answers) }
}

impl IntoResponse for BatchAnswer {
    fn into_response(self) -> Response {
        let status = if self.kept == 0 && self.refused > 0 {
            StatusCode::UNPROCESSABLE_ENTITY
        } else {
            StatusCode::OK
        };
        (status, Json(self)).into_response()
    }
}

impl TrackRefusal {
    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            TrackRefusal::Body(BodyError::MediaType(_)) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            TrackRefusal::Body(BodyError::TooLarge | BodyError::TooManyLines) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            TrackRefusal::Body(BodyError::NotJson(_) | BodyError::NotText | BodyError::Charset(_)) => {
                StatusCode::BAD_REQUEST
            }
            TrackRefusal::NotFound(_) => StatusCode::NOT_FOUND,
            TrackRefusal::Store(error) if error.is_transient() => StatusCode::SERVICE_UNAVAILABLE,
            TrackRefusal::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for TrackRefusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        ProblemBody::new(status, self.to_string()).answer(retry_after).map(Body::from)
    }
}

//! The whole of an answer, within bounds.

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, Limited};

/// The largest answer: a page of 1,000 deliveries is below 1 MiB.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Reads the whole of an answer.
///
/// # Errors
/// Why it could not be read, in words.
pub(super) async fn read_answer(
    answer: http::Response<hyper::body::Incoming>,
) -> Result<(StatusCode, Bytes), String> {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
}

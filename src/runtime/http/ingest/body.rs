//! A request's body: read within the trigger's limit and within a bounded time, and told what it is.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::domain::admission::Refusal;
use crate::domain::body::{ContentType, Media, UnpackError};
use crate::runtime::http::packed_body::{self, PackedError};

/// How long a body may take. A caller slower than this holds a connection for nothing.
const BODY_TIME_MAX: Duration = Duration::from_secs(15);

/// Refuses what says itself that it is too large, before a byte of it is read.
pub(super) fn check_declared_length(headers: &HeaderMap, max: usize) -> Result<(), Refusal> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match declared {
        Some(length) if length > max as u64 => Err(Refusal::TooLarge { max }),
        _ => Ok(()),
    }
}

/// Reads the body, and stops at the limit.
pub(super) async fn read<B>(body: B, max: usize) -> Result<Bytes, Refusal>
where
    B: hyper::body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let collected = tokio::time::timeout(BODY_TIME_MAX, Limited::new(body, max).collect()).await;
    match collected {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge { max }),
        Ok(Err(_)) => Err(Refusal::Malformed("the body ended before it was complete".into())),
        Err(_) => Err(Refusal::Malformed(format!(
            "the body did not arrive within {} seconds",
            BODY_TIME_MAX.as_secs()
        ))),
    }
}

/// Unpacks a body that was compressed; what comes out has the same limit.
pub(super) async fn unpacked(headers: &HeaderMap, body: Bytes, max: usize) -> Result<Bytes, Refusal> {
    packed_body::unpacked(headers, body, max).await.map_err(|error| match error {
        PackedError::Coding(coding) => Refusal::Coding(coding),
        PackedError::Unpack(UnpackError::TooLarge { max }) => Refusal::TooLarge { max },
        PackedError::Unpack(error) => Refusal::Malformed(error.to_string()),
        PackedError::Ending => Refusal::Unavailable,
    })
}

/// Reads `Content-Type`; of an empty body it says nothing.
pub(super) fn content_type(headers: &HeaderMap, body: &[u8]) -> Result<ContentType, Refusal> {
    if body.is_empty() {
        return Ok(ContentType { media: Media::Json, charset: None });
    }
    let value = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("(not ASCII)"));
    let read = ContentType::read(value).map_err(|error| Refusal::MediaType(error.to_string()))?;
    match read.media {
        Media::Ndjson => {
            Err(Refusal::MediaType("a trigger takes one request a body, not lines of JSON".into()))
        }
        _ => Ok(read),
    }
}

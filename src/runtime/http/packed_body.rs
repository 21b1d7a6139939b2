//! Bodies that come compressed, unpacked away from the threads that answer others.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use crate::domain::body::{Coding, CodingError, UnpackError};

/// Why a body is not unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PackedError {
    /// Its coding is not taken.
    #[error(transparent)]
    Coding(#[from] CodingError),
    /// Its coding is taken, and it cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The process is about to end.
    #[error("the process is about to end")]
    Ending,
}

/// A body as it was before it was compressed, if it was; at most `max` bytes of it.
///
/// # Errors
/// See [`PackedError`].
pub(super) async fn unpacked(headers: &HeaderMap, body: Bytes, max: usize) -> Result<Bytes, PackedError> {
    let codings = headers.get_all(CONTENT_ENCODING).iter().map(http::HeaderValue::as_bytes);
    match Coding::read(codings)? {
        Some(coding) if !body.is_empty() => {
            let unpacked = tokio::task::spawn_blocking(move || coding.unpack(&body, max)).await;
            Ok(unpacked.map_err(|_| PackedError::Ending)??.into())
        }
        _ => Ok(body),
    }
}

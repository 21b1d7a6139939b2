//! A request's body: read within the trigger's limit and within a bounded time, and told what it is.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::domain::admission::Refusal;

/// How long a body may take. A caller slower than this holds a connection for nothing.
const BODY_TIME_MAX: Duration = Duration::from_secs(15);

/// What a body is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/json`, or another type that ends in `+json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

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

/// Reads `Content-Type`. Parameters other than a charset are passed over; the charset must be UTF-8 or a part of it.
/// A compressed body is not taken: what it would become has no bound that its length tells.
pub(super) fn media(headers: &HeaderMap) -> Result<Media, Refusal> {
    if headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Refusal::MediaType);
    }
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).ok_or(Refusal::MediaType)?;
    if value == "application/json" {
        return Ok(Media::Json);
    }
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    for parameter in parts {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let charset = value.trim_matches('"');
        let readable = ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known));
        if name.eq_ignore_ascii_case("charset") && !readable {
            return Err(Refusal::MediaType);
        }
    }
    match essence.as_str() {
        "application/json" => Ok(Media::Json),
        "application/x-www-form-urlencoded" => Ok(Media::Form),
        other if other.starts_with("application/") && other.ends_with("+json") => Ok(Media::Json),
        _ => Err(Refusal::MediaType),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content_type: &str) -> Result<Media, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        media(&headers)
    }

    #[test]
    fn types_are_told_with_their_parameters() {
        assert_eq!(read("application/json"), Ok(Media::Json));
        assert_eq!(read("Application/JSON; Charset=\"UTF-8\"; v=2"), Ok(Media::Json));
        assert_eq!(read("application/geo+json"), Ok(Media::Json));
        assert_eq!(read("application/x-www-form-urlencoded;charset=utf-8"), Ok(Media::Form));
        for refused in ["text/plain", "application/json; charset=latin1", "multipart/form-data; boundary=x"] {
            assert_eq!(read(refused), Err(Refusal::MediaType), "{refused}");
        }
        assert_eq!(media(&HeaderMap::new()), Err(Refusal::MediaType));
    }

    #[test]
    fn a_compressed_body_is_not_taken() {
        for (coding, expected) in [("gzip", Err(Refusal::MediaType)), ("identity", Ok(Media::Json))] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
            headers.insert(CONTENT_ENCODING, coding.parse().unwrap());
            assert_eq!(media(&headers), expected, "{coding}");
        }
    }
}

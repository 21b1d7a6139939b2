//! What a body is written in, as its `Content-Type` says; senders that say nothing, or only "text", mean JSON.

use super::Charset;

/// What a body is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// `application/json`, `text/json`, or a type that ends in `+json`.
    Json,
    /// `application/x-ndjson` and its other names: one line of JSON a line.
    Ndjson,
    /// `application/x-www-form-urlencoded`, which is also what curl says of anything.
    Form,
    /// No type, or one that says only that it is text or bytes: JSON, if it can be read as that.
    Unsaid,
}

/// A content type, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentType {
    /// What the body is written in.
    pub media: Media,
    /// The encoding it names.
    pub charset: Option<Charset>,
}

/// A content type that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentTypeError {
    /// Another type.
    #[error("Content-Type {0:?} is not taken")]
    Type(String),
    /// A known type in another encoding.
    #[error("the charset {0:?} is not taken; send UTF-8")]
    Charset(String),
}

/// How much of somebody's header is repeated to them.
const SHOWN_CHARS: usize = 64;

impl ContentType {
    /// Reads the value of a `Content-Type` header. Parameters other than a charset are passed over.
    ///
    /// # Errors
    /// See [`ContentTypeError`].
    pub fn read(value: Option<&str>) -> Result<Self, ContentTypeError> {
        let value = value.unwrap_or_default().trim();
        if value == "application/json" {
            return Ok(ContentType { media: Media::Json, charset: None });
        }
        let mut parts = value.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let media = media_of(&essence).ok_or_else(|| ContentTypeError::Type(shown(&essence)))?;
        let mut charset = None;
        for parameter in parts {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            if name.trim().eq_ignore_ascii_case("charset") {
                let named = value.trim().trim_matches('"');
                let known = Charset::read(named).ok_or_else(|| ContentTypeError::Charset(shown(named)))?;
                charset = Some(known);
            }
        }
        Ok(ContentType { media, charset })
    }
}

fn media_of(essence: &str) -> Option<Media> {
    match essence {
        "application/json" | "text/json" | "text/x-json" | "application/x-json" => Some(Media::Json),
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonlines"
        | "text/x-ndjson" => Some(Media::Ndjson),
        "application/x-www-form-urlencoded" => Some(Media::Form),
        // SNS posts its JSON as text/plain, `navigator.sendBeacon` any text; fetch() of a Blob says nothing.
        ""
        | "text/plain"
        | "text/javascript"
        | "application/javascript"
        | "application/octet-stream"
        | "binary/octet-stream" => Some(Media::Unsaid),
        other if other.ends_with("+json") => Some(Media::Json),
        _ => None,
    }
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS).collect()
}

/// Whether a text begins as a JSON object or array does.
pub fn looks_like_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Whether what was sent as a form is JSON: curl's `--data` says of everything that it is a form. A browser writes a
/// brace of a form's field as `%7B`; where one did, the field's name begins with it all the same.
pub fn is_json_as_form(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    let (first, last) = (body.first(), body.last());
    match (first, last) {
        (Some(b'{'), _) | (Some(b'['), Some(b']')) => true,
        _ => {
            let mut fields = form_urlencoded::parse(body);
            let only = fields.next().filter(|(_, value)| value.is_empty());
            fields.next().is_none() && only.is_some_and(|(name, _)| looks_like_json(name.as_bytes()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(value: &str) -> Option<Media> {
        ContentType::read(Some(value)).ok().map(|it| it.media)
    }

    #[test]
    fn types_are_told_with_their_parameters() {
        assert_eq!(media("application/json"), Some(Media::Json));
        assert_eq!(media("Application/JSON; Charset=\"UTF-8\"; v=2"), Some(Media::Json));
        for json in [
            "application/geo+json",
            "text/json",
            "application/cloudevents+json; charset=utf8",
            "image/x+json",
        ] {
            assert_eq!(media(json), Some(Media::Json), "{json}");
        }
        assert_eq!(media("application/x-www-form-urlencoded;charset=utf-8"), Some(Media::Form));
        assert_eq!(media("application/x-ndjson"), Some(Media::Ndjson));
        for unsaid in ["", " ", "text/plain; charset=UTF-8", "application/octet-stream"] {
            assert_eq!(media(unsaid), Some(Media::Unsaid), "{unsaid}");
        }
        assert_eq!(ContentType::read(None).map(|it| it.media), Ok(Media::Unsaid));
        let wide = ContentType::read(Some("application/json; charset=utf-16le"));
        assert_eq!(wide.map(|it| it.charset), Ok(Some(Charset::Utf16Le)));
    }

    #[test]
    fn what_is_not_taken_is_named() {
        for refused in ["text/xml", "multipart/form-data; boundary=x", "text/csv", "text/html", "*/*"] {
            assert_eq!(media(refused), None, "{refused}");
        }
        let latin = ContentType::read(Some("application/json; charset=latin1")).unwrap_err();
        assert_eq!(latin.to_string(), "the charset \"latin1\" is not taken; send UTF-8");
    }

    #[test]
    fn json_that_is_sent_as_a_form_is_recognised() {
        for json in [
            "{\"a\": 1}",
            "{\"a\": \"x=y&z\"}",
            " [{\"a\": 1}]\n",
            "{a: 1}",
            "%7B%22a%22%3A1%7D",
            "%7B%22a%22%3A1%7D=",
        ] {
            assert!(is_json_as_form(json.as_bytes()), "{json}");
        }
        for form in ["a=1", "a={\"b\":1}", "", "%5Ba%5D=1", "[a]=1", "a"] {
            assert!(!is_json_as_form(form.as_bytes()), "{form}");
        }
    }
}

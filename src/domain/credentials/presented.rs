//! Credentials as a request brings them: `Authorization: Basic`, `Bearer` or `Token`, or `?access_token=`.
//!
//! A bearer token of a private key is `<id>:<secret>`, the same two words Basic sends, only not encoded.

use base64::Engine as _;

use crate::domain::secret::{Secret, without_last_newline};

/// What a request says about who sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presented {
    /// An id, or a username, and its secret.
    Pair {
        /// The id or username.
        id: String,
        /// The secret or password.
        secret: Secret,
    },
    /// The token of a public key.
    Token(Secret),
}

/// What is presented cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PresentedError {
    /// Nothing is presented.
    #[error("no credentials were sent")]
    Nothing,
    /// A scheme that is not spoken here.
    #[error("the Authorization header names a scheme other than Basic, Bearer and Token")]
    Scheme,
    /// The header does not follow its scheme.
    #[error("the Authorization header does not follow its scheme")]
    Malformed,
}

impl Presented {
    /// Reads the value of an `Authorization` header. The scheme may be written in any case.
    ///
    /// # Errors
    /// See [`PresentedError`].
    pub fn from_authorization(value: &[u8]) -> Result<Self, PresentedError> {
        let value = std::str::from_utf8(value).map_err(|_| PresentedError::Malformed)?;
        let (scheme, credentials) = value.trim().split_once(' ').ok_or(PresentedError::Malformed)?;
        let credentials = credentials.trim_start();
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded = base64::engine::general_purpose::STANDARD.decode(credentials);
            let decoded = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok());
            pair(&decoded.ok_or(PresentedError::Malformed)?)
        } else if scheme.eq_ignore_ascii_case("bearer") {
            pair(credentials)
        } else if scheme.eq_ignore_ascii_case("token") && !credentials.is_empty() {
            Ok(Presented::Token(Secret::new(credentials)))
        } else {
            Err(PresentedError::Scheme)
        }
    }

    /// Reads `access_token` of a URL's query, where a page cannot set headers.
    pub fn from_query(query: &str) -> Option<Self> {
        let mut fields = form_urlencoded::parse(query.as_bytes());
        let (_, token) = fields.find(|(name, token)| name == "access_token" && !token.is_empty())?;
        Some(Presented::Token(Secret::new(without_last_newline(&token))))
    }
}

fn pair(text: &str) -> Result<Presented, PresentedError> {
    // `echo ann:secret | base64` has a newline at its end, as the Secret may have.
    let (id, secret) = without_last_newline(text).split_once(':').ok_or(PresentedError::Malformed)?;
    Ok(Presented::Pair { id: id.to_owned(), secret: Secret::new(secret) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Presented, PresentedError> {
        Presented::from_authorization(value.as_bytes())
    }

    #[test]
    fn schemes_are_read_in_any_case() {
        let pair = Presented::Pair { id: "ann".into(), secret: Secret::new("a:b") };
        assert_eq!(read("Basic YW5uOmE6Yg=="), Ok(pair.clone()));
        assert_eq!(read("bASIC  YW5uOmE6Yg=="), Ok(pair.clone()));
        assert_eq!(read("Basic YW5uOmE6Ygo="), Ok(pair.clone()));
        assert_eq!(read("Basic YW5uOmE6Yg0K"), Ok(pair.clone()));
        assert_eq!(read("BEARER ann:a:b"), Ok(pair));
        assert_eq!(read("token abc"), Ok(Presented::Token(Secret::new("abc"))));
        assert_eq!(
            Presented::from_query("x=1&access_token=a%2Bb"),
            Some(Presented::Token(Secret::new("a+b")))
        );
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        assert_eq!(read("Digest abc"), Err(PresentedError::Scheme));
        assert_eq!(read("Basic not-base64!"), Err(PresentedError::Malformed));
        assert_eq!(read("Bearer nocolon"), Err(PresentedError::Malformed));
        assert_eq!(read("Basic"), Err(PresentedError::Malformed));
        assert_eq!(Presented::from_query("access_token="), None);
    }
}

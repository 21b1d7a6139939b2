//! Where requests go: a URL taken apart once.

use http::{HeaderValue, Uri};
use url::{Position, Url};

/// A URL that requests are posted to.
#[derive(Debug, Clone)]
pub struct HttpTarget {
    host: String,
    port: u16,
    protected: bool,
    host_header: HeaderValue,
    path: Uri,
}

/// Why a text is not a URL to post to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is no URL.
    #[error("`{url}` is not a URL: {reason}")]
    Malformed {
        /// The text.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// It is not HTTP.
    #[error("`{0}` must begin with https:// or http://")]
    Scheme(String),
    /// It carries a password, which would end up in logs.
    #[error("a URL must not contain a username or password; use a Secret")]
    Credentials,
}

impl HttpTarget {
    /// Takes a URL apart.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let malformed = |reason: String| TargetError::Malformed { url: text.into(), reason };
        let url = Url::parse(text).map_err(|error| malformed(error.to_string()))?;
        let protected = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(TargetError::Scheme(text.into())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Credentials);
        }
        let host = url.host_str().ok_or_else(|| malformed("it has no host".into()))?;
        let path = &url[Position::BeforePath..Position::AfterQuery];
        Ok(HttpTarget {
            host: host.into(),
            port: url.port_or_known_default().unwrap_or(if protected { 443 } else { 80 }),
            protected,
            host_header: HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort])
                .map_err(|error| malformed(error.to_string()))?,
            path: path.parse().map_err(|error: http::uri::InvalidUri| malformed(error.to_string()))?,
        })
    }

    /// The host, as a name or an address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is `https`.
    pub fn is_protected(&self) -> bool {
        self.protected
    }

    /// The value of the header `host`.
    pub fn host_header(&self) -> &HeaderValue {
        &self.host_header
    }

    /// Path and query.
    pub fn path(&self) -> &Uri {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let target = HttpTarget::parse("https://hooks.example.com/a/b?c=d#e").unwrap();
        assert_eq!((target.host(), target.port(), target.is_protected()), ("hooks.example.com", 443, true));
        assert_eq!(
            (target.host_header().to_str().unwrap(), target.path().to_string()),
            ("hooks.example.com", "/a/b?c=d".into())
        );
        let target = HttpTarget::parse("http://[::1]:8080").unwrap();
        assert_eq!((target.host(), target.port(), target.is_protected()), ("[::1]", 8080, false));
        assert_eq!(
            (target.host_header().to_str().unwrap(), target.path().to_string()),
            ("[::1]:8080", "/".into())
        );
    }

    #[test]
    fn what_cannot_be_posted_to_is_refused() {
        assert!(matches!(HttpTarget::parse("ftp://example.com/"), Err(TargetError::Scheme(_))));
        assert!(matches!(HttpTarget::parse("https://a:b@example.com/"), Err(TargetError::Credentials)));
        assert!(matches!(HttpTarget::parse("example.com"), Err(TargetError::Malformed { .. })));
    }
}

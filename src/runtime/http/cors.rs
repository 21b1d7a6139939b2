//! Answers to pages of other origins, as far as a Public ApiKey lists them (the Fetch standard, 3.3).
//!
//! Only triggers' endpoints and those of tracking are for pages. An origin is named, never `*`; credentials of the browser,
//! such as cookies, are never asked for: what a page presents is the token.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request};

use super::app::App;
use super::ingest;
use crate::domain::credentials::{OpenTo, normal_origin};

/// What a preflight's answer depends on.
const VARIES: HeaderValue =
    HeaderValue::from_static("origin, access-control-request-method, access-control-request-headers");

/// What is asked by a page.
pub(super) struct FromPage {
    /// The page's origin as it sent it, if something here is open to it.
    allowed: Option<HeaderValue>,
    /// Whether it only asks if it may.
    pub is_preflight: bool,
}

/// What a page asks; `None` if it is no page, or what it asks is for no page.
pub(super) fn from_page<B>(app: &App, request: &Request<B>) -> Option<FromPage> {
    let open_to = open_to(request.uri().path())?;
    let origin = request.headers().get(ORIGIN)?;
    let normal = origin.to_str().ok().map(normal_origin);
    let keyring = app.keyring.load();
    let is_open = normal.is_some_and(|origin| keyring.is_open_to_page(&origin, open_to));
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    Some(FromPage { allowed: is_open.then(|| origin.clone()), is_preflight: is_preflight && is_open })
}

/// Whether Public keys may write there.
pub(super) fn is_for_pages(path: &str) -> bool {
    ["/api/v1/customers", "/api/v1/events"].contains(&path)
}

fn open_to(path: &str) -> Option<OpenTo<'_>> {
    match path.strip_suffix('/').unwrap_or(path) {
        path if is_for_pages(path) => Some(OpenTo::Tracking),
        path => Some(OpenTo::Trigger(path.strip_prefix(ingest::PATH_PREFIX)?.split_once('/')?.1)),
    }
}

impl FromPage {
    /// Lets the page read the answer.
    pub(super) fn allow(self, headers: &mut HeaderMap) {
        headers.append(VARY, VARIES);
        let Some(origin) = self.allowed else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let text = HeaderValue::from_static;
        if self.is_preflight {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, text("POST"));
            let taken = text("authorization, content-type, content-encoding, idempotency-key");
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, taken);
            headers.insert(ACCESS_CONTROL_MAX_AGE, text("600"));
        } else {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, text("location, retry-after"));
        }
    }
}

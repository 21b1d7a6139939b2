//! What the client commands talk to a running Fanfare with: one request at a time, over HTTP.
//!
//! A refusal becomes a [`ClientError`] that says what to do about it; everything else is the command's.

mod address;
mod connection;
mod error;
mod problem;

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::Full;
use serde::de::DeserializeOwned;

use super::cluster::{ClusterError, Tunnel};

pub(super) use address::ServerArgs;
pub(super) use error::ClientError;
pub(super) use problem::Problem;

/// How long one answer may take. The slowest request is an import's batch on a busy machine.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A server and the key to it.
#[derive(Debug)]
pub(super) struct Client {
    way: Way,
    server: url::Url,
    namespace: String,
    authorization: Option<http::HeaderValue>,
}

/// How a server is reached.
#[derive(Debug)]
enum Way {
    /// At its address.
    Server,
    /// Through a port-forward, with the key of a Secret unless the person brought one.
    Cluster { tunnel: Box<Tunnel>, secret: Option<String> },
}

/// What the server said; only a 2xx gets here.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) body: Bytes,
}

impl Answer {
    /// Reads the body's JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| ClientError::NotUnderstood { reason: error.to_string() })
    }
}

impl Client {
    /// The namespace whose triggers are called.
    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Reads one thing; `query` leaves out what is `None`.
    pub(super) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, Option<&str>)],
    ) -> Result<Answer, ClientError> {
        let mut url = self.url(path);
        for (name, value) in query {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        let (status, body) = self.send(Method::GET, url, HeaderMap::new(), Bytes::new()).await?;
        self.accept(status, body)
    }

    /// Posts a body with these headers; JSON unless they say otherwise.
    pub(super) async fn post(
        &self,
        path: &[&str],
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let (status, body) = self.post_any(path, headers, body).await?;
        self.accept(status, body)
    }

    /// The same, where also another status than 2xx has an answer to be read.
    pub(super) async fn post_any(
        &self,
        path: &[&str],
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let json = http::HeaderValue::from_static("application/json");
        headers.entry(CONTENT_TYPE).or_insert(json);
        self.send(Method::POST, self.url(path), headers, body).await
    }

    /// What a status other than 2xx means.
    pub(super) fn refusal(&self, status: StatusCode, body: &[u8]) -> ClientError {
        match status {
            StatusCode::UNAUTHORIZED if let Way::Cluster { secret: Some(secret), .. } = &self.way => {
                ClusterError::KeyRefused { secret: secret.clone() }.into()
            }
            StatusCode::UNAUTHORIZED => ClientError::Unauthorized { had_key: self.authorization.is_some() },
            StatusCode::FORBIDDEN => ClientError::Forbidden(Problem::read(status, body)),
            status => ClientError::Refused(Problem::read(status, body)),
        }
    }

    fn accept(&self, status: StatusCode, body: Bytes) -> Result<Answer, ClientError> {
        if !status.is_success() {
            return Err(self.refusal(status, &body));
        }
        Ok(Answer { body })
    }

    /// The server's address with path segments behind it, each escaped.
    fn url(&self, path: &[&str]) -> url::Url {
        let mut url = self.server.clone();
        url.path_segments_mut().expect("an http URL can have a path").pop_if_empty().extend(path);
        url
    }

    async fn send(
        &self,
        method: Method,
        url: url::Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let exchange = self.exchange(method, &url, headers, body);
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, exchange).await;
        answered.map_err(|_| ClientError::TimedOut {
            server: self.server.clone(),
            after: ANSWER_TIMEOUT,
            is_sent: true,
        })?
    }

    async fn exchange(
        &self,
        method: Method,
        url: &url::Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = target.parse().expect("a URL's path and query are a request's target");
        *request.headers_mut() = headers;
        let authority = url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        let host = authority.parse().expect("a URL's host and port are a header's value");
        request.headers_mut().insert(HOST, host);
        if let Some(authorization) = &self.authorization {
            // What the person typed by --header is meant to win.
            request.headers_mut().entry(AUTHORIZATION).or_insert(authorization.clone());
        }
        match &self.way {
            Way::Server => connection::exchange(url, request).await,
            Way::Cluster { tunnel, .. } => {
                let answered = tunnel.exchange(request).await?;
                answered.map_err(|reason| ClientError::NotUnderstood { reason })
            }
        }
    }
}

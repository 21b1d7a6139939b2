//! The HTTP server: the Twilio-shaped API, the webhook sink and the control API on one port.

mod answer;
mod control;
mod twilio;
mod webhook;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use self::answer::{Body, Hangup, problem};
use super::settings::SandboxCredentials;
use super::state::SandboxState;

/// One request's body; messages are small.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// What a request under way gets when the sandbox stops.
const GRACE: Duration = Duration::from_millis(200);

/// Serves HTTP connections.
#[derive(Debug, Clone)]
pub(super) struct Service {
    state: Arc<SandboxState>,
    credentials: Option<Arc<SandboxCredentials>>,
    stop: CancellationToken,
}

impl Service {
    pub(super) fn new(
        state: Arc<SandboxState>,
        credentials: Option<SandboxCredentials>,
        stop: CancellationToken,
    ) -> Self {
        Self { state, credentials: credentials.map(Arc::new), stop }
    }

    pub(super) async fn serve(self, stream: TcpStream) {
        self.state.counters.http_connections.fetch_add(1, Relaxed);
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection without TCP_NODELAY is slower");
        }
        let service = service_fn(|request| self.answer(request));
        let mut connection =
            http1::Builder::new().pipeline_flush(true).serve_connection(TokioIo::new(stream), service);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = self.stop.cancelled() => {
                std::pin::Pin::new(&mut connection).graceful_shutdown();
                // What does not end by itself, a request left hanging for one, is cut.
                let _ = tokio::time::timeout(GRACE, &mut connection).await;
                return;
            }
        };
        let Err(error) = ended else { return };
        if !Hangup::is_reset(&error) {
            tracing::debug!(%error, "an HTTP connection ended");
        } else if let Err(error) = connection.into_parts().io.into_inner().set_zero_linger() {
            tracing::warn!(%error, "a connection could not be reset and is closed instead");
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Hangup> {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
            return Ok(problem(StatusCode::PAYLOAD_TOO_LARGE, "a body has at most 1 MiB"));
        };
        self.route(&head, body.to_bytes()).await
    }

    async fn route(&self, head: &http::request::Parts, body: Bytes) -> Result<Response<Body>, Hangup> {
        let path = head.uri.path();
        if let Some(hook) = path.strip_prefix("/hooks/") {
            return match head.method {
                Method::POST => webhook::receive(&self.state, hook, head, body).await,
                _ => Ok(problem(StatusCode::METHOD_NOT_ALLOWED, "a webhook is a POST")),
            };
        }
        if path.starts_with("/2010-04-01/") {
            return twilio::receive(&self.state, self.credentials.as_deref(), head, &body).await;
        }
        Ok(control::answer(&self.state, head, &body))
    }
}

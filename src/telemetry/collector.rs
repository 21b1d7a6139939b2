//! The way to a trace collector: OTLP over HTTP, on the process's own runtime, bounded in time and never waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};

/// How long a collector may take for a batch.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The largest answer that is read; a collector has little to say.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How often it is said that spans do not arrive.
const SAY_EVERY_SECONDS: u64 = 60;

type Wire = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Posts batches of spans.
#[derive(Debug, Clone)]
pub(super) struct Collector {
    client: Wire,
    /// Batches are sent from a thread that has no runtime of its own.
    runtime: tokio::runtime::Handle,
    said_at: Arc<AtomicU64>,
}

impl Collector {
    /// Connects when the first batch comes. `None` if TLS cannot be set up.
    pub(super) fn new(runtime: tokio::runtime::Handle) -> Option<Self> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .ok()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Some(Collector { client, runtime, said_at: Arc::default() })
    }

    /// Once a minute: the rest would drown what else is said.
    fn complain(&self, reason: &dyn std::fmt::Display) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let said_at = self.said_at.load(Ordering::Relaxed);
        if now.saturating_sub(said_at) >= SAY_EVERY_SECONDS
            && self.said_at.compare_exchange(said_at, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            tracing::warn!(%reason, "spans do not reach the collector and are lost; calls and messages go on");
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let posted = post(self.client.clone(), request);
        // Its timer must be made on the runtime too.
        let sent = self.runtime.spawn(async move { tokio::time::timeout(ANSWER_MAX, posted).await });
        let answered = match sent.await {
            Ok(Ok(answered)) => answered,
            Ok(Err(late)) => Err(late.into()),
            Err(ended) => Err(ended.into()),
        };
        match &answered {
            Ok(answer) if !answer.status().is_success() => self.complain(&answer.status()),
            Ok(_) => {}
            Err(error) => self.complain(error),
        }
        answered
    }
}

async fn post(client: Wire, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let answer = client.request(request.map(Full::new)).await?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
    Ok(Response::from_parts(parts, body))
}

//! The way to the API server: found by the usual rules, and where it is, so that no channel may connect there.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use kube::{Client, Config};

/// How long its name may take to be resolved.
const RESOLVE_MAX: Duration = Duration::from_secs(3);
/// How long a connection to the API server may say nothing before it is taken for dead. Every watch asks to be ended
/// before that.
const SILENCE_MAX: Duration = Duration::from_secs(130);

/// Why the API server cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum ApiServerError {
    /// There is neither a kubeconfig nor a Pod's own account.
    #[error(
        "the cluster's configuration cannot be found: {0}; run in a Pod with its account, or set KUBECONFIG"
    )]
    Infer(#[from] kube::config::InferConfigError),
    /// What there is cannot be used.
    #[error("the cluster's configuration cannot be used: {0}")]
    Client(#[from] kube::Error),
}

/// The API server.
pub struct ApiServer {
    /// Asks it.
    pub client: Client,
    /// Where it is: its host is never a channel's.
    pub addresses: Vec<SocketAddr>,
}

impl ApiServer {
    /// Finds it by the usual rules. It need not answer.
    ///
    /// # Errors
    /// See [`ApiServerError`].
    pub async fn find() -> Result<Self, ApiServerError> {
        let config = configuration().await?;
        let addresses = addresses(&config.cluster_url).await;
        Ok(ApiServer { client: Client::try_from(config)?, addresses })
    }
}

/// How a cluster is reached: `KUBECONFIG`, the file in the home folder, or the Pod's own account. TLS is ready after it.
///
/// # Errors
/// There is none of these.
pub async fn configuration() -> Result<Config, ApiServerError> {
    // A provider that is installed already is this very one.
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut config = Config::infer().await?;
    // kube's own repetitions can go on for minutes; those who ask have better ones.
    config.default_retry = false;
    config.read_timeout = Some(SILENCE_MAX);
    Ok(config)
}

async fn addresses(url: &http::Uri) -> Vec<SocketAddr> {
    let port = url.port_u16().unwrap_or(443);
    let mut found = Vec::new();
    if let Some(host) = url.host() {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let resolved =
            tokio::time::timeout(RESOLVE_MAX, tokio::net::lookup_host((host.as_str(), port))).await;
        match resolved {
            Ok(Ok(addresses)) => found.extend(addresses),
            _ => tracing::warn!(
                host,
                "the API server's name cannot be resolved; no rule keeps channels from it"
            ),
        }
    }
    let environment = |name| std::env::var(name).ok();
    if let Some(host) = environment("KUBERNETES_SERVICE_HOST").and_then(|host| host.parse::<IpAddr>().ok()) {
        let port = environment("KUBERNETES_SERVICE_PORT").and_then(|port| port.parse().ok());
        found.push(SocketAddr::new(host, port.unwrap_or(443)));
    }
    found.sort_unstable();
    found.dedup();
    found
}

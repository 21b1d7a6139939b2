//! The person's own way to the API server.

use std::path::Path;
use std::time::Duration;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::{ClusterArgs, ClusterError};

/// How long the API server's connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A client of the API server, and the namespace that is meant.
pub(super) async fn client(args: &ClusterArgs) -> Result<(Client, String), ClusterError> {
    // A provider that is installed already is this very one.
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut config = configuration(args).await?;
    if config.proxy_url.is_some() && is_exempt(&config) {
        config.proxy_url = None;
    }
    config.connect_timeout = Some(CONNECT_MAX);
    // kube's own repetitions can go on for minutes; a person waits.
    config.default_retry = false;
    let namespace = args.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    let client = Client::try_from(config).map_err(|error| unusable(&error))?;
    Ok((client, namespace))
}

/// Whether the proxy is that of the environment, and the API server is not reached by it: NO_PROXY exempts it, or it is
/// this machine. kube takes the one and does not read the other. What a kubeconfig names holds in any case, as with
/// kubectl.
fn is_exempt(config: &Config) -> bool {
    let variables = ["HTTPS_PROXY", "https_proxy"];
    let named = variables.into_iter().filter_map(|name| std::env::var(name).ok()?.parse::<Uri>().ok());
    let is_of_environment = named.into_iter().any(|uri| config.proxy_url.as_ref() == Some(&uri));
    let server = &config.cluster_url;
    is_of_environment && (is_loopback(server) || Matcher::from_env().intercept(server).is_none())
}

fn is_loopback(server: &Uri) -> bool {
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn configuration(args: &ClusterArgs) -> Result<Config, ClusterError> {
    let options = KubeConfigOptions { context: args.context.clone(), ..KubeConfigOptions::default() };
    if let Some(path) = &args.kubeconfig {
        let read = Kubeconfig::read_from(path).map_err(|error| unusable(&error))?;
        return Config::from_custom_kubeconfig(read, &options).await.map_err(|error| unusable(&error));
    }
    match Config::from_kubeconfig(&options).await {
        Ok(config) => Ok(config),
        // In a Pod, its own account is the person.
        Err(error) if args.context.is_none() && is_missing() => {
            Config::incluster().map_err(|_| unusable(&error))
        }
        Err(error) => Err(unusable(&error)),
    }
}

/// Whether there is no kubeconfig at all, rather than one that is wrong.
fn is_missing() -> bool {
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".kube/config"));
    std::env::var_os("KUBECONFIG").is_none_or(|value| value.is_empty())
        && home.is_none_or(|file| !file.exists())
}

fn unusable(error: &(dyn std::error::Error + 'static)) -> ClusterError {
    ClusterError::Kubeconfig { reason: crate::causes::in_words(error) }
}

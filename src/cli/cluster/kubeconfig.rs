//! The person's own way to the API server.

use std::path::Path;
use std::time::Duration;

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
    config.connect_timeout = Some(CONNECT_MAX);
    // kube's own repetitions can go on for minutes; a person waits.
    config.default_retry = false;
    let namespace = args.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    let client = Client::try_from(config).map_err(|error| unusable(&error))?;
    Ok((client, namespace))
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

fn unusable(error: &dyn std::error::Error) -> ClusterError {
    ClusterError::Kubeconfig { reason: super::error::whole(error) }
}

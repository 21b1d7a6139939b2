//! What `kubectl fanfare` finds in a cluster: the namespace's Runtime, a key that the person may read, and a way there.
//!
//! Everything is asked with the person's own kubeconfig and within a bounded time; nothing listens on this machine.

mod args;
mod ask;
mod error;
mod key;
mod kubeconfig;
mod pods;
mod runtime;
mod tunnel;
mod words;

use std::time::{Duration, Instant};

use super::output::warn;
use crate::api::Permission;

pub(super) use args::{ClusterArgs, invoked_name, is_plugin, spoken};
pub(super) use error::ClusterError;
pub(super) use key::Key;
pub(super) use tunnel::Tunnel;
pub(super) use words::words;

/// How long it may take until everything is found: a handful of requests to the API server.
const FIND_MAX: Duration = Duration::from_secs(30);
/// How often it is looked for what is being started.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a command is about to do, and so what the key must be good for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Need<'a> {
    /// Call this trigger.
    Call(&'a str),
    /// See what becomes of calls to this trigger, made with the same key.
    Watch(&'a str),
    /// Anything else, which needs this permission.
    May(Permission),
}

impl Need<'_> {
    /// The permission of an ApiKey that is good for it.
    fn permission(self) -> Permission {
        match self {
            Need::Call(_) | Need::Watch(_) => Permission::Trigger,
            Need::May(permission) => permission,
        }
    }

    /// The name of the Runtime's port that it goes to.
    fn port(self) -> &'static str {
        match self {
            Need::Call(_) => "calls",
            Need::Watch(_) | Need::May(_) => "api",
        }
    }
}

/// A way to a namespace's Runtime.
#[derive(Debug)]
pub(super) struct Found {
    /// The namespace.
    pub(super) namespace: String,
    /// The Runtime in force.
    pub(super) runtime: String,
    /// Carries requests to one of its Pods.
    pub(super) tunnel: Tunnel,
    /// What opens it; absent if the caller brings a key of their own.
    pub(super) key: Option<Key>,
}

/// Finds the Runtime in force and, unless the caller has one, a key. What is only being started is waited for.
pub(super) async fn find(args: &ClusterArgs, need: Need<'_>, with_key: bool) -> Result<Found, ClusterError> {
    let (begun, mut is_told) = (Instant::now(), false);
    loop {
        let found = tokio::time::timeout(FIND_MAX, find_now(args, need, with_key)).await;
        let found = found.map_err(|_| ClusterError::TimedOut { after: FIND_MAX })?;
        match found {
            Err(error) if error.passes() && begun.elapsed() < args.wait => {
                if !is_told {
                    warn(&format!("waiting up to {:?}: {error}", args.wait));
                    is_told = true;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
            found => return found,
        }
    }
}

async fn find_now(args: &ClusterArgs, need: Need<'_>, with_key: bool) -> Result<Found, ClusterError> {
    let (client, namespace) = kubeconfig::client(args).await?;
    let ask = ask::Ask { client, namespace };
    let runtime = runtime::in_force(&ask).await?;
    // The key before the Pods: that it may not be read, nothing else makes good.
    let key = match with_key {
        true => Some(key::find(&ask, need, args.api_key.as_deref()).await?),
        false => None,
    };
    let pods = pods::Pods::of(&ask, &runtime);
    pods.first_ready().await?;
    let tunnel = Tunnel::new(pods, need.port());
    Ok(Found { namespace: ask.namespace, runtime, tunnel, key })
}

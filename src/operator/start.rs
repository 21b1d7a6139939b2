//! Starts the operator: the holder of the Lease watches and reconciles, the others stand by.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::admin::{self, Health};
use super::beginning::Beginning;
use super::leadership::Candidate;
use super::managed_by::installation;
use super::metrics::Metrics;
use super::scope::Scope;
use super::settings::OperatorSettings;
use crate::listen::listen;

/// How long what is under way may take to its end.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// After this what is still under way of a term that has ended is given up: another term may have begun elsewhere.
const TERM_END_MAX: Duration = Duration::from_secs(13);

/// Why the operator cannot run.
#[derive(Debug, thiserror::Error)]
pub enum OperatorStartError {
    /// The admin address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// A running operator.
pub struct RunningOperator {
    /// Where the admin port is.
    pub admin: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl RunningOperator {
    /// Begins nothing more, brings what is under way to its end, and gives the Lease back.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(DRAIN_MAX * 2, async {
            while let Some(joined) = self.tasks.join_next().await {
                if let Err(error) = joined {
                    tracing::error!(%error, "a part of the operator ended by a panic");
                }
            }
        });
        if ended.await.is_err() {
            tracing::warn!("a reconcile was still under way after {DRAIN_MAX:?}");
        }
    }
}

/// Starts it. Must be called within a tokio runtime.
///
/// # Errors
/// See [`OperatorStartError`].
pub async fn start(
    client: Client,
    settings: OperatorSettings,
) -> Result<RunningOperator, OperatorStartError> {
    let (settings, stop) = (Arc::new(settings), CancellationToken::new());
    let failed = |source| OperatorStartError::Listen { address: settings.admin, source };
    let listener = listen(settings.admin).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let health = Health {
        metrics: Arc::new(Metrics::new(&settings.lease_name)),
        watched: Arc::default(),
        others: Arc::default(),
        installation: installation(&settings),
        leaving: stop.clone(),
        awaited: Arc::new(Mutex::new(Some("the API server has not answered yet".into()))),
    };
    let mut tasks = JoinSet::new();
    // The probes are answered to the very end.
    let serving = axum::serve(listener, admin::routes(health.clone()));
    let work = work(client, settings, health, stop.clone());
    tasks.spawn(async move {
        tokio::select! {
            () = work => {}
            _ = serving => tracing::error!("the admin port is gone"),
        }
    });
    Ok(RunningOperator { admin: address, stop, tasks })
}

async fn work(client: Client, settings: Arc<OperatorSettings>, health: Health, stop: CancellationToken) {
    let beginning = Beginning { client: &client, settings: &settings, health: &health, stop: &stop };
    let Some(cluster_id) = beginning.cluster_id().await else { return };
    let Some(image) = beginning.image().await else { return };
    beginning.is_over();
    let settings = Arc::new(OperatorSettings { image, ..OperatorSettings::clone(&settings) });
    let (leads, mut led) = watch::channel(!settings.elects_leader);
    let resign = CancellationToken::new();
    let mut seeking = JoinSet::new();
    if settings.elects_leader {
        let candidate = Candidate::new(client.clone(), &settings);
        seeking.spawn(candidate.run(leads, resign.clone()));
    }
    while !stop.is_cancelled() {
        let leading = *led.borrow_and_update();
        health.metrics.leads(leading);
        let term = stop.child_token();
        let term_ended = async {
            if leading {
                lead(&client, &settings, &health, &cluster_id, term.clone()).await;
            } else {
                stop.cancelled().await;
            }
        };
        tokio::pin!(term_ended);
        loop {
            tokio::select! {
                () = &mut term_ended => break,
                changed = led.changed(), if !term.is_cancelled() => {
                    // A Lease that was lost ends the term; what is under way goes to its end first.
                    if changed.is_err() || *led.borrow() != leading {
                        term.cancel();
                        if !leading {
                            break;
                        }
                    }
                }
            }
        }
    }
    health.metrics.leads(false);
    resign.cancel();
    while seeking.join_next().await.is_some() {}
}

/// Watches and reconciles until the term ends.
async fn lead(
    client: &Client,
    settings: &Arc<OperatorSettings>,
    health: &Health,
    cluster_id: &str,
    term: CancellationToken,
) {
    let scopes: Vec<Option<&str>> = match settings.namespaces.as_slice() {
        [] => vec![None],
        named => named.iter().map(|name| Some(name.as_str())).collect(),
    };
    let mut tasks = JoinSet::new();
    let mut followed = Vec::new();
    for namespace in scopes {
        let scope = Scope { client, namespace };
        followed.push(scope.start(settings, health, cluster_id, &term, &mut tasks));
    }
    let late = async {
        term.cancelled().await;
        tokio::time::sleep(TERM_END_MAX).await;
    };
    tokio::pin!(late);
    loop {
        tokio::select! {
            joined = tasks.join_next() => match joined {
                None => break,
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    tracing::error!(%error, "a controller ended by a panic; the others end too, and all begin anew");
                    term.cancel();
                }
            },
            () = &mut late => {
                tracing::warn!("something did not end within {TERM_END_MAX:?} of the term, and is given up");
                tasks.shutdown().await;
                break;
            }
        }
    }
    for replicas in followed {
        replicas.ended().await;
    }
    health.watched.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

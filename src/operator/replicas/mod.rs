//! The replicas of all runtimes, as their admin ports tell of themselves.
//!
//! Which there are follows the ready Pods; each is asked by a task of its own, which ends with its Pod.

mod poll;
mod trouble;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::programmed::Replica;
use super::watches::Links;
use crate::api::labels::RUNTIME_LABEL;
use crate::domain::replica_report::ReplicaReport;

/// How many replicas are asked at once; more are an attack or a mistake.
const REPLICAS_MAX: usize = 2_000;

/// Every ready replica and what it reported last.
pub(super) struct Replicas {
    links: Links,
    admin_port: u16,
    known: Mutex<HashMap<PodKey, Known>>,
    /// What keeps Pods from being ready, by namespace and runtime.
    troubles: Mutex<BTreeMap<(String, String), Vec<String>>>,
    pollers: TaskTracker,
    stop: CancellationToken,
}

/// A Pod and where it is: one that moved is another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PodKey {
    namespace: String,
    runtime: String,
    pod: String,
    address: IpAddr,
}

struct Known {
    report: Result<Arc<ReplicaReport>, String>,
    stop: CancellationToken,
}

impl Replicas {
    /// None are known yet.
    pub(super) fn new(links: Links, admin_port: u16, stop: CancellationToken) -> Self {
        Replicas {
            links,
            admin_port,
            known: Mutex::default(),
            troubles: Mutex::default(),
            pollers: TaskTracker::new(),
            stop,
        }
    }

    /// The ready replicas of a runtime, by the names of their Pods.
    pub(super) fn of(&self, namespace: &str, runtime: &str) -> Vec<Replica> {
        let known = self.lock();
        let own = known.iter().filter(|(key, _)| key.namespace == namespace && key.runtime == runtime);
        let mut replicas: Vec<Replica> =
            own.map(|(key, known)| Replica { pod: key.pod.clone(), report: known.report.clone() }).collect();
        replicas.sort_by(|one, other| one.pod.cmp(&other.pod));
        replicas
    }

    /// What keeps a Pod of the runtime from being ready.
    pub(super) fn trouble_of(&self, namespace: &str, runtime: &str) -> Option<String> {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.get(&(namespace.to_owned(), runtime.to_owned()))?.first().cloned()
    }

    /// Asks the Pods that are ready now and no others, and takes note of what is wrong with the rest.
    pub(super) fn follow(self: &Arc<Self>, pods: &[Arc<Pod>]) {
        self.note_troubles(pods);
        let wanted: BTreeMap<String, PodKey> = pods
            .iter()
            .filter_map(|pod| ready_replica(pod))
            .take(REPLICAS_MAX)
            .map(|key| (format!("{key:?}"), key))
            .collect();
        let wanted: Vec<PodKey> = wanted.into_values().collect();
        let mut changed = BTreeSet::new();
        let mut known = self.lock();
        known.retain(|key, known| {
            let stays = wanted.contains(key);
            if !stays {
                known.stop.cancel();
                changed.insert((key.namespace.clone(), key.runtime.clone()));
            }
            stays
        });
        for key in wanted {
            if known.contains_key(&key) {
                continue;
            }
            changed.insert((key.namespace.clone(), key.runtime.clone()));
            let stop = self.stop.child_token();
            let report = Err("it has not been asked yet".to_owned());
            known.insert(key.clone(), Known { report, stop: stop.clone() });
            let address = SocketAddr::new(key.address, self.admin_port);
            self.pollers.spawn(poll::poll(Arc::clone(self), key, address, stop));
        }
        drop(known);
        changed
            .into_iter()
            .for_each(|(namespace, runtime)| self.links.replicas_changed(&namespace, &runtime));
    }

    fn note_troubles(&self, pods: &[Arc<Pod>]) {
        let mut now: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for pod in pods {
            if let (Some(runtime), Some(told)) = (pod.labels().get(RUNTIME_LABEL), trouble::trouble(pod)) {
                now.entry((pod.namespace().unwrap_or_default(), runtime.clone())).or_default().push(told);
            }
        }
        let before = std::mem::replace(
            &mut *self.troubles.lock().unwrap_or_else(PoisonError::into_inner),
            now.clone(),
        );
        let changed = before.keys().chain(now.keys()).filter(|key| before.get(*key) != now.get(*key));
        changed.for_each(|(namespace, runtime)| self.links.runtime_changed_elsewhere(namespace, runtime));
    }

    /// Takes note of what a replica said, and has everything looked at that it concerns.
    fn reported(&self, key: &PodKey, report: Result<Arc<ReplicaReport>, String>) {
        let before = {
            let mut known = self.lock();
            let Some(entry) = known.get_mut(key) else { return };
            std::mem::replace(&mut entry.report, report.clone())
        };
        match (&before, &report) {
            (Ok(before), Ok(now)) => self.links.report_changed(&key.namespace, &key.runtime, before, now),
            (Err(before), Err(now)) if before == now => {}
            (Err(_), Ok(now)) => {
                self.links.report_changed(&key.namespace, &key.runtime, &ReplicaReport::default(), now);
                self.links.replicas_changed(&key.namespace, &key.runtime);
            }
            (_, Err(_)) => self.links.replicas_changed(&key.namespace, &key.runtime),
        }
    }

    /// Waits for every poller to end; they do once their token is cancelled.
    pub(super) async fn ended(&self) {
        self.pollers.close();
        self.pollers.wait().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PodKey, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a ready Pod of a runtime is.
fn ready_replica(pod: &Pod) -> Option<PodKey> {
    let status = pod.status.as_ref()?;
    let is_ready = status.conditions.iter().flatten().any(|it| it.type_ == "Ready" && it.status == "True");
    let runtime = pod.labels().get(RUNTIME_LABEL)?.clone();
    if !is_ready || pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let address = status.pod_ip.as_ref()?.parse().ok()?;
    Some(PodKey { namespace: pod.namespace()?, runtime, pod: pod.name_any(), address })
}

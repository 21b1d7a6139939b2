//! The replicas of all runtimes, as their admin ports tell of themselves.
//!
//! Which there are follows the ready Pods; each is asked by a task of its own, which ends with its Pod.

mod awaited;
mod made;
mod poll;
mod trouble;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(super) use self::made::{Made, ReplicaPod};
use super::backoff::share;
use super::caches::REPLICAS;
use super::programmed::Replica;
use super::watches::Links;
use crate::domain::replica_report::ReplicaReport;

/// How many replicas of a namespace are asked at once: twice as many as a Runtime may have, for while they are replaced.
/// More are an attack or a mistake, and no other namespace's loss.
const REPLICAS_MAX: usize = 200;

/// Every ready replica and what it reported last.
pub(super) struct Replicas {
    links: Links,
    admin_port: u16,
    known: Mutex<ByReplica<Known>>,
    /// Whether it is known which Pods there are.
    listed: AtomicBool,
    /// What keeps Pods from being ready, by namespace and runtime.
    troubles: Mutex<BTreeMap<(String, String), Vec<String>>>,
    /// Processes that run and are not ready, and what they say they wait for.
    unready: Mutex<ByReplica<Unready>>,
    pollers: TaskTracker,
    stop: CancellationToken,
}

struct Unready {
    awaits: Option<String>,
    stop: CancellationToken,
}

/// A Pod and where it is: one that moved is another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct PodKey {
    namespace: String,
    runtime: String,
    pod: String,
    address: IpAddr,
}

/// Something of each Pod. Those of one Runtime stand next to each other, so no other Runtime's are looked at.
type ByReplica<T> = BTreeMap<PodKey, T>;

struct Known {
    /// What asking it brought last; `None` before it was asked.
    report: Option<Result<Arc<ReplicaReport>, String>>,
    stop: CancellationToken,
}

impl Replicas {
    /// None are known yet.
    pub(super) fn new(links: Links, admin_port: u16, stop: CancellationToken) -> Self {
        Replicas {
            links,
            admin_port,
            known: Mutex::default(),
            listed: AtomicBool::new(false),
            troubles: Mutex::default(),
            unready: Mutex::default(),
            pollers: TaskTracker::new(),
            stop,
        }
    }

    /// The ready replicas of a runtime, by the names of their Pods. One that has become ready counts from its first
    /// answer on: until then nothing is known of it, so nothing that is in force ceases to be.
    pub(super) fn of(&self, namespace: &str, runtime: &str) -> Vec<Replica> {
        self.all_of(namespace, runtime).0
    }

    /// The same, and whether these are all: which Pods there are is known, and each ready one was asked. Else one may lack
    /// what all others have.
    pub(super) fn all_of(&self, namespace: &str, runtime: &str) -> (Vec<Replica>, bool) {
        let known = self.lock();
        let own = || of_runtime(&known, namespace, runtime);
        let asked =
            own().filter_map(|(key, it)| Some(Replica { pod: key.pod.clone(), report: it.report.clone()? }));
        let mut replicas: Vec<Replica> = asked.collect();
        replicas.sort_by(|one, other| one.pod.cmp(&other.pod));
        let are_all = self.listed.load(Ordering::Acquire) && own().count() == replicas.len();
        (replicas, are_all)
    }

    /// Begins to judge once every ready replica was asked.
    fn begin(&self) {
        if self.links.caches.are_filled().is_ok() {
            return;
        }
        if self.listed.load(Ordering::Acquire) && self.lock().values().all(|it| it.report.is_some()) {
            self.links.caches.filled.mark(REPLICAS);
        }
    }

    /// What keeps a Pod of the runtime from being ready.
    pub(super) fn trouble_of(&self, namespace: &str, runtime: &str) -> Option<String> {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.get(&(namespace.to_owned(), runtime.to_owned()))?.first().cloned()
    }

    /// What a process of the runtime that runs and is not ready says it waits for.
    pub(super) fn awaited_by(&self, namespace: &str, runtime: &str) -> Option<String> {
        let unready = self.lock_unready();
        let told = of_runtime(&unready, namespace, runtime)
            .filter_map(|(key, it)| Some((&key.pod, it.awaits.as_ref()?)));
        told.min_by_key(|(pod, _)| *pod).map(|(pod, awaits)| format!("Pod {pod}: {awaits}"))
    }

    /// Asks the Pods that run and are not ready what they wait for, and no others.
    fn follow_unready(self: &Arc<Self>, pods: &[ReplicaPod]) {
        let wanted = capped(pods.iter().filter_map(unready_replica));
        let mut unready = self.lock_unready();
        unready.retain(|key, it| {
            let stays = wanted.contains(key);
            if !stays {
                it.stop.cancel();
            }
            stays
        });
        for key in wanted {
            if unready.contains_key(&key) {
                continue;
            }
            let stop = self.stop.child_token();
            unready.insert(key.clone(), Unready { awaits: None, stop: stop.clone() });
            let address = SocketAddr::new(key.address, self.admin_port);
            let replicas = Arc::clone(self);
            let awaits = move |told| replicas.awaits(&key, told);
            self.pollers.spawn(awaited::ask_again(address, stop, awaits));
        }
    }

    /// Takes note of what a process says it waits for.
    fn awaits(&self, key: &PodKey, awaits: Option<String>) {
        let mut unready = self.lock_unready();
        let Some(it) = unready.get_mut(key).filter(|it| it.awaits != awaits) else { return };
        it.awaits = awaits;
        drop(unready);
        self.links.runtime_changed_elsewhere(&key.namespace, &key.runtime);
    }

    fn lock_unready(&self) -> MutexGuard<'_, ByReplica<Unready>> {
        self.unready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the Pods that are ready now and no others, and takes note of what is wrong with the rest.
    pub(super) fn follow(self: &Arc<Self>, pods: &[ReplicaPod]) {
        self.note_troubles(pods);
        self.follow_unready(pods);
        let wanted = capped(pods.iter().filter_map(ready_replica));
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
            let stop = self.stop.child_token();
            known.insert(key.clone(), Known { report: None, stop: stop.clone() });
            let address = SocketAddr::new(key.address, self.admin_port);
            let (replicas, jitter) = (Arc::clone(self), share(&key.pod));
            let reported = move |report| replicas.reported(&key, report);
            self.pollers.spawn(poll::poll(address, jitter, stop, reported));
        }
        drop(known);
        self.listed.store(true, Ordering::Release);
        self.begin();
        changed
            .into_iter()
            .for_each(|(namespace, runtime)| self.links.replicas_changed(&namespace, &runtime));
    }

    fn note_troubles(&self, pods: &[ReplicaPod]) {
        let mut now: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for ReplicaPod { runtime, pod } in pods {
            if let Some(told) = trouble::trouble(pod) {
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
            entry.report.replace(report.clone())
        };
        self.begin();
        match (&before, &report) {
            (Some(Ok(before)), Ok(now)) => {
                self.links.report_changed(&key.namespace, &key.runtime, before, now);
            }
            (Some(Err(before)), Err(now)) if before == now => {}
            _ => self.links.replicas_changed(&key.namespace, &key.runtime),
        }
    }

    /// Waits for every poller to end; they do once their token is cancelled.
    pub(super) async fn ended(&self) {
        self.pollers.close();
        self.pollers.wait().await;
    }

    fn lock(&self) -> MutexGuard<'_, ByReplica<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of the Pods of one Runtime.
fn of_runtime<'a, T>(
    all: &'a ByReplica<T>,
    namespace: &'a str,
    runtime: &'a str,
) -> impl Iterator<Item = (&'a PodKey, &'a T)> {
    // Before every Pod of the Runtime: no name is empty, and no address is less.
    let first = PodKey {
        namespace: namespace.to_owned(),
        runtime: runtime.to_owned(),
        pod: String::new(),
        address: Ipv4Addr::UNSPECIFIED.into(),
    };
    all.range(first..).take_while(move |(key, _)| key.namespace == namespace && key.runtime == runtime)
}

/// As many of each namespace as may be asked, in an order that stays.
fn capped(keys: impl Iterator<Item = PodKey>) -> BTreeSet<PodKey> {
    let mut sorted: BTreeSet<PodKey> = keys.collect();
    let mut counts: HashMap<String, usize> = HashMap::new();
    sorted.retain(|key| {
        let count = counts.entry(key.namespace.clone()).or_default();
        *count += 1;
        *count <= REPLICAS_MAX
    });
    sorted
}

/// Where a ready replica is.
fn ready_replica(replica: &ReplicaPod) -> Option<PodKey> {
    key_of(replica).filter(|_| is_ready(&replica.pod))
}

/// Where a replica is that runs and is not ready.
fn unready_replica(replica: &ReplicaPod) -> Option<PodKey> {
    let runs = replica.pod.status.as_ref()?.phase.as_deref() == Some("Running");
    key_of(replica).filter(|_| runs && !is_ready(&replica.pod))
}

/// Whether the cluster says that a Pod is ready.
pub(super) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|it| it.type_ == "Ready" && it.status == "True")
}

fn key_of(ReplicaPod { runtime, pod }: &ReplicaPod) -> Option<PodKey> {
    if pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let address = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
    Some(PodKey { namespace: pod.namespace()?, runtime: runtime.clone(), pod: pod.name_any(), address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_of_one_namespace_take_no_place_of_another() {
        let key = |namespace: &str, number: usize| PodKey {
            namespace: namespace.into(),
            runtime: "main".into(),
            pod: format!("p{number}"),
            address: std::net::Ipv4Addr::LOCALHOST.into(),
        };
        let flood = (0..10_000).map(|number| key("flood", number));
        let asked = capped(flood.chain([key("shop", 1)]));
        assert_eq!(asked.len(), REPLICAS_MAX + 1);
        assert!(asked.contains(&key("shop", 1)));
    }

    #[test]
    fn the_replicas_of_a_runtime_stand_beside_each_other() {
        let key = |namespace: &str, runtime: &str, pod: &str| PodKey {
            namespace: namespace.into(),
            runtime: runtime.into(),
            pod: pod.into(),
            address: std::net::Ipv6Addr::LOCALHOST.into(),
        };
        let all = [
            ("a", "main", "1"),
            ("b", "main", "1"),
            ("b", "main", "2"),
            ("b", "main-2", "1"),
            ("c", "main", "1"),
        ];
        let all: ByReplica<()> =
            all.map(|(namespace, runtime, pod)| (key(namespace, runtime, pod), ())).into();
        let pods =
            |runtime| of_runtime(&all, "b", runtime).map(|(key, ())| key.pod.clone()).collect::<Vec<_>>();
        assert_eq!(
            (pods("main"), pods("main-2"), pods("m")),
            (vec!["1".into(), "2".into()], vec!["1".into()], vec![])
        );
    }
}

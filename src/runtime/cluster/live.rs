//! Puts in force what the API server holds, whenever it changes; at the start, what the store says was in force last.
//!
//! Nothing that fails here takes anything away: what is in force stays until something else could be kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::kept::KeptDigests;
use super::keyring::gather;
use super::objects::Wanted;
use super::reporter::{Facts, Reporter};
use super::secret_reader::read_secrets;
use super::watches::{Watched, texts, watch_all};
use crate::causes::in_words;
use crate::channels::egress::ClusterServices;
use crate::compile::references::{SecretUse, runtime_secrets};
use crate::compile::{Settled, Sources};
use crate::domain::name::VersionId;
use crate::runtime::configuration::{Configuration, Unconnected};
use crate::runtime::process::Parts;
use crate::store::StoreError;
use crate::store::calls::Calls;
use crate::store::in_force::{InForce, InForceRecord};

/// A burst of changes is over once nothing has changed for so long.
const REST: Duration = Duration::from_millis(50);
/// A burst that does not end is followed all the same after this.
const RESTLESS: Duration = Duration::from_millis(500);
/// How long a clock is trusted to go on as it did.
const CLOCK_STANDS_FOR: Duration = Duration::from_secs(60);
/// How long to wait before a write to the store that failed is tried again.
const AFTER_A_FAILURE: Duration = Duration::from_secs(2);
/// How many ConfigMaps are read at once, and how long one may take.
const READS_AT_ONCE: usize = 8;
const READ_MAX: Duration = Duration::from_secs(5);
/// How long the first reading of Secrets may hold up the beginning.
const FIRST_READS_MAX: Duration = Duration::from_secs(10);

/// Where configuration comes from.
pub struct ClusterSources {
    /// Asks the API server.
    pub client: Client,
    /// The namespace that is served.
    pub namespace: String,
    /// The addresses of the namespace's Services, for the check of where channels connect to.
    pub services: ClusterServices,
}

/// Configuration from the API server, kept in force until [`Cluster::stop`].
pub struct Cluster {
    stop: CancellationToken,
    tasks: JoinSet<()>,
    begun: watch::Receiver<bool>,
    watched: Arc<Watched>,
}

impl Cluster {
    /// Takes up what the store says was in force last, then follows the API server. Must be called within a tokio
    /// runtime.
    pub fn start(
        scope: ClusterSources,
        parts: &Parts,
        configuration: Configuration,
        reporter: Reporter,
    ) -> Self {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let watched = Arc::new(Watched::default());
        watch_all(&scope.client, &scope.namespace, &watched, &stop, &mut tasks);
        let secrets = Api::<Secret>::namespaced(scope.client.clone(), &scope.namespace);
        tasks.spawn(read_secrets(secrets, Arc::clone(&watched), stop.clone()));
        let (says_begun, begun) = watch::channel(false);
        tasks.spawn(reporter.clone().run(stop.clone()));
        let live = Live {
            namespace: scope.namespace.clone(),
            services: scope.services,
            config_maps: Api::namespaced(scope.client.clone(), &scope.namespace),
            watched: Arc::clone(&watched),
            calls: Arc::clone(&parts.stores.calls),
            in_force: Arc::clone(&parts.stores.in_force),
            configuration,
            reporter,
            begun: says_begun,
            listed_at: None,
            settled: None,
            kept: KeptDigests::default(),
            record: None,
            ends_at: None,
            said: Said::default(),
        };
        tasks.spawn(live.run(stop.clone()));
        Cluster { stop, tasks, begun, watched }
    }

    /// Waits until something is in force.
    pub async fn begun(&self) {
        if self.begun.clone().wait_for(|begun| *begun).await.is_err() {
            // The follower has ended: nothing will ever be in force.
            std::future::pending::<()>().await;
        }
    }

    /// Why nothing is in force yet.
    pub fn awaits(&self) -> String {
        let missing = self.watched.objects().missing_list();
        match (missing, self.watched.trouble()) {
            (Some(_), Some(trouble)) => trouble,
            (Some(kind), None) => format!("no list of {kind} has come from the API server yet"),
            (None, _) => "what the API server holds is being put in force".into(),
        }
    }

    /// Waits for the end of a part, which before [`Self::stop`] is a defect: what is in force would never change again.
    pub async fn ended(&mut self) {
        if let Some(Err(error)) = self.tasks.join_next().await {
            tracing::error!(%error, "a follower of the API server ended by a panic");
        }
    }

    /// Follows no more; what is in force stays.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a follower of the API server ended by a panic");
            }
        }
    }
}

struct Live {
    namespace: String,
    services: ClusterServices,
    config_maps: Api<ConfigMap>,
    watched: Arc<Watched>,
    calls: Arc<dyn Calls>,
    in_force: Arc<dyn InForce>,
    configuration: Configuration,
    reporter: Reporter,
    begun: watch::Sender<bool>,
    /// When the first list of every kind was there.
    listed_at: Option<Instant>,
    /// What was wanted when something was put in force last.
    settled: Option<Wanted>,
    kept: KeptDigests,
    record: Option<InForceRecord>,
    /// When previous credentials end next.
    ends_at: Option<Timestamp>,
    said: Said,
}

/// What was said already, so that it is said once.
#[derive(Default)]
struct Said {
    problems: BTreeSet<String>,
}

impl Live {
    async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => return,
            () = self.take_up() => {}
        }
        let mut again_at = self.look_again();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = changed(&self.watched, again_at) => {}
            }
            let followed = tokio::select! {
                () = stop.cancelled() => return,
                followed = self.follow() => followed,
            };
            again_at = match followed {
                Ok(again_at) => again_at,
                Err(error) => {
                    tracing::error!(%error, "the store cannot keep what is wanted: what was in force stays; trying again");
                    Some(Instant::now() + AFTER_A_FAILURE)
                }
            };
        }
    }

    /// Takes up what the store says was in force last, if it says anything.
    async fn take_up(&mut self) {
        let (record, sources) = loop {
            match self.recorded().await {
                Ok(None) => return,
                Ok(Some(found)) => break found,
                Err(error) => {
                    tracing::error!(%error, "what was in force last cannot be read yet; trying again");
                    tokio::time::sleep(AFTER_A_FAILURE).await;
                }
            }
        };
        self.kept = KeptDigests::from_json(&record.credentials);
        // What the Runtime is called is not kept: it is reported once the API server names it.
        let wanted = Wanted { sources, runtime: None, broken: BTreeMap::new() };
        while let Err(error) = self.put_in_force(wanted.clone()).await {
            tracing::error!(%error, "what was in force last cannot be taken up yet; trying again");
            tokio::time::sleep(AFTER_A_FAILURE).await;
        }
        // The API server may hold the same: it is compiled again, with what it says about names.
        self.settled = None;
        tracing::info!(version = %record.version, "what was in force last is in force again");
        self.begun.send_replace(true);
    }

    async fn recorded(&self) -> Result<Option<(InForceRecord, Sources)>, StoreError> {
        let Some(record) = self.in_force.get_in_force().await? else { return Ok(None) };
        let content = self.calls.get_version(&record.version).await?;
        let sources = content.and_then(|content| serde_json::from_str::<Sources>(&content).ok());
        match sources {
            Some(mut sources) => {
                sources.namespace.clone_from(&self.namespace);
                Ok(Some((record, sources)))
            }
            None => {
                tracing::warn!(version = %record.version, "what was in force last cannot be read; waiting for the API server");
                Ok(None)
            }
        }
    }

    /// Puts in force what the API server holds now. Answers when to look again without a change.
    async fn follow(&mut self) -> Result<Option<Instant>, StoreError> {
        if self.watched.objects().missing_list().is_some() {
            // What was in force last is, and credentials end also while the API server is away.
            if self.ends_at.is_some_and(|at| at <= Timestamp::now()) {
                self.refresh().await?;
            }
            return Ok(self.look_again());
        }
        let unread = self.read_texts().await;
        let wanted = {
            let objects = self.watched.objects();
            let services = objects.services.specs().filter_map(|(_, addresses)| addresses.as_ref().ok());
            self.services.set(services.flatten().copied());
            objects.wanted(&self.namespace, self.configuration.in_force())
        };
        let listed_at = *self.listed_at.get_or_insert_with(Instant::now);
        if self.settled.as_ref() == Some(&wanted) {
            self.refresh().await?;
        } else {
            self.put_in_force(wanted).await?;
        }
        let unread = unread.then(|| Instant::now() + AFTER_A_FAILURE);
        Ok(self.begin(listed_at).into_iter().chain(unread).chain(self.look_again()).min())
    }

    /// When to look whether previous credentials have ended. Clocks may be set meanwhile.
    fn look_again(&self) -> Option<Instant> {
        let rest = Duration::try_from(self.ends_at?.duration_since(Timestamp::now())).unwrap_or_default();
        Some(Instant::now() + rest.min(CLOCK_STANDS_FOR))
    }

    /// Reads the texts of ConfigMaps that a scenario has come to name: the watch keeps only those named before. Answers
    /// whether one could not be read.
    async fn read_texts(&self) -> bool {
        let missing = self.watched.objects().name_config_maps(self.configuration.in_force());
        let reads = futures_util::stream::iter(missing).map(|name| async move {
            match tokio::time::timeout(READ_MAX, self.config_maps.get_opt(&name)).await {
                Ok(Ok(Some(found))) => Ok((name, found)),
                Ok(Ok(None)) => Err(format!("there is no ConfigMap {name} any more")),
                Ok(Err(error)) => Err(format!("ConfigMap {name} cannot be read: {}", in_words(&error))),
                Err(_) => Err(format!("ConfigMap {name} cannot be read: no answer within {READ_MAX:?}")),
            }
        });
        let mut reads = std::pin::pin!(reads.buffer_unordered(READS_AT_ONCE));
        let mut unread = false;
        while let Some(read) = reads.next().await {
            match read {
                Ok((name, found)) => {
                    self.watched.objects().take_texts(&name, texts(found));
                }
                Err(error) => {
                    tracing::warn!("{error}");
                    unread = true;
                }
            }
        }
        unread
    }

    /// Begins once every Secret was asked for, or that takes too long. Answers when that will be.
    fn begin(&self, listed_at: Instant) -> Option<Instant> {
        if *self.begun.borrow() {
            return None;
        }
        let latest = listed_at + FIRST_READS_MAX;
        if !self.watched.secrets.all_tried() && Instant::now() < latest {
            return Some(latest);
        }
        self.begun.send_replace(true);
        None
    }

    async fn put_in_force(&mut self, wanted: Wanted) -> Result<(), StoreError> {
        let settled = self.configuration.settle(wanted.sources.clone()).await;
        self.watched.secrets.need(needed(&wanted.sources, &settled.sources), Instant::now());
        self.said.tell(&wanted, &settled);
        let secrets = self.watched.secrets.view();
        let gathered = gather(&settled.compilation.snapshot, &secrets, &self.kept, Timestamp::now());
        self.ends_at = gathered.ends_at;
        let mut facts = Facts::of(&settled, wanted.runtime.as_deref());
        let version = settled.compilation.snapshot.version.clone();
        let applied = self.configuration.apply(settled, gathered.keyring, &secrets, Timestamp::now()).await?;
        facts.know(&secrets, &applied.unconnected);
        self.keep(version, gathered.kept).await?;
        self.settled = Some(wanted);
        self.reporter.tell(|known| *known = facts);
        Ok(())
    }

    /// Only Secrets have changed: the same objects with other credentials.
    async fn refresh(&mut self) -> Result<(), StoreError> {
        let secrets = self.watched.secrets.view();
        let snapshot = self.configuration.snapshot();
        let gathered = gather(&snapshot, &secrets, &self.kept, Timestamp::now());
        self.ends_at = gathered.ends_at;
        let unconnected: Vec<Unconnected> = self.configuration.refresh(gathered.keyring, &secrets);
        self.keep(snapshot.version.clone(), gathered.kept).await?;
        self.reporter.tell(|known| known.know(&secrets, &unconnected));
        Ok(())
    }

    /// Keeps what is in force for the next process that starts. It is reported only then.
    async fn keep(&mut self, version: VersionId, mut kept: KeptDigests) -> Result<(), StoreError> {
        if kept.is_to_stretch() {
            let before = self.kept.clone();
            let stretching = tokio::task::spawn_blocking(move || {
                kept.stretch(&before);
                kept
            });
            kept = stretching.await.map_err(|_| StoreError::Closed)?;
        }
        let record = InForceRecord { version, credentials: kept.to_json() };
        if self.record.as_ref() != Some(&record) {
            self.in_force.put_in_force(&record, Timestamp::now()).await?;
            self.record = Some(record);
        }
        self.kept = kept;
        Ok(())
    }
}

/// What is wanted and what stays in force, which differ while an edit is broken.
fn needed(wanted: &Sources, in_force: &Sources) -> BTreeMap<String, BTreeSet<SecretUse>> {
    let mut needed = runtime_secrets(wanted);
    for (name, uses) in runtime_secrets(in_force) {
        needed.entry(name).or_default().extend(uses);
    }
    needed
}

/// Waits for a change and for the rest behind it, or until it is time to try again.
async fn changed(watched: &Watched, again_at: Option<Instant>) {
    let due = async {
        match again_at {
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = watched.changed.notified() => {}
        () = due => return,
    }
    let restless = Instant::now() + RESTLESS;
    while tokio::time::timeout(REST, watched.changed.notified()).await.is_ok() {
        if Instant::now() >= restless {
            return;
        }
    }
}

impl Said {
    /// Says what is wrong, and what has become of it.
    fn tell(&mut self, wanted: &Wanted, settled: &Settled) {
        let broken = wanted.broken.iter().map(|(object, reason)| {
            format!(
                "{object} cannot be read by this version of Fanfare, its last good version stays: {reason}"
            )
        });
        let held_back = settled.held_back.iter().map(|object| {
            let (kind, name) = (object.kind, &object.name);
            format!("{kind} {name} does not compile: its last good version stays in force, if it has one")
        });
        let problems = settled.problems.iter().map(ToString::to_string);
        let now: BTreeSet<String> = broken.chain(held_back).chain(problems).collect();
        for problem in now.difference(&self.problems) {
            tracing::warn!("{problem}");
        }
        self.problems = now;
    }
}

//! Puts configuration in force: the version on disk first, then the keyring, the channels and the indexes.
//!
//! `dev` calls it with what files say, the runtime in a cluster with what the API server says; what is in force
//! changes for each object by itself, and a broken one keeps its last good version.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::engine::dispatch::{ChannelHandle, ChannelHandles};
use super::http::app::App;
use crate::channels::connect::{SecretSource, connect};
use crate::channels::wire::Network;
use crate::compile::references::channel_secrets;
use crate::compile::{self, Before, Compilation, Settled, Snapshot, Sources, settle_after};
use crate::domain::credentials::Keyring;
use crate::domain::name::ChannelName;
use crate::domain::render::AttributesSeen;
use crate::domain::secret::Secret;
use crate::store::StoreError;
use crate::store::audiences::Audiences;
use crate::store::customers::Customers;

/// How long a look at some customers may take.
const LOOK_MAX: Duration = Duration::from_secs(3);

/// What is in force, and what it acts upon.
pub struct Configuration {
    app: Arc<App>,
    audiences: Arc<dyn Audiences>,
    customers: Arc<dyn Customers>,
    handles: ChannelHandles,
    network: Network,
    in_force: Before,
    connected: BTreeMap<ChannelName, Connected>,
}

/// A channel as it was connected last, to be kept while neither its manifest nor its secrets change.
struct Connected {
    from: Arc<compile::CompiledChannel>,
    secrets: Vec<Option<Secret>>,
    handle: Arc<ChannelHandle>,
}

/// A channel that cannot be connected; its messages wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unconnected {
    /// The channel.
    pub channel: ChannelName,
    /// Why, with the field.
    pub reasons: Vec<String>,
}

/// What came of putting something in force.
pub struct Applied {
    /// What is in force now.
    pub snapshot: Arc<Snapshot>,
    /// Channels that cannot be used until something changes.
    pub unconnected: Vec<Unconnected>,
}

impl Configuration {
    /// Nothing is in force yet.
    pub fn new(
        app: Arc<App>,
        (audiences, customers): (Arc<dyn Audiences>, Arc<dyn Customers>),
        handles: ChannelHandles,
        network: Network,
    ) -> Self {
        let in_force = Before::nothing();
        Configuration { app, audiences, customers, handles, network, in_force, connected: BTreeMap::new() }
    }

    /// What is in force.
    pub fn in_force(&self) -> &Sources {
        self.in_force.sources()
    }

    /// Compiles what is wanted without changing anything. Contents are tried with what customers have now: that only
    /// warns, so that what is in force depends on nothing but what is wanted.
    pub async fn settle(&self, mut wanted: Sources) -> Settled {
        wanted.attributes = Arc::new(self.attributes_seen().await);
        let mut settled = settle_after(&self.in_force, wanted);
        settled.sources.attributes = Arc::default();
        settled
    }

    /// A store that does not answer is no reason to wait with an edit.
    async fn attributes_seen(&self) -> AttributesSeen {
        match tokio::time::timeout(LOOK_MAX, self.customers.attributes_seen()).await {
            Ok(Ok(seen)) => seen,
            Ok(Err(error)) => {
                tracing::debug!(%error, "contents are tried without the attributes of customers");
                AttributesSeen::new()
            }
            Err(_) => AttributesSeen::new(),
        }
    }

    /// Puts what was settled in force.
    ///
    /// # Errors
    /// The store could not keep the version: what was in force before stays.
    pub async fn apply(
        &mut self,
        settled: Settled,
        keyring: Keyring,
        secrets: &dyn SecretSource,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let Settled { sources, compilation: Compilation { snapshot, problems }, .. } = settled;
        let snapshot = Arc::new(snapshot);
        self.audiences.require_indexes(index_needs(&snapshot)).await?;
        // Channels first: a call that comes in with the new version finds them.
        let unconnected = self.connect_all(&snapshot, secrets);
        self.app.put_in_force(&sources, Arc::clone(&snapshot), keyring, now).await?;
        self.app.metrics.in_force(&snapshot, problems.len(), now);
        self.in_force = Before::new(sources, Arc::clone(&snapshot), &problems);
        Ok(Applied { snapshot, unconnected })
    }

    /// What was compiled from what is in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.app.snapshot.load_full()
    }

    /// Puts other credentials in force with the same objects. Answers which channels cannot be used.
    pub fn refresh(&mut self, keyring: Keyring, secrets: &dyn SecretSource) -> Vec<Unconnected> {
        let unconnected = self.connect_all(&self.snapshot(), secrets);
        self.app.keyring.store(Arc::new(keyring));
        unconnected
    }

    /// Connects what is new or has changed. What is replaced closes its connections once its last attempt has ended.
    fn connect_all(&mut self, snapshot: &Snapshot, secrets: &dyn SecretSource) -> Vec<Unconnected> {
        let mut previous = std::mem::take(&mut self.connected);
        let mut unconnected = Vec::new();
        for channel in snapshot.channels.values() {
            let values = secret_values(channel, secrets);
            let unchanged = |old: &Connected| old.from.spec == channel.spec && old.secrets == values;
            let kept = previous.get(&channel.name).is_some_and(unchanged);
            let connected = match previous.remove(&channel.name).filter(|_| kept) {
                Some(connected) => Ok(connected),
                None => self.connect_one(channel, values, secrets),
            };
            match connected {
                Ok(connected) => drop(self.connected.insert(channel.name.clone(), connected)),
                Err(problem) => unconnected.push(problem),
            }
        }
        let handles = self.connected.iter().map(|(name, it)| (name.clone(), Arc::clone(&it.handle)));
        self.handles.store(Arc::new(handles.collect::<HashMap<_, _>>()));
        self.app.metrics.unconnected(unconnected.len());
        unconnected
    }

    fn connect_one(
        &self,
        channel: &Arc<compile::CompiledChannel>,
        values: Vec<Option<Secret>>,
        secrets: &dyn SecretSource,
    ) -> Result<Connected, Unconnected> {
        let connected = connect(channel, secrets, &self.network).map_err(|problems| Unconnected {
            channel: channel.name.clone(),
            reasons: problems.iter().map(ToString::to_string).collect(),
        })?;
        let handle = Arc::new(ChannelHandle::new(channel, connected));
        Ok(Connected { from: Arc::clone(channel), secrets: values, handle })
    }
}

/// The values a channel's manifest refers to now; a change of one of them means to connect anew.
fn secret_values(channel: &compile::CompiledChannel, secrets: &dyn SecretSource) -> Vec<Option<Secret>> {
    let keys = channel_secrets(&channel.spec);
    keys.iter().map(|key| secrets.secret(&key.secret, &key.key).ok()).collect()
}

/// The indexes that the audiences of all scenarios need, drafts included: they are planned too.
fn index_needs(snapshot: &Snapshot) -> BTreeSet<crate::domain::selection::IndexNeed> {
    snapshot.scenarios.values().flat_map(|scenario| scenario.index_needs()).collect()
}

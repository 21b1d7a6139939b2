//! Versions by their digest: the one in force, a few of those that earlier calls came in with, and the ledger.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::matching::CompiledVersion;
use crate::api::{OnStop, State};
use crate::compile::{Snapshot, Sources, compile};
use crate::domain::name::{ScenarioName, VersionId};
use crate::runtime::engine::live::{Version, VersionError, VersionSource};
use crate::store::calls::Calls;

/// How many compiled versions are kept beside the one in force.
const KEPT_MAX: usize = 16;
/// So many are kept whatever they hold: runs go on with them.
const KEPT_MIN: usize = 4;
/// How many objects more of them may hold for themselves: a namespace may have thousands.
const OWN_OBJECTS_MAX: usize = 4000;

/// Where the run engine finds versions.
pub struct VersionCache {
    in_force: Box<dyn Fn() -> Arc<Snapshot> + Send + Sync>,
    calls: Arc<dyn Calls>,
    tenant: Arc<str>,
    /// The most recently used last.
    kept: Mutex<VecDeque<Arc<Snapshot>>>,
}

impl VersionCache {
    /// A library that asks `in_force` for what is in force now and `calls` for what was.
    pub fn new(
        tenant: impl Into<Arc<str>>,
        calls: Arc<dyn Calls>,
        in_force: impl Fn() -> Arc<Snapshot> + Send + Sync + 'static,
    ) -> Self {
        VersionCache { in_force: Box::new(in_force), calls, tenant: tenant.into(), kept: Mutex::default() }
    }

    fn known(&self, version: &VersionId) -> Option<Arc<Snapshot>> {
        let current = (self.in_force)();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if current.version == *version {
            keep(&mut kept, &current);
            return Some(current);
        }
        let found = kept.iter().find(|snapshot| snapshot.version == *version).map(Arc::clone)?;
        keep(&mut kept, &found);
        Some(found)
    }

    async fn read(&self, version: &VersionId) -> Result<Arc<Snapshot>, VersionError> {
        let unusable = |reason: String| VersionError::Unusable { version: version.clone(), reason };
        let content = self.calls.get_version(version).await?;
        let content = content.ok_or_else(|| unusable("the ledger does not hold it".into()))?;
        let sources: Sources = serde_json::from_str(&content)
            .map_err(|error| unusable(format!("it cannot be read: {error}")))?;
        let mut snapshot = compile(&sources).snapshot;
        // A newer Fanfare may write the same content differently; it stays known by the name it was kept under.
        snapshot.version = version.clone();
        let snapshot = Arc::new(snapshot);
        keep(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner), &snapshot);
        Ok(snapshot)
    }
}

fn keep(kept: &mut VecDeque<Arc<Snapshot>>, snapshot: &Arc<Snapshot>) {
    let before = kept.len();
    kept.retain(|other| other.version != snapshot.version);
    let is_new = kept.len() == before;
    kept.push_back(Arc::clone(snapshot));
    while kept.len() > KEPT_MAX || (is_new && kept.len() > KEPT_MIN && own_objects(kept) > OWN_OBJECTS_MAX) {
        kept.pop_front();
    }
}

/// How many objects the versions do not share with others.
fn own_objects(kept: &VecDeque<Arc<Snapshot>>) -> usize {
    kept.iter().map(|snapshot| snapshot.own_objects()).sum()
}

#[async_trait]
impl VersionSource for VersionCache {
    async fn get(&self, version: &VersionId) -> Result<Arc<dyn Version>, VersionError> {
        let snapshot = match self.known(version) {
            Some(snapshot) => snapshot,
            None => self.read(version).await?,
        };
        Ok(Arc::new(CompiledVersion { snapshot, tenant: Arc::clone(&self.tenant) }))
    }

    fn in_force(&self) -> VersionId {
        (self.in_force)().version.clone()
    }

    fn may_stop(&self, scenario: &ScenarioName) -> bool {
        (self.in_force)().scenarios.get(scenario).is_none_or(|now| now.on_stop == OnStop::Cancel)
    }

    fn stops(&self, version: &VersionId, scenario: &ScenarioName) -> bool {
        let current = (self.in_force)();
        if current.version == *version {
            return false;
        }
        let Some(began_with) = self.known(version) else { return false };
        let Some(then) = began_with.scenarios.get(scenario) else { return false };
        match current.scenarios.get(scenario) {
            None => then.on_stop == OnStop::Cancel,
            Some(now) => {
                now.on_stop == OnStop::Cancel && (now.state != State::Active || now.spec != then.spec)
            }
        }
    }
}

//! What this replica has in force, as its admin port tells the operator.
//!
//! Facts come from the code that puts something in force; what changes by itself (providers, indexes, the store) is looked at
//! each second.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::secret_cache::{Known, View};
use crate::api::State;
use crate::compile::references::{SecretUse, config_maps};
use crate::compile::{Settled, spec_digest, texts_digest};
use crate::domain::concurrency::{LearnedLimits, ToldLimits};
use crate::domain::name::ChannelName;
use crate::domain::pause::{PauseReport, PauseScope};
use crate::domain::replica_report::{
    AudienceReport, ChannelReport, LeftOutReport, ReplicaReport, SecretReport,
};
use crate::domain::selection::IndexNeed;
use crate::runtime::configuration::Unconnected;
use crate::runtime::engine::dispatch::{ChannelHandle, ChannelHandles, ProviderHealth};
use crate::runtime::http::admin::AdminState;
use crate::runtime::http::api::store_answers;
use crate::runtime::http::app::App;
use crate::runtime::process::Parts;
use crate::store::StoreError;
use crate::store::audiences::{Audiences, IndexProgress};
use crate::store::calls::Calls;
use crate::store::pauses::PauseBook;
use crate::store::run_log::RunLog;

/// How often what changes by itself is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many scenarios with runs under way are looked for: as many as a namespace may reasonably have.
const SCENARIOS_MAX: u32 = 10_000;
/// How long the store may take to answer.
const STORE_ANSWERS_IN: Duration = Duration::from_secs(3);

/// What is in force, and what is known of what it needs.
#[derive(Default)]
pub(super) struct Facts {
    report: ReplicaReport,
    /// The indexes of each scenario's audience.
    needs: BTreeMap<String, Vec<IndexNeed>>,
    channels: Vec<String>,
    /// Scenarios that do not fire.
    at_rest: Vec<String>,
    unconnected: BTreeMap<String, String>,
}

impl Facts {
    /// What is in force once the settled is.
    pub(super) fn of(settled: &Settled, runtime: Option<&str>) -> Self {
        let (sources, snapshot) = (&settled.sources, &settled.compilation.snapshot);
        let mut objects = BTreeMap::new();
        let mut add =
            |kind: &str, name: &str, digest| objects.insert(ReplicaReport::object(kind, name), digest);
        sources.triggers.iter().for_each(|(name, spec)| drop(add("ApiTrigger", name, spec_digest(spec))));
        // One that keeps former texts is not in force as it is wanted, though its spec may be.
        let scenarios = sources.scenarios.iter().filter(|(name, _)| !sources.kept_texts.contains_key(*name));
        scenarios.for_each(|(name, spec)| drop(add("Scenario", name, spec_digest(spec))));
        sources.channels.iter().for_each(|(name, spec)| drop(add("Channel", name, spec_digest(spec))));
        sources.api_keys.iter().for_each(|(name, spec)| drop(add("ApiKey", name, spec_digest(spec))));
        if let (Some(name), Some(spec)) = (runtime, &sources.runtime) {
            add("Runtime", name, spec_digest(spec));
        }
        let named = sources.scenarios.values().flat_map(config_maps);
        let config_maps = named.filter_map(|name| {
            let digest = texts_digest(sources.texts.get(&name)?);
            Some((name, digest))
        });
        let report = ReplicaReport {
            version: snapshot.version.to_string(),
            objects,
            config_maps: config_maps.collect(),
            ..ReplicaReport::default()
        };
        let scenarios = snapshot.scenarios.values();
        Facts {
            report,
            needs: scenarios.map(|it| (it.name.to_string(), it.index_needs())).collect(),
            at_rest: snapshot
                .scenarios
                .values()
                .filter(|scenario| scenario.state != State::Active)
                .map(|scenario| scenario.name.to_string())
                .collect(),
            channels: snapshot.channels.keys().map(ToString::to_string).collect(),
            unconnected: BTreeMap::new(),
        }
    }

    /// Notes what is known of Secrets, and which channels cannot be used.
    pub(super) fn know(&mut self, secrets: &View, unconnected: &[Unconnected]) {
        let report = |name: &str, wanted: SecretUse, known: &Known| match known {
            Known::Read(content) => match content.problem(name, wanted) {
                Some(problem) => SecretReport::Unreadable(problem),
                None => SecretReport::Read(content.revision.clone()),
            },
            other => SecretReport::Unreadable(other.unreadable(name)),
        };
        let known = secrets.all().map(|(name, uses, known)| {
            let uses = uses.iter().map(|wanted| (wanted.word().to_owned(), report(name, *wanted, known)));
            (name.clone(), uses.collect())
        });
        self.report.secret_uses = known.collect();
        let over_all = self.report.secret_uses.iter().filter_map(|(name, uses)| {
            let problem = uses.values().find(|it| matches!(it, SecretReport::Unreadable(_)));
            Some((name.clone(), problem.or(uses.values().next())?.clone()))
        });
        self.report.secrets = over_all.collect();
        let reasons = unconnected.iter().map(|it| (it.channel.to_string(), it.reasons.join("; ")));
        self.unconnected = reasons.collect();
    }
}

/// Keeps the report true.
#[derive(Clone)]
pub struct Reporter {
    facts: Arc<Mutex<Facts>>,
    news: Arc<Notify>,
    admin_state: Arc<AdminState>,
    handles: ChannelHandles,
    audiences: Arc<dyn Audiences>,
    app: Arc<App>,
    calls: Arc<dyn Calls>,
    log: Arc<dyn RunLog>,
    pauses: Arc<dyn PauseBook>,
    told: Arc<Mutex<BTreeMap<String, ToldLimits>>>,
    began: Instant,
}

/// What changes by itself, as the store says.
#[derive(Default)]
struct Looked {
    complete: HashSet<IndexNeed>,
    finishing: BTreeSet<String>,
    pauses: BTreeMap<String, PauseReport>,
    left_out: BTreeMap<String, LeftOutReport>,
}

/// The store as it was when it last answered, and why it does not now. While it does not, what it said holds: nothing
/// can change it, and a pause must not seem to be over.
#[derive(Default)]
struct Store {
    /// None until it has answered once.
    looked: Option<Looked>,
    problem: Option<String>,
}

impl Store {
    fn take(&mut self, looked: Result<Looked, String>) {
        match looked {
            Ok(looked) => *self = Store { looked: Some(looked), problem: None },
            Err(problem) => self.problem = Some(problem),
        }
    }
}

impl Reporter {
    /// Reports about the process on its board.
    pub fn new(parts: &Parts, admin_state: Arc<AdminState>) -> Self {
        Reporter {
            facts: Arc::default(),
            news: Arc::default(),
            admin_state,
            handles: Arc::clone(&parts.handles),
            audiences: Arc::clone(&parts.stores.audiences),
            app: Arc::clone(&parts.app),
            calls: Arc::clone(&parts.stores.calls),
            log: Arc::clone(&parts.stores.log),
            pauses: Arc::clone(&parts.stores.pauses),
            told: Arc::default(),
            began: Instant::now(),
        }
    }

    /// Takes note of something new.
    pub(super) fn tell(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts());
        self.news.notify_one();
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn run(self, stop: CancellationToken) {
        let mut store = Store::default();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.news.notified() => self.publish(&store),
                _ = looks.tick() => {
                    store.take(self.look_at_the_store().await);
                    self.publish(&store);
                }
            }
        }
    }

    async fn look_at_the_store(&self) -> Result<Looked, String> {
        let look = async {
            store_answers(self.calls.as_ref()).await?;
            self.audiences.check().await?;
            let states = self.audiences.index_states().await?;
            let complete = states.into_iter().filter(|state| state.progress == IndexProgress::Complete);
            Ok(Looked {
                complete: complete.map(|state| state.need).collect(),
                finishing: self.finishing().await?,
                pauses: self.paused().await?,
                left_out: self.left_out().await?,
            })
        };
        let looked = tokio::time::timeout(STORE_ANSWERS_IN, look).await;
        let looked = looked.unwrap_or_else(|_| Err(StoreError::Unavailable("it does not answer".into())));
        looked.map_err(|error| error.to_string())
    }

    /// How far those indexes of each scenario's audience are that are being filled, in words.
    fn filling(&self, needs: &BTreeMap<String, Vec<IndexNeed>>) -> BTreeMap<String, String> {
        let filling = self.app.indexes_filling.load();
        let words = |needs: &Vec<IndexNeed>| {
            let of_each =
                needs.iter().filter_map(|need| Some(format!("{need}: {}", filling.get(need)?.in_words())));
            of_each.collect::<Vec<_>>().join("; ")
        };
        let of_scenarios = needs.iter().map(|(name, needs)| (name.clone(), words(needs)));
        of_scenarios.filter(|(_, words)| !words.is_empty()).collect()
    }

    /// Scenarios that do not fire and have runs under way.
    async fn finishing(&self) -> Result<BTreeSet<String>, StoreError> {
        let at_rest = self.facts().at_rest.clone();
        if at_rest.is_empty() {
            return Ok(BTreeSet::new());
        }
        let under_way = self.log.scenarios_under_way(SCENARIOS_MAX).await?;
        Ok(at_rest.into_iter().filter(|name| under_way.contains(name.as_str())).collect())
    }

    /// Whom scenarios left out, as it may stand where everybody reads it.
    async fn left_out(&self) -> Result<BTreeMap<String, LeftOutReport>, StoreError> {
        let found = self.log.left_out().await?.into_iter().filter(|it| !it.is_over);
        Ok(found
            .map(|it| {
                let in_words = it.left_out.in_public_words();
                let (call, state) = (it.call.to_string(), it.left_out.state);
                (it.scenario.to_string(), LeftOutReport { call, since: it.since, state, in_words })
            })
            .collect())
    }

    /// What is paused, without the calls: nothing in a cluster stands for one.
    async fn paused(&self) -> Result<BTreeMap<String, PauseReport>, StoreError> {
        let pauses = self.pauses.pauses().await?;
        let pauses = pauses.iter().filter(|pause| !matches!(pause.scope, PauseScope::Call(_)));
        Ok(pauses
            .map(|pause| {
                let named = ReplicaReport::paused(pause.scope.kind(), pause.scope.name());
                (named, PauseReport::from(pause))
            })
            .collect())
    }

    /// What was learned of each channel's provider, as it may be written where people look.
    fn learned(
        &self,
        channels: &[String],
        handles: &HashMap<ChannelName, Arc<ChannelHandle>>,
    ) -> BTreeMap<String, LearnedLimits> {
        let now = self.began.elapsed();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|name, _| handles.contains_key(name.as_str()));
        let learned = channels.iter().filter_map(|name| Some((name, handles.get(name.as_str())?.learned()?)));
        learned
            .map(|(name, learned)| {
                let told = told.entry(name.clone()).or_default().tell(learned, now);
                (name.clone(), told)
            })
            .collect()
    }

    fn publish(&self, store: &Store) {
        let facts = self.facts();
        let mut report = facts.report.clone();
        let handles = self.handles.load();
        let provider_health = |name: &String| {
            if let Some(reason) = facts.unconnected.get(name) {
                return ChannelReport::Unconnected(reason.clone());
            }
            match handles.get(name.as_str()).map(|handle| handle.provider_health()) {
                None | Some(ProviderHealth::Untried) => ChannelReport::Untried,
                Some(ProviderHealth::Answers) => ChannelReport::Answers,
                Some(ProviderHealth::Down(reason)) => ChannelReport::Down(reason),
            }
        };
        report.channels = facts.channels.iter().map(|name| (name.clone(), provider_health(name))).collect();
        let unrecognized = |name: &String| handles.get(name.as_str())?.channel.unrecognized()?.last();
        report.unrecognized_refusals =
            facts.channels.iter().filter_map(|name| Some((name.clone(), unrecognized(name)?))).collect();
        report.learned = self.learned(&facts.channels, &handles);
        if let Some(Looked { complete, finishing, pauses, left_out }) = &store.looked {
            let progress = |needs: &Vec<IndexNeed>| match needs.iter().all(|need| complete.contains(need)) {
                true => AudienceReport::Complete,
                false => AudienceReport::Filling,
            };
            report.audiences = facts.needs.iter().map(|(name, it)| (name.clone(), progress(it))).collect();
            report.filling = self.filling(&facts.needs);
            report.finishing.clone_from(finishing);
            report.pauses.clone_from(pauses);
            report.left_out.clone_from(left_out);
        }
        report.outdated = self.app.outdated.all();
        report.store_problem.clone_from(&store.problem);
        report.store_caution = self.app.calls.caution();
        report.kept = self.app.kept.load().as_deref().cloned();
        drop(facts);
        self.admin_state.show(&report);
    }
}

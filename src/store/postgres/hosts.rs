//! The hosts of a database, asked side by side: the one that takes writes wins, and none waits for another that is mute.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::Either;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Semaphore, mpsc};
use tokio_postgres::config::Host;
use tokio_util::sync::CancellationToken;

use super::connect::{ConnectError, Connected, HOST_TIME_MAX, Kept, Login, Target, TargetAddress, connect};
use super::timeline::{self, Highest};
use crate::telemetry::Sampled;

/// How long the host that took writes last is asked alone.
const HEAD_START: Duration = Duration::from_millis(200);
const USUAL_PORT: u16 = 5432;
/// How many addresses are remembered: names may lead to others from time to time.
const ADDRESSES_MAX: usize = 64;

static REPLACED: Sampled = Sampled::every(Duration::from_secs(30));

/// What all connections of a process to one database know of its hosts.
#[derive(Debug)]
pub(super) struct Hosts {
    hosts: Vec<NamedHost>,
    /// The one that took writes last.
    last: Mutex<Option<Target>>,
    /// Ends the connections to a host that has been replaced.
    stops: Mutex<HashMap<Target, CancellationToken>>,
    highest: Highest,
    refused: AtomicU64,
    /// Whether the server that was connected to last does not tell its timeline.
    is_untold: AtomicBool,
}

/// A host as the address names it.
#[derive(Debug, Clone)]
struct NamedHost {
    name: String,
    port: u16,
    at: At,
}

#[derive(Debug, Clone)]
enum At {
    Name,
    Address(std::net::IpAddr),
    Folder(PathBuf),
}

impl Hosts {
    pub(super) fn of(config: &tokio_postgres::Config) -> Self {
        let ports = config.get_ports();
        let port = |n: usize| ports.get(n).or(ports.first()).copied().unwrap_or(USUAL_PORT);
        let addresses = config.get_hostaddrs();
        let named = config.get_hosts().iter().enumerate().map(|(n, host)| match host {
            Host::Tcp(name) => {
                let at = addresses.get(n).map_or(At::Name, |address| At::Address(*address));
                NamedHost { name: name.clone(), port: port(n), at }
            }
            Host::Unix(folder) => {
                let name = folder.display().to_string();
                NamedHost { name, port: port(n), at: At::Folder(folder.clone()) }
            }
        });
        Hosts {
            hosts: named.collect(),
            last: Mutex::default(),
            stops: Mutex::default(),
            highest: Highest::default(),
            refused: AtomicU64::new(0),
            is_untold: AtomicBool::new(false),
        }
    }

    /// Whether another one may take writes when this one does not.
    pub(super) fn are_several(&self) -> bool {
        self.hosts.len() > 1
    }

    /// How many connections to servers that had been replaced were refused.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether the server that is worked on does not tell its timeline.
    pub(super) fn is_untold(&self) -> bool {
        self.is_untold.load(Ordering::Relaxed)
    }

    /// Notes whether a server tells its timeline, and says so once if it does not.
    fn note_told(&self, is_told: bool) {
        if !self.is_untold.swap(!is_told, Ordering::Relaxed) && !is_told {
            tracing::warn!("{}", timeline::UNTOLD);
        }
    }

    pub(super) fn last(&self) -> Option<Target> {
        lock(&self.last).clone()
    }

    fn stop_of(&self, target: &Target) -> CancellationToken {
        let mut stops = lock(&self.stops);
        if stops.len() >= ADDRESSES_MAX {
            // Connections to those that go on end by themselves.
            stops.clear();
        }
        stops.entry(target.clone()).or_default().clone()
    }

    /// From now on this one is asked first. If its history is newer, the one before has been replaced, and no connection
    /// to it is used any more.
    fn move_to(&self, target: &Target, is_newer: bool) {
        let before = lock(&self.last).replace(target.clone());
        let Some(before) = before.filter(|before| before != target && is_newer) else { return };
        tracing::warn!(from = %before, to = %target, "another host of the database takes writes now");
        if let Some(stop) = lock(&self.stops).remove(&before) {
            stop.cancel();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the connections of one kind: those of a pool, or the listener's.
pub(super) struct Connector {
    pub hosts: Arc<Hosts>,
    pub login: Login,
    /// How many sessions of this kind a host may have, those included that were given up and have not ended.
    sessions_max: usize,
    places: Mutex<HashMap<Target, Arc<Semaphore>>>,
    notifications: Option<mpsc::Sender<String>>,
}

impl Connector {
    pub(super) fn new(hosts: Arc<Hosts>, login: Login, sessions_max: usize) -> Self {
        Connector { hosts, login, sessions_max, places: Mutex::default(), notifications: None }
    }

    /// The same, telling what is rung.
    pub(super) fn telling(self, notifications: mpsc::Sender<String>) -> Self {
        Connector { notifications: Some(notifications), ..self }
    }

    /// Connects to the host that takes writes. The one that did last is asked first, and alone for a moment.
    ///
    /// # Errors
    /// See [`ConnectError`]; none does, or none can be reached.
    pub(super) async fn connect(&self) -> Result<Connected, ConnectError> {
        let last = self.hosts.last();
        let is_first = last.is_none();
        let mut errors = Vec::new();
        let mut asked = FuturesUnordered::new();
        if let Some(last) = &last {
            asked.push(Either::Left(self.connect_to(last.clone())));
            match tokio::time::timeout(HEAD_START, asked.next()).await {
                Ok(Some(Ok(connected))) => return Ok(connected),
                Ok(Some(Err(error))) => errors.push(error),
                Ok(None) | Err(_) => {}
            }
        }
        for host in &self.hosts.hosts {
            asked.push(Either::Right(self.connect_to_any_of(host, last.as_ref())));
        }
        let mut best: Option<Connected> = None;
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(connected) if !is_first || connected.timeline.is_none() => {
                    return Ok(self.chosen(connected));
                }
                // Nothing is known yet: of several that take writes, the newest history is the true one.
                Ok(connected) => best = Some(newer(best, connected)),
                Err(error) => errors.push(error),
            }
        }
        best.map(|best| self.chosen(best)).ok_or_else(|| ConnectError::of(errors))
    }

    fn chosen(&self, connected: Connected) -> Connected {
        self.hosts.move_to(&connected.target, connected.is_newer);
        connected
    }

    /// Looks whether another host has a newer history than the one that is asked now; moves to it then.
    pub(super) async fn look_for_newer(&self) {
        let last = self.hosts.last();
        let mut asked: FuturesUnordered<_> =
            self.hosts.hosts.iter().map(|host| self.newer_at(host, last.as_ref())).collect();
        while let Some(found) = asked.next().await {
            if let Some(found) = found {
                self.hosts.move_to(&found, true);
                return;
            }
        }
    }

    async fn newer_at(&self, host: &NamedHost, last: Option<&Target>) -> Option<Target> {
        for target in resolve(host).await.ok()?.into_iter().filter(|target| Some(target) != last) {
            let kept = Kept { place: None, stop: CancellationToken::new(), notifications: None };
            let Ok(connected) = connect(&self.login, &target, kept).await else { continue };
            if connected.timeline.as_ref().is_some_and(|timeline| self.hosts.highest.is_newer(timeline)) {
                return self.judged(connected).await.ok().map(|connected| connected.target);
            }
        }
        None
    }

    /// The first of a host's addresses that takes writes, but for the one that is asked already.
    async fn connect_to_any_of(
        &self,
        host: &NamedHost,
        asked_already: Option<&Target>,
    ) -> Result<Connected, ConnectError> {
        let targets = resolve(host).await?.into_iter().filter(|target| Some(target) != asked_already);
        let mut asked: FuturesUnordered<_> = targets.map(|target| self.connect_to(target)).collect();
        let mut errors = Vec::new();
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(connected) => return Ok(connected),
                Err(error) => errors.push(error),
            }
        }
        Err(ConnectError::of(errors))
    }

    async fn connect_to(&self, target: Target) -> Result<Connected, ConnectError> {
        let Ok(place) = self.places_at(&target).try_acquire_owned() else {
            return Err(ConnectError::Full { target: target.to_string(), count: self.sessions_max });
        };
        let (stop, notifications) = (self.hosts.stop_of(&target), self.notifications.clone());
        let kept = Kept { place: Some(place), stop, notifications };
        self.judged(connect(&self.login, &target, kept).await?).await
    }

    /// The places for sessions at an address. Addresses at which there is none any more are forgotten.
    fn places_at(&self, target: &Target) -> Arc<Semaphore> {
        let mut places = lock(&self.places);
        if places.len() >= ADDRESSES_MAX {
            places.retain(|_, places| places.available_permits() < self.sessions_max);
        }
        let new = || Arc::new(Semaphore::new(self.sessions_max));
        Arc::clone(places.entry(target.clone()).or_insert_with(new))
    }

    /// Refuses a server that has been replaced.
    async fn judged(&self, mut connected: Connected) -> Result<Connected, ConnectError> {
        self.hosts.note_told(connected.timeline.is_some());
        let Some(seen) = connected.timeline.clone() else { return Ok(connected) };
        let place = connected.target.to_string();
        let target = || place.clone();
        let keeping = tokio::time::timeout(HOST_TIME_MAX, timeline::keep(&connected.client, &seen));
        let kept = match keeping.await {
            Ok(Ok(kept)) => kept,
            Ok(Err(source)) if source.as_db_error().is_none() => {
                return Err(ConnectError::Postgres { target: target(), source });
            }
            // That it cannot be kept there is no reason not to work there.
            Ok(Err(_)) => 0,
            Err(_) => return Err(ConnectError::Late { target: target() }),
        };
        connected.is_newer = self.hosts.highest.is_newer(&seen);
        let known = self.hosts.highest.see(&seen);
        let highest = known.err().unwrap_or(0).max(kept);
        if highest > seen.number {
            self.hosts.refused.fetch_add(1, Ordering::Relaxed);
            let refused = ConnectError::Replaced { target: target(), found: seen.number, highest };
            if REPLACED.pass(&target()).is_some() {
                tracing::error!("{refused}");
            }
            return Err(refused);
        }
        Ok(connected)
    }
}

fn newer(best: Option<Connected>, other: Connected) -> Connected {
    let number = |it: &Connected| it.timeline.as_ref().map_or(0, |timeline| timeline.number);
    match best {
        Some(best) if number(&best) >= number(&other) => best,
        _ => other,
    }
}

/// Every address of a host.
async fn resolve(host: &NamedHost) -> Result<Vec<Target>, ConnectError> {
    let target = |address| Target { name: host.name.clone(), port: host.port, address };
    match &host.at {
        At::Address(address) => Ok(vec![target(TargetAddress::Tcp((*address, host.port).into()))]),
        At::Folder(folder) => Ok(vec![target(TargetAddress::Unix(folder.clone()))]),
        At::Name => {
            let unknown = |source| ConnectError::Unknown { host: host.name.clone(), source };
            let looked =
                tokio::time::timeout(HOST_TIME_MAX, tokio::net::lookup_host((host.name.as_str(), host.port)));
            let late = |_| ConnectError::Late { target: host.name.clone() };
            let found = looked.await.map_err(late)?.map_err(unknown)?;
            Ok(found.map(|address| target(TargetAddress::Tcp(address))).collect())
        }
    }
}

//! What every request and every task of the runtime shares.
//!
//! Configuration is swapped whole: a request takes the snapshot once and is decided by it to the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;

use super::outdated::OutdatedUses;
use super::peer::GuessGuard;
use super::slow_checks::SlowChecks;
use super::{RateWindows, RefusalLog};
use crate::compile::{Snapshot, Sources};
use crate::domain::credentials::Keyring;
use crate::domain::index_filling::IndexFilling;
use crate::domain::selection::IndexNeed;
use crate::runtime::metrics::Metrics;
use crate::store::StoreError;
use crate::store::calls::Calls;
use crate::store::customers::Customers;

/// The runtime's shared state.
pub struct App {
    /// What is in force.
    pub snapshot: ArcSwap<Snapshot>,
    /// Who may do what.
    pub keyring: ArcSwap<Keyring>,
    /// The trigger log.
    pub calls: Arc<dyn Calls>,
    /// Customers and their events.
    pub customers: Arc<dyn Customers>,
    /// Which triggers have taken how many calls lately.
    pub rates: RateWindows,
    /// What was turned away.
    pub refusals: RefusalLog,
    /// Who fails to prove who it is.
    pub guesses: GuessGuard,
    /// Passwords of which only slow digests are known.
    pub slow_checks: SlowChecks,
    /// When credentials that are about to end were used last.
    pub outdated: OutdatedUses,
    /// What is kept for how long and since when, in words; nothing while everything is kept.
    pub kept: ArcSwapOption<String>,
    /// The indexes that are being filled, and how far they are.
    pub indexes_filling: ArcSwap<BTreeMap<IndexNeed, IndexFilling>>,
    /// The process's numbers.
    pub metrics: Arc<Metrics>,
    leaving: AtomicBool,
}

impl App {
    /// A runtime with nothing in force yet: every trigger answers 404 until [`Self::put_in_force`].
    pub fn new(
        namespace: &str,
        calls: Arc<dyn Calls>,
        customers: Arc<dyn Customers>,
        refusals: RefusalLog,
    ) -> Self {
        let nothing = Sources { namespace: namespace.to_owned(), ..Sources::default() };
        App {
            snapshot: ArcSwap::from_pointee(crate::compile::compile(&nothing).snapshot),
            keyring: ArcSwap::default(),
            calls,
            customers,
            rates: RateWindows::default(),
            refusals,
            guesses: GuessGuard::default(),
            slow_checks: SlowChecks::default(),
            outdated: OutdatedUses::default(),
            kept: ArcSwapOption::empty(),
            indexes_filling: ArcSwap::default(),
            metrics: Arc::default(),
            leaving: AtomicBool::new(false),
        }
    }

    /// This process is about to end: it is unready from now on, and still takes what comes.
    pub fn begin_to_leave(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    /// Whether this process is about to end.
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// Keeps what is to be in force as a version, and only then lets calls use it.
    ///
    /// # Errors
    /// The store could not keep it: what was in force before stays.
    pub async fn put_in_force(
        &self,
        sources: &Sources,
        snapshot: Arc<Snapshot>,
        keyring: Keyring,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.calls.put_version(&snapshot.version, sources.content(), now).await?;
        self.rates.remember(&snapshot, self.calls.as_ref(), now).await?;
        self.keyring.store(Arc::new(keyring));
        self.snapshot.store(snapshot);
        Ok(())
    }
}

//! Which Secrets are to be read, what was read, and when each is to be read again.
//!
//! Decides from its arguments alone; `secret_reader` asks the API server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::content::Content;
use crate::channels::connect::SecretSource;
use crate::compile::references::SecretUse;
use crate::domain::backoff::ExponentialBackoff;
use crate::domain::secret::Secret;

/// The wait after a failure.
const BACKOFF: ExponentialBackoff = ExponentialBackoff::new(Duration::from_millis(50), LONGEST_WAIT);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long what was read stands before it is read again; up to a quarter more, so that reads spread out.
const STANDS_FOR: Duration = Duration::from_secs(60);
/// How long a Secret must be missing before it counts as deleted.
const MISSING_FOR: Duration = Duration::from_secs(5);
/// How long a Secret must be forbidden before it is used no longer.
const FORBIDDEN_FOR: Duration = Duration::from_secs(60);
/// The least time between two reads of a Secret.
const BETWEEN_READS: Duration = Duration::from_millis(100);

/// What an attempt to read a Secret brought.
pub(super) enum Outcome {
    /// What it holds.
    Read(Content),
    /// There is none.
    Missing,
    /// It holds what it held when it was read last.
    Unchanged,
    /// The API server refuses to show it, and in which words.
    Forbidden(String),
    /// It could not be asked for.
    Failed(String),
}

/// What is known of a Secret.
#[derive(Debug, Clone)]
pub(super) enum Known {
    /// It was never read here: what the store knows of it holds.
    Unread(Option<String>),
    /// What it held when it was read last.
    Read(Arc<Content>),
    /// It was deleted.
    Gone,
    /// It may not be read any more: its label was taken away, and with that the right to read it.
    Refused,
}

/// What is to be read of a Secret.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// What for.
    pub uses: BTreeSet<SecretUse>,
    /// The revision at which it was read whole.
    pub whole: Option<String>,
}

#[derive(Debug)]
struct Entry {
    uses: BTreeSet<SecretUse>,
    known: Known,
    due: Instant,
    backoff: ExponentialBackoff,
    missing_since: Option<Instant>,
    forbidden_since: Option<Instant>,
    is_asked: bool,
    /// To be read once more as soon as the read under way has ended.
    again: bool,
    tries: u32,
}

/// The Secrets that are to be read.
#[derive(Debug, Default)]
pub(super) struct SecretCache {
    entries: Mutex<BTreeMap<String, Entry>>,
    /// Told when something may be due earlier than it was.
    pub hurry: Notify,
}

/// What is known of every Secret at one moment, and what each is for.
#[derive(Debug, Clone, Default)]
pub(super) struct View(BTreeMap<String, (BTreeSet<SecretUse>, Known)>);

impl SecretCache {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says which are to be read from now on, and for what.
    pub(super) fn need(&self, needed: BTreeMap<String, BTreeSet<SecretUse>>, now: Instant) {
        let mut entries = self.entries();
        entries.retain(|name, _| needed.contains_key(name));
        for (name, uses) in needed {
            let new = || Entry {
                uses: BTreeSet::new(),
                known: Known::Unread(None),
                due: now,
                backoff: BACKOFF,
                missing_since: None,
                forbidden_since: None,
                is_asked: false,
                again: false,
                tries: 0,
            };
            entries.entry(name).or_insert_with(new).uses = uses;
        }
        self.hurry.notify_one();
    }

    /// Something that refers to them has changed: they are read again soon.
    pub(super) fn touch(&self, names: &[String], now: Instant) {
        let mut entries = self.entries();
        let mut touched = false;
        for name in names {
            let Some(entry) = entries.get_mut(name) else { continue };
            entry.again |= entry.is_asked;
            entry.due = entry.due.min(now + BETWEEN_READS);
            entry.backoff.succeeded();
            touched = true;
        }
        if touched {
            self.hurry.notify_one();
        }
    }

    /// Those due now, at most so many, the longest due first; they count as asked for until [`Self::note`].
    pub(super) fn take_due(&self, now: Instant, limit: usize) -> Vec<String> {
        let mut entries = self.entries();
        let due = entries.iter_mut().filter(|(_, entry)| !entry.is_asked && entry.due <= now);
        let mut due: Vec<_> = due.collect();
        due.sort_by_key(|(_, entry)| entry.due);
        let taken = due.into_iter().take(limit).map(|(name, entry)| {
            entry.is_asked = true;
            name.clone()
        });
        taken.collect()
    }

    /// What is to be read of one.
    pub(super) fn asked(&self, name: &str) -> Asked {
        let entries = self.entries();
        let Some(entry) = entries.get(name) else { return Asked::default() };
        let whole = match &entry.known {
            Known::Read(content) if content.is_whole => Some(content.revision.clone()),
            _ => None,
        };
        Asked { uses: entry.uses.clone(), whole }
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.entries().values().filter(|entry| !entry.is_asked).map(|entry| entry.due).min()
    }

    /// Notes what came of asking; answers whether more or other is known now. `spread`, from 0 to 1, keeps the next
    /// reads apart.
    pub(super) fn note(&self, name: &str, outcome: Outcome, now: Instant, spread: f64) -> bool {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(name) else { return false };
        entry.is_asked = false;
        let first = entry.tries == 0;
        entry.tries = entry.tries.saturating_add(1);
        let is_news = entry.note(name, outcome, now, spread);
        if std::mem::take(&mut entry.again) {
            entry.due = now + BETWEEN_READS;
        }
        is_news || first
    }

    /// Whether each was asked for at least once.
    pub(super) fn all_tried(&self) -> bool {
        self.entries().values().all(|entry| entry.tries > 0)
    }

    /// What is known now.
    pub(super) fn view(&self) -> View {
        let entries = self.entries();
        View(entries.iter().map(|(name, it)| (name.clone(), (it.uses.clone(), it.known.clone()))).collect())
    }
}

impl Entry {
    fn note(&mut self, name: &str, outcome: Outcome, now: Instant, spread: f64) -> bool {
        if !matches!(outcome, Outcome::Forbidden(_)) {
            self.forbidden_since = None;
        }
        match outcome {
            Outcome::Unchanged => {
                self.stands(now, spread);
                // Asked for anew in between, nothing is known of it.
                if !matches!(self.known, Known::Read(_)) {
                    self.due = now;
                }
                false
            }
            Outcome::Forbidden(reason) => self.forbidden(name, reason, now, spread),
            Outcome::Read(content) => {
                self.stands(now, spread);
                let is_same = matches!(&self.known, Known::Read(before)
                    if (&before.revision, before.is_whole) == (&content.revision, content.is_whole));
                if !is_same {
                    self.known = Known::Read(Arc::new(content));
                }
                !is_same
            }
            Outcome::Missing => {
                let since = *self.missing_since.get_or_insert(now);
                let is_gone = now.duration_since(since) >= MISSING_FOR;
                self.rest(now, spread);
                if matches!(self.known, Known::Read(_)) && !is_gone {
                    self.due = now + MISSING_FOR;
                    return false;
                }
                if is_gone && !matches!(self.known, Known::Gone) {
                    tracing::warn!(secret = name, "the Secret is gone; what depends on it waits for it");
                    self.known = Known::Gone;
                    return true;
                }
                self.unread(format!("there is no Secret {name}"))
            }
            Outcome::Failed(reason) => self.failed(name, reason, now, spread),
        }
    }

    fn stands(&mut self, now: Instant, spread: f64) {
        self.backoff.succeeded();
        self.missing_since = None;
        self.due = now + STANDS_FOR + STANDS_FOR.mul_f64(spread / 4.0);
    }

    fn failed(&mut self, name: &str, reason: String, now: Instant, spread: f64) -> bool {
        self.missing_since = None;
        self.rest(now, spread);
        if self.backoff.failures() == 1 && matches!(self.known, Known::Read(_)) {
            tracing::warn!(secret = name, reason, "the Secret cannot be read; its last content stays");
        }
        self.unread(reason)
    }

    /// The right to read a user's Secret ends with its label. A Role that was broken by mistake is put right before that
    /// counts, and a generated Secret needs no label.
    fn forbidden(&mut self, name: &str, reason: String, now: Instant, spread: f64) -> bool {
        let since = *self.forbidden_since.get_or_insert(now);
        let is_over = now.duration_since(since) >= FORBIDDEN_FOR;
        if !is_over || self.uses.contains(&SecretUse::Generated) {
            return self.failed(name, reason, now, spread);
        }
        self.rest(now, spread);
        let is_news = !matches!(self.known, Known::Refused);
        if is_news {
            tracing::warn!(
                secret = name,
                reason,
                "the Secret may not be read any more; it is used no longer"
            );
            self.known = Known::Refused;
        }
        is_news
    }

    fn unread(&mut self, reason: String) -> bool {
        let Known::Unread(before) = &mut self.known else { return false };
        let is_news = before.as_ref() != Some(&reason);
        *before = Some(reason);
        is_news
    }

    fn rest(&mut self, now: Instant, spread: f64) {
        self.due = now + self.backoff.failed(spread);
    }
}

impl View {
    /// Each Secret with its uses.
    pub(super) fn all(&self) -> impl Iterator<Item = (&String, &BTreeSet<SecretUse>, &Known)> {
        self.0.iter().map(|(name, (uses, known))| (name, uses, known))
    }

    /// What is known of one.
    pub(super) fn known(&self, name: &str) -> Option<&Known> {
        self.0.get(name).map(|(_, known)| known)
    }
}

impl SecretSource for View {
    fn secret(&self, name: &str, key: &str) -> Result<Secret, String> {
        match self.known(name) {
            Some(Known::Read(content)) => content.key(name, key),
            Some(known) => Err(known.unreadable(name)),
            None => Err(Known::Unread(None).unreadable(name)),
        }
    }
}

impl Known {
    /// Why it cannot be read, for one that was not.
    pub(super) fn unreadable(&self, name: &str) -> String {
        match self {
            Known::Unread(Some(reason)) => format!("{reason}; trying again"),
            Known::Unread(None) | Known::Read(_) => format!("Secret {name} was not read yet"),
            Known::Gone => format!("there is no Secret {name}; create it"),
            Known::Refused => format!("Secret {name} may not be read any more; allow it with its label"),
        }
    }
}

#[cfg(test)]
mod tests;

//! A channel that can be used, with its limits; swapped whole when its manifest or its Secret changes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::{OnUnknown, RetryPolicy};
use crate::channels::Channel;
use crate::compile;
use crate::domain::concurrency::{LearnedLimits, START};
use crate::domain::hindrance::Outage;
use crate::domain::name::ChannelName;

/// The window where a manifest does not say it, and the most and least where it follows the concurrency.
const WINDOW: usize = 256;
const WINDOW_MAX: usize = 4096;
/// How many deliveries may be open for each attempt under way: those that wait for their start, and those whose outcome
/// waits for a commit.
const WINDOW_PER_ATTEMPT: usize = 4;
/// One channel's connections take no more than this part of the files that a process may have open.
const CHANNELS_SHARE: usize = 4;

/// A provider's connection and how it may be used.
pub struct ChannelHandle {
    /// The connection.
    pub channel: Arc<dyn Channel>,
    /// How many deliveries may be open without a committed outcome; `None` for what the concurrency makes useful.
    pub window: Option<usize>,
    /// How many attempts may be under way at once; `None` for as many as the provider turns out to bear.
    pub concurrency: Option<usize>,
    /// How many these may be at most.
    pub concurrency_max: usize,
    /// How many attempts may begin in a second.
    pub per_second: Option<u32>,
    /// How often and how long is tried.
    pub retry: RetryPolicy,
    /// What is known of the provider.
    pub provider_health: SharedHealth,
}

/// What is known of a provider, as its dispatcher says and others read.
#[derive(Debug, Default)]
pub struct SharedHealth {
    health: ArcSwap<(ProviderHealth, Timestamp)>,
    concurrency: AtomicU32,
    /// 0 if none was learned.
    per_second: AtomicU32,
}

/// What is known of a provider since the channel was connected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ProviderHealth {
    /// Nothing has been sent.
    #[default]
    Untried,
    /// It answered last.
    Answers,
    /// Several attempts in a row failed, the one that made it down so.
    Down(String),
}

impl SharedHealth {
    /// Keeps the reason and the time of the first failure for as long as the outage lasts. Many providers put an id into
    /// each answer; a status that repeated the latest one would change with every attempt.
    fn note(&self, provider_health: ProviderHealth, now: Timestamp) {
        let (before, _) = &**self.health.load();
        let is_same = *before == provider_health
            || matches!((before, &provider_health), (ProviderHealth::Down(_), ProviderHealth::Down(_)));
        if !is_same {
            self.health.store(Arc::new((provider_health, now)));
        }
    }
}

impl ChannelHandle {
    /// A connected channel with the limits of its manifest.
    pub fn new(compiled: &compile::CompiledChannel, channel: Arc<dyn Channel>) -> Self {
        ChannelHandle {
            channel,
            window: compiled.window.map(|window| window as usize),
            concurrency: compiled.concurrency.map(|concurrency| concurrency as usize),
            concurrency_max: compiled.kind.concurrency_max().min(descriptors() / CHANNELS_SHARE),
            per_second: compiled.per_second,
            retry: RetryPolicy {
                attempts_max: compiled.attempts_max,
                retry_for: compiled.retry_for,
                on_unknown: compiled.on_unknown,
            },
            provider_health: SharedHealth::default(),
        }
    }

    /// What is known of the provider.
    pub fn provider_health(&self) -> ProviderHealth {
        self.provider_health.health.load().0.clone()
    }

    /// The outage of the provider, if there is one.
    pub(super) fn outage(&self) -> Option<Outage> {
        match &**self.provider_health.health.load() {
            (ProviderHealth::Down(said), since) => Some(Outage::Down { since: *since, said: said.clone() }),
            _ => None,
        }
    }

    /// What was learned of the provider's limits; `None` where they are declared, or nothing was sent.
    pub fn learned(&self) -> Option<LearnedLimits> {
        let concurrency = self.provider_health.concurrency.load(Ordering::Relaxed);
        let per_second = Some(self.provider_health.per_second.load(Ordering::Relaxed));
        let learned = LearnedLimits { concurrency, per_second: per_second.filter(|rate| *rate > 0) };
        let is_untried = self.provider_health.health.load().0 == ProviderHealth::Untried;
        Some(learned).filter(|_| concurrency > 0 && self.is_adaptive() && !is_untried)
    }

    /// Notes what was learned of the provider's limits.
    pub(super) fn note_learned(&self, concurrency: usize, per_second: Option<f64>) {
        let concurrency = u32::try_from(concurrency).unwrap_or(u32::MAX);
        self.provider_health.concurrency.store(concurrency, Ordering::Relaxed);
        let per_second = per_second.map_or(0, |rate| rate.max(1.0) as u32);
        self.provider_health.per_second.store(per_second, Ordering::Relaxed);
    }

    /// Notes what is known of the provider now.
    pub(super) fn note(&self, provider_health: ProviderHealth, now: Timestamp) {
        self.provider_health.note(provider_health, now);
    }

    /// Whether concurrency and rate are learned from the provider's answers.
    pub(super) fn is_adaptive(&self) -> bool {
        self.concurrency.is_none()
    }

    /// How many attempts may at most be under way: no more than may be open, or begin within a second.
    pub(super) fn ceiling(&self) -> usize {
        let open_max = self.window.unwrap_or(match self.retry.on_unknown {
            OnUnknown::Resend => WINDOW_MAX,
            OnUnknown::Hold => WINDOW,
        });
        self.concurrency_max.min(open_max).min(a_second(self.per_second.map(f64::from)))
    }

    /// How many deliveries may be open where so many attempts may be under way: what the manifest says, or where a
    /// repetition is known as one, enough that none waits for a commit.
    pub(super) fn window(&self, concurrency: usize) -> usize {
        self.window.unwrap_or(match self.retry.on_unknown {
            OnUnknown::Resend => (concurrency * WINDOW_PER_ATTEMPT).clamp(WINDOW, WINDOW_MAX),
            OnUnknown::Hold => WINDOW,
        })
    }

    /// What rates leave of the window: never more than the channel can start within one second.
    pub(super) fn window_usable(&self, concurrency: usize, learned: Option<f64>) -> usize {
        // A provider that throttles is not asked for so little that the rate cannot be used.
        let learned = a_second(learned).max(concurrency.min(START));
        self.window(concurrency).min(a_second(self.per_second.map(f64::from))).min(learned).max(1)
    }
}

fn a_second(per_second: Option<f64>) -> usize {
    per_second.map_or(usize::MAX, |rate| rate as usize)
}

/// How many files, connections among them, this process may have open at once.
fn descriptors() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// The channels that can be used now. One whose Secret cannot be read is not among them: its messages wait.
pub type ChannelHandles = Arc<ArcSwap<HashMap<ChannelName, Arc<ChannelHandle>>>>;

#[cfg(test)]
mod tests {
    use super::*;

    struct Silent;

    #[async_trait::async_trait]
    impl Channel for Silent {
        async fn attempt(&self, _message: &crate::channels::Outgoing) -> crate::channels::Attempt {
            crate::channels::Attempt::Sent { provider_id: None }
        }

        async fn close(&self) {}
    }

    fn handle(window: Option<usize>, per_second: Option<u32>, on_unknown: OnUnknown) -> ChannelHandle {
        ChannelHandle {
            channel: Arc::new(Silent),
            window,
            concurrency: None,
            concurrency_max: 1024,
            per_second,
            retry: RetryPolicy { on_unknown, ..RetryPolicy::UNTIL_RESTORED },
            provider_health: SharedHealth::default(),
        }
    }

    #[test]
    fn a_window_that_is_left_out_follows_the_concurrency_where_repetitions_are_known() {
        let resends = handle(None, None, OnUnknown::Resend);
        assert_eq!([1, 64, 100, 500, 1024].map(|n| resends.window(n)), [256, 256, 400, 2000, 4096]);
        assert_eq!(resends.ceiling(), 1024);
        let holds = handle(None, None, OnUnknown::Hold);
        assert_eq!((holds.window(1024), holds.ceiling()), (256, 256));
        let declared = handle(Some(9), None, OnUnknown::Resend);
        assert_eq!((declared.window(1024), declared.ceiling()), (9, 9));
    }

    #[test]
    fn neither_window_nor_concurrency_passes_what_may_begin_in_a_second() {
        let limited = handle(None, Some(50), OnUnknown::Resend);
        assert_eq!((limited.ceiling(), limited.window_usable(50, None)), (50, 50));
        let throttled = handle(None, None, OnUnknown::Resend);
        assert_eq!(throttled.window_usable(1024, Some(500.0)), 500);
        assert_eq!(throttled.window_usable(64, Some(2.0)), START);
        assert_eq!(throttled.window_usable(1, Some(1.0)), 1);
        assert_eq!(limited.window_usable(50, Some(500.0)), 50);
    }

    #[test]
    fn an_outage_keeps_its_first_words_until_it_is_over() {
        let provider_health = SharedHealth::default();
        let down = |words: &str| ProviderHealth::Down(words.to_owned());
        for (told, shown) in [
            (down("error 1"), down("error 1")),
            (down("error 2"), down("error 1")),
            (ProviderHealth::Answers, ProviderHealth::Answers),
            (down("error 3"), down("error 3")),
        ] {
            provider_health.note(told, Timestamp::UNIX_EPOCH);
            assert_eq!(provider_health.health.load().0, shown);
        }
    }
}

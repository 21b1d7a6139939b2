//! A channel that can be used, with its limits; swapped whole when its manifest or its Secret changes.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::RetryPolicy;
use crate::channels::Channel;
use crate::compile;
use crate::domain::hindrance::Outage;
use crate::domain::name::ChannelName;

/// A provider's connection and how it may be used.
pub struct ChannelHandle {
    /// The connection.
    pub channel: Arc<dyn Channel>,
    /// How many deliveries may be open without a committed outcome.
    pub window: usize,
    /// How many attempts may be under way at once.
    pub concurrency: usize,
    /// How many attempts may begin in a second.
    pub per_second: Option<u32>,
    /// How often and how long is tried.
    pub retry: RetryPolicy,
    /// What is known of the provider.
    pub provider_health: SharedHealth,
}

/// What is known of a provider, as its dispatcher says and others read.
#[derive(Debug, Default)]
pub struct SharedHealth(ArcSwap<(ProviderHealth, Timestamp)>);

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
    fn note(&self, provider_health: ProviderHealth) {
        let (before, _) = &**self.0.load();
        let is_same = *before == provider_health
            || matches!((before, &provider_health), (ProviderHealth::Down(_), ProviderHealth::Down(_)));
        if !is_same {
            self.0.store(Arc::new((provider_health, Timestamp::now())));
        }
    }
}

impl ChannelHandle {
    /// A connected channel with the limits of its manifest.
    pub fn new(compiled: &compile::CompiledChannel, channel: Arc<dyn Channel>) -> Self {
        ChannelHandle {
            channel,
            window: compiled.window as usize,
            concurrency: compiled.concurrency as usize,
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
        self.provider_health.0.load().0.clone()
    }

    /// The outage of the provider, if there is one.
    pub(super) fn outage(&self) -> Option<Outage> {
        match &**self.provider_health.0.load() {
            (ProviderHealth::Down(said), since) => Some(Outage::Down { since: *since, said: said.clone() }),
            _ => None,
        }
    }

    /// Notes what is known of the provider now.
    pub(super) fn note(&self, provider_health: ProviderHealth) {
        self.provider_health.note(provider_health);
    }

    /// The window: never more than the channel can start within one second.
    pub(super) fn window(&self) -> usize {
        let a_second = self.per_second.map_or(usize::MAX, |rate| rate as usize);
        self.window.min(a_second).max(1)
    }
}

/// The channels that can be used now. One whose Secret cannot be read is not among them: its messages wait.
pub type ChannelHandles = Arc<ArcSwap<HashMap<ChannelName, Arc<ChannelHandle>>>>;

#[cfg(test)]
mod tests {
    use super::*;

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
            provider_health.note(told);
            assert_eq!(provider_health.0.load().0, shown);
        }
    }
}

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
    pub standing: SharedStanding,
}

/// What is known of a provider, as its dispatcher says and others read.
#[derive(Debug, Default)]
pub struct SharedStanding(ArcSwap<(Standing, Timestamp)>);

/// What is known of a provider since the channel was connected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Standing {
    /// Nothing has been sent.
    #[default]
    Untried,
    /// It answered last.
    Answers,
    /// Several attempts in a row failed, the one that made it down so.
    Down(String),
}

impl SharedStanding {
    /// The words of an outage are its first ones: many providers put an id into each answer, and whoever shows them would
    /// show something new with each.
    fn note(&self, standing: Standing) {
        let (before, _) = &**self.0.load();
        let is_same =
            *before == standing || matches!((before, &standing), (Standing::Down(_), Standing::Down(_)));
        if !is_same {
            self.0.store(Arc::new((standing, Timestamp::now())));
        }
    }
}

impl ChannelHandle {
    /// A connected channel with the limits of its manifest.
    pub fn new(compiled: &compile::Channel, channel: Arc<dyn Channel>) -> Self {
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
            standing: SharedStanding::default(),
        }
    }

    /// What is known of the provider.
    pub fn standing(&self) -> Standing {
        self.standing.0.load().0.clone()
    }

    /// The outage of the provider, if there is one.
    pub(super) fn outage(&self) -> Option<Outage> {
        match &**self.standing.0.load() {
            (Standing::Down(said), since) => Some(Outage::Down { since: *since, said: said.clone() }),
            _ => None,
        }
    }

    /// Notes what is known of the provider now.
    pub(super) fn note(&self, standing: Standing) {
        self.standing.note(standing);
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
        let standing = SharedStanding::default();
        let down = |words: &str| Standing::Down(words.to_owned());
        for (told, shown) in [
            (down("error 1"), down("error 1")),
            (down("error 2"), down("error 1")),
            (Standing::Answers, Standing::Answers),
            (down("error 3"), down("error 3")),
        ] {
            standing.note(told);
            assert_eq!(standing.0.load().0, shown);
        }
    }
}

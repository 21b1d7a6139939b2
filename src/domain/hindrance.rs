//! Why customers of a run wait who were selected and have no delivery yet, and messages that have one: what holds them up.

use std::fmt;

use jiff::Timestamp;

use super::name::{CallId, ChannelName, ScenarioName};
use super::pause::{Pause, PauseScope};
use super::state::RunState;

/// How a channel stands, as one process sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelStanding {
    /// The channel.
    pub channel: ChannelName,
    /// What keeps it from sending at all.
    pub outage: Option<Outage>,
    /// Whether messages queue for it.
    pub is_busy: bool,
    /// How many attempts may begin in a second.
    pub per_second: Option<u32>,
}

/// Why a channel sends nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outage {
    /// It is not there, or a Secret of it cannot be read.
    Unconnected,
    /// Its provider fails.
    Down {
        /// Since when.
        since: Timestamp,
        /// What the provider said first.
        said: String,
    },
}

/// What holds customers up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// The audience is being read.
    Selecting,
    /// People paused it.
    Paused(Pause),
    /// A channel sends nothing.
    Outage(ChannelName, Outage),
    /// A channel takes no more at once.
    Busy(ChannelName, Option<u32>),
    /// Nothing but that it takes its time.
    BeingHandedOver,
}

/// What holds a run up, the strongest first; nothing if it is at its end or nobody waits. `waiting` are the customers who
/// were selected and have no delivery.
pub fn hindrances(
    run: (RunState, &ScenarioName, &CallId),
    waiting: u64,
    pauses: &[Pause],
    channels: &[ChannelStanding],
) -> Vec<Hindrance> {
    let (state, scenario, call) = run;
    if !state.is_under_way() {
        return Vec::new();
    }
    let holds = |pause: &&Pause| match &pause.scope {
        PauseScope::Runtime => true,
        PauseScope::Scenario(name) => name == scenario,
        PauseScope::Call(id) => id == call,
        PauseScope::Channel(name) => channels.iter().any(|it| it.channel == *name),
    };
    let mut found: Vec<Hindrance> = pauses.iter().filter(holds).cloned().map(Hindrance::Paused).collect();
    if state == RunState::Selecting {
        if found.is_empty() {
            found.push(Hindrance::Selecting);
        }
        return found;
    }
    let is_paused =
        |name: &ChannelName| pauses.iter().any(|pause| pause.scope == PauseScope::Channel(name.clone()));
    for standing in channels.iter().filter(|it| !is_paused(&it.channel)) {
        let channel = standing.channel.clone();
        match &standing.outage {
            Some(outage) => found.push(Hindrance::Outage(channel, outage.clone())),
            None if standing.is_busy => found.push(Hindrance::Busy(channel, standing.per_second)),
            None => {}
        }
    }
    if found.is_empty() && waiting > 0 {
        found.push(Hindrance::BeingHandedOver);
    }
    found
}

impl Hindrance {
    /// In words; without what providers and people said, for callers who may not read the log.
    pub fn in_words(&self, with_their_words: bool) -> String {
        match self {
            _ if with_their_words => self.to_string(),
            Hindrance::Paused(Pause { scope, .. }) => format!("{scope} is paused"),
            Hindrance::Outage(channel, Outage::Down { since, .. }) => {
                format!("waits for channel {channel}: down since {since:.0}")
            }
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hindrance::Selecting => f.write_str("its customers are being selected"),
            Hindrance::Paused(Pause { scope, who, reason, since }) => {
                write!(f, "{scope} was paused by {who} at {since:.0}")?;
                if reason.is_empty() { Ok(()) } else { write!(f, ": {reason}") }
            }
            Hindrance::Outage(channel, Outage::Unconnected) => {
                write!(f, "waits for channel {channel}: it is not connected")
            }
            Hindrance::Outage(channel, Outage::Down { since, said }) => {
                write!(f, "waits for channel {channel}: down since {since:.0}: {said}")
            }
            Hindrance::Busy(channel, Some(per_second)) => {
                write!(f, "waits for channel {channel}: its rate is {per_second} in a second")
            }
            Hindrance::Busy(channel, None) => {
                write!(f, "waits for channel {channel}: it is sending what was handed to it before")
            }
            Hindrance::BeingHandedOver => f.write_str("being handed to its channels"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(state: RunState, waiting: u64, pauses: &[Pause], channels: &[ChannelStanding]) -> Vec<String> {
        let (scenario, call) = (ScenarioName::new("storm"), CallId::new("c-1"));
        hindrances((state, &scenario, &call), waiting, pauses, channels)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn channel(
        name: &str,
        outage: Option<Outage>,
        is_busy: bool,
        per_second: Option<u32>,
    ) -> ChannelStanding {
        ChannelStanding { channel: ChannelName::new(name), outage, is_busy, per_second }
    }

    fn pause(scope: PauseScope) -> Pause {
        let since = "2026-11-25T10:00:00.5Z".parse().unwrap();
        Pause { scope, who: "apikey/desk".into(), reason: "a wrong text".into(), since }
    }

    #[test]
    fn whatever_holds_a_run_up_is_said() {
        let since = "2026-11-25T10:00:00.5Z".parse().unwrap();
        let down = || Some(Outage::Down { since, said: "connection refused".into() });
        let all = [
            channel("sms", down(), true, None),
            channel("mail", Some(Outage::Unconnected), false, None),
            channel("hook", None, true, Some(5)),
            channel("log", None, true, None),
            channel("free", None, false, Some(5)),
        ];
        assert_eq!(
            words(RunState::Running, 7, &[], &all),
            [
                "waits for channel sms: down since 2026-11-25T10:00:00Z: connection refused",
                "waits for channel mail: it is not connected",
                "waits for channel hook: its rate is 5 in a second",
                "waits for channel log: it is sending what was handed to it before",
            ]
        );
        assert!(words(RunState::Done, 0, &[pause(PauseScope::Runtime)], &all).is_empty());
        assert_eq!(words(RunState::Selecting, 0, &[], &all), ["its customers are being selected"]);
        assert_eq!(words(RunState::Running, 7, &[], &all[4..]), ["being handed to its channels"]);
        assert!(words(RunState::Running, 0, &[], &all[4..]).is_empty());
    }

    #[test]
    fn only_pauses_that_hold_it_are_said() {
        let sms = [channel("sms", None, true, None)];
        let paused = |scope| words(RunState::Running, 1, &[pause(scope)], &sms);
        let said = "was paused by apikey/desk at 2026-11-25T10:00:00Z: a wrong text";
        assert_eq!(paused(PauseScope::Channel(ChannelName::new("sms"))), [format!("channel sms {said}")]);
        assert_eq!(paused(PauseScope::Call(CallId::new("c-1")))[0], format!("call c-1 {said}"));
        assert_eq!(paused(PauseScope::Runtime)[0], format!("the whole runtime {said}"));
        let others = [
            PauseScope::Call(CallId::new("c-2")),
            PauseScope::Scenario(ScenarioName::new("flood")),
            PauseScope::Channel(ChannelName::new("mail")),
        ];
        for scope in others {
            assert_eq!(paused(scope), ["waits for channel sms: it is sending what was handed to it before"]);
        }
        assert_eq!(
            words(RunState::Selecting, 0, &[pause(PauseScope::Runtime)], &sms)[0],
            format!("the whole runtime {said}")
        );
    }
}

//! What people have stopped for a while: a call, a scenario, a channel or everything, with who and why.
//!
//! A pause is no part of what is declared: it outranks it until somebody resumes.

use std::collections::HashSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::{CallId, ChannelName, ScenarioName};

/// The longest reason that is kept, in characters.
pub const REASON_MAX: usize = 500;

/// What is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PauseScope {
    /// Everything: nothing is decided or sent. Calls are still accepted.
    Runtime,
    /// All runs of a scenario.
    Scenario(ScenarioName),
    /// All messages by a channel.
    Channel(ChannelName),
    /// All runs of a call.
    Call(CallId),
}

impl PauseScope {
    /// The kind in words: `runtime`, `scenario`, `channel` or `call`.
    pub fn kind(&self) -> &'static str {
        match self {
            PauseScope::Runtime => "runtime",
            PauseScope::Scenario(_) => "scenario",
            PauseScope::Channel(_) => "channel",
            PauseScope::Call(_) => "call",
        }
    }

    /// The name within its kind; empty for the whole runtime.
    pub fn name(&self) -> &str {
        match self {
            PauseScope::Runtime => "",
            PauseScope::Scenario(name) => name.as_str(),
            PauseScope::Channel(name) => name.as_str(),
            PauseScope::Call(id) => id.as_str(),
        }
    }

    /// Reads what [`Self::kind`] and [`Self::name`] gave.
    pub fn read(kind: &str, name: &str) -> Option<Self> {
        match kind {
            "runtime" => Some(PauseScope::Runtime),
            "scenario" => Some(PauseScope::Scenario(ScenarioName::new(name))),
            "channel" => Some(PauseScope::Channel(ChannelName::new(name))),
            "call" => Some(PauseScope::Call(CallId::new(name))),
            _ => None,
        }
    }
}

impl fmt::Display for PauseScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PauseScope::Runtime => formatter.write_str("the whole runtime"),
            other => write!(formatter, "{} {}", other.kind(), other.name()),
        }
    }
}

/// A pause, and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// What is stopped.
    pub scope: PauseScope,
    /// The credential of the caller that asked for it.
    pub who: String,
    /// Why, in their words; may be empty.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// All pauses that hold now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pauses(HashSet<PauseScope>);

impl Pauses {
    /// Whether runs of the scenario and call rest.
    pub fn hold_run(&self, scenario: &ScenarioName, call: &CallId) -> bool {
        self.has(&PauseScope::Runtime)
            || self.has(&PauseScope::Scenario(scenario.clone()))
            || self.has(&PauseScope::Call(call.clone()))
    }

    /// Whether nothing leaves by the channel.
    pub fn hold_channel(&self, channel: &ChannelName) -> bool {
        self.has(&PauseScope::Runtime) || self.has(&PauseScope::Channel(channel.clone()))
    }

    fn has(&self, scope: &PauseScope) -> bool {
        self.0.contains(scope)
    }
}

impl FromIterator<PauseScope> for Pauses {
    fn from_iter<I: IntoIterator<Item = PauseScope>>(scopes: I) -> Self {
        Pauses(scopes.into_iter().collect())
    }
}

/// A pause as a replica tells it to the operator, and the API to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PauseReport {
    /// `runtime`, `scenario`, `channel` or `call`.
    pub kind: String,
    /// The name within its kind; empty for the whole runtime.
    pub name: String,
    /// The credential of the caller that asked for it.
    pub who: String,
    /// Why, in their words; may be empty.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

impl From<&Pause> for PauseReport {
    fn from(pause: &Pause) -> Self {
        PauseReport {
            kind: pause.scope.kind().to_owned(),
            name: pause.scope.name().to_owned(),
            who: pause.who.clone(),
            reason: pause.reason.clone(),
            since: pause.since,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_holds_what_is_in_it_and_nothing_else() {
        let (storm, flood) = (ScenarioName::new("storm"), ScenarioName::new("flood"));
        let (sms, mail) = (ChannelName::new("sms"), ChannelName::new("mail"));
        let (one, two) = (CallId::new("1"), CallId::new("2"));
        let held = |scope: PauseScope| {
            let pauses: Pauses = [scope].into_iter().collect();
            [
                pauses.hold_run(&storm, &one),
                pauses.hold_run(&storm, &two),
                pauses.hold_run(&flood, &one),
                pauses.hold_channel(&sms),
                pauses.hold_channel(&mail),
            ]
        };
        assert_eq!(held(PauseScope::Runtime), [true; 5]);
        assert_eq!(held(PauseScope::Scenario(storm.clone())), [true, true, false, false, false]);
        assert_eq!(held(PauseScope::Call(one.clone())), [true, false, true, false, false]);
        assert_eq!(held(PauseScope::Channel(sms.clone())), [false, false, false, true, false]);
    }

    #[test]
    fn a_scope_is_read_as_it_is_named() {
        for scope in [
            PauseScope::Runtime,
            PauseScope::Channel(ChannelName::new("sms")),
            PauseScope::Call(CallId::new("x")),
        ] {
            assert_eq!(PauseScope::read(scope.kind(), scope.name()), Some(scope));
        }
        assert_eq!(PauseScope::read("trigger", "storm"), None);
    }
}

//! The states of calls, runs and deliveries, with the words people see and the numbers the ledger keeps.
//!
//! Numbers are part of the ledger's schema: they never change their meaning. What each state means in words is here
//! too, and a test holds the pages to it.

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $code:literal, $word:literal, $meaning:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $(#[doc = $meaning] $variant = $code,)*
        }

        impl $name {
            /// Every state, in the order of its number.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The word people and scripts see.
            pub fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)*
                }
            }

            /// What it means, for people.
            pub fn meaning(self) -> &'static str {
                match self {
                    $($name::$variant => $meaning,)*
                }
            }

            /// The number the ledger keeps.
            pub fn code(self) -> i64 {
                self as i64
            }

            /// Reads the ledger's number; `None` when a newer version wrote it.
            pub fn from_code(code: i64) -> Option<Self> {
                Self::ALL.iter().copied().find(|state| state.code() == code)
            }

            /// Reads the word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|state| state.word() == word)
            }
        }
    };
}

states! {
    /// What has become of a call.
    CallState {
        Accepted = 0, "accepted", "on disk; not yet matched with scenarios";
        Running = 1, "running", "its runs are under way";
        Done = 2, "done", "each of its runs is done, or no scenario fired";
        Failed = 3, "failed", "a run of it failed, or it could not be matched";
        Cancelled = 4, "cancelled", "each of its runs was cancelled";
        Expired = 5, "expired", "its time was over before it was matched, or each of its runs expired";
        Refused = 6, "refused", "answered with 4xx or 5xx; nothing came of it";
        Partly = 7, "partly", "its runs ended differently: some are done, cancelled or expired, and others not";
    }
}

states! {
    /// What has become of a run.
    RunState {
        Selecting = 0, "selecting", "its customers are being selected";
        Running = 1, "running", "its customers are decided about, and their messages sent";
        Done = 2, "done", "each of its customers has an outcome, and none was cancelled or expired";
        Failed = 3, "failed", "a step of it failed three times for a reason that trying again cannot heal; or two processes ended, or one stood still, while they wrote for one of its customers";
        Cancelled = 4, "cancelled", "it was stopped before all of it was sent";
        Expired = 5, "expired", "its time was over before all of it was sent";
        Waiting = 6, "waiting", "all that is left of it are customers who wait at a node";
    }
}

states! {
    /// What has become of a delivery.
    DeliveryState {
        Queued = 0, "queued", "decided; waits for its channel";
        Sending = 1, "sending", "at the provider; it may or may not have been taken";
        Retrying = 2, "retrying", "refused for now; tried again at a known time";
        Sent = 3, "sent", "the provider took it";
        Failed = 4, "failed", "the provider refused it for good, or its attempts are used up";
        Unknown = 5, "unknown", "it may have been taken; nobody will try again";
        Held = 6, "held", "it may have been taken; waits for a person";
        Skipped = 7, "skipped", "not to be sent: no consent, no address or none that is a telephone number, or its text could not be written; the reason says which";
        Cancelled = 8, "cancelled", "it was stopped before it was sent";
        Expired = 9, "expired", "its time was over before it was sent";
    }
}

impl DeliveryState {
    /// Whether more will come of it without a person. A held delivery is closed to the equations.
    pub fn is_open(self) -> bool {
        matches!(self, DeliveryState::Queued | DeliveryState::Sending | DeliveryState::Retrying)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_lead_back() {
        for state in DeliveryState::ALL {
            assert_eq!(DeliveryState::from_code(state.code()), Some(*state));
            assert_eq!(DeliveryState::from_word(state.word()), Some(*state));
        }
        assert_eq!(DeliveryState::from_code(77), None);
    }

    /// The page has each state in one row, with the words of this file, and no other.
    #[test]
    fn the_page_says_what_each_state_means() {
        let page = include_str!("../../docs/read-the-log.md");
        let table = |head: &str, states: Vec<(&str, &str)>| {
            let rows = states.iter().map(|(word, meaning)| format!("| `{word}` | {meaning} |\n"));
            let table = format!("| {head} | |\n|---|---|\n{}\n", rows.collect::<String>());
            assert!(page.contains(&table), "docs/read-the-log.md must have this table:\n\n{table}");
        };
        table("state of a call", CallState::ALL.iter().map(|it| (it.word(), it.meaning())).collect());
        table("state of a run", RunState::ALL.iter().map(|it| (it.word(), it.meaning())).collect());
        table("state of a delivery", DeliveryState::ALL.iter().map(|it| (it.word(), it.meaning())).collect());
    }
}

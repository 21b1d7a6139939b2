//! The states of calls, runs, chunks, deliveries and side indexes: their words, the numbers the databases keep, and their
//! sets.
//!
//! Numbers are part of the schemas: they never change their meaning. SQL names states and sets by the words here
//! (`store/sql`). What each state means in words is here too, and a test holds the pages to it. Which state a delivery comes
//! to from which stands in [`super::transition`].

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
            pub const fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)*
                }
            }

            /// What it means, for people.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $($name::$variant => $meaning,)*
                }
            }

            /// The number the ledger keeps.
            pub const fn code(self) -> i64 {
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
        Failed = 3, "failed", "a step of it failed three times for a reason that trying again cannot heal; or three processes ended, or one stood still, while they wrote for one of its customers";
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

states! {
    /// What has become of a chunk of an audience.
    ChunkState {
        Open = 0, "open", "its customers are decided about, or their messages sent";
        Done = 1, "done", "each of its journeys has ended or waits at a node";
    }
}

states! {
    /// What has become of a side index.
    SideIndexState {
        Filling = 0, "filling", "what was there before it is added";
        Complete = 1, "complete", "it holds everything";
        Dropping = 2, "dropping", "its rows are being removed; no write keeps it any more";
    }
}

macro_rules! sets {
    ($name:ident { $($(#[$doc:meta])* $set:ident $word:literal = [$($state:ident),*];)* }) => {
        impl $name {
            $($(#[$doc])* pub const $set: &'static [$name] = &[$($name::$state),*];)*

            /// Every set, with the word by which SQL names it.
            pub const SETS: &'static [(&'static str, &'static [$name])] = &[$(($word, $name::$set)),*];
        }
    };
}

sets! {
    CallState {
        /// More will come of it.
        OPEN "open" = [Accepted, Running];
        /// Nothing more comes of it, as the ledger keeps it: one that ended in part is kept as done or cancelled, with how its
        /// runs ended beside.
        ENDED "ended" = [Done, Failed, Cancelled, Expired, Refused];
    }
}

sets! {
    RunState {
        /// A process is at work on it.
        UNDER_WAY "under_way" = [Selecting, Running];
        /// Its audience is known, and it is not at its end.
        BEGUN "begun" = [Running, Waiting];
        /// It is not at its end.
        UNFINISHED "unfinished" = [Selecting, Running, Waiting];
        /// It is at its end, as the ledger keeps it: an expired one is kept as done, with how it ended beside.
        ENDED "ended" = [Done, Failed, Cancelled];
    }
}

sets! {
    ChunkState {}
}

sets! {
    SideIndexState {}
}

sets! {
    DeliveryState {
        /// More will come of it without a person.
        OPEN "open" = [Queued, Sending, Retrying];
        /// It may be opened: it waits for its channel or for its time.
        WAITING "waiting" = [Queued, Retrying];
        /// It stands among those that are few: what waits for its channel, its time or a person.
        PENDING "pending" = [Queued, Retrying, Held];
        /// Nothing more comes of it, also not by a person.
        FINAL "final" = [Sent, Failed, Unknown, Skipped, Cancelled, Expired];
        /// The provider may have taken it, and it is not known whether.
        IN_DOUBT "in_doubt" = [Sending, Unknown, Held];
        /// What became of it is known from the provider.
        ANSWERED "answered" = [Sent, Failed];
        /// It never left, and never will.
        NOT_SENT "not_sent" = [Skipped, Cancelled, Expired];
    }
}

impl CallState {
    /// Whether more will come of it.
    pub fn is_open(self) -> bool {
        Self::OPEN.contains(&self)
    }
}

impl RunState {
    /// Whether a process is at work on it: it neither rests nor is at its end.
    pub fn is_under_way(self) -> bool {
        Self::UNDER_WAY.contains(&self)
    }

    /// Whether its audience is known and it is not at its end.
    pub fn is_begun(self) -> bool {
        Self::BEGUN.contains(&self)
    }
}

impl DeliveryState {
    /// Whether more will come of it without a person. A held delivery is closed to the equations.
    pub fn is_open(self) -> bool {
        Self::OPEN.contains(&self)
    }

    /// Whether it may be opened: it waits for its channel or for its time.
    pub fn is_waiting(self) -> bool {
        Self::WAITING.contains(&self)
    }

    /// This state, or unknown for one of which an attempt may have been taken: that one was not sent can no longer be said.
    #[must_use]
    pub fn or_unknown(self, maybe_sent: bool) -> Self {
        if maybe_sent { DeliveryState::Unknown } else { self }
    }

    /// Whether it counts as a message to its customer: it was sent, may have been, or may still be.
    pub fn is_message(self) -> bool {
        !Self::NOT_SENT.contains(&self)
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

    /// Each state is in exactly one of the sets that divide them.
    fn assert_divided<S: PartialEq + std::fmt::Debug>(all: &[S], sets: &[&[S]]) {
        for state in all {
            let within = sets.iter().filter(|set| set.contains(state)).count();
            assert_eq!(within, 1, "{state:?} is in {within} of the sets");
        }
    }

    #[test]
    fn the_sets_divide_the_states() {
        assert_divided(
            DeliveryState::ALL,
            &[DeliveryState::OPEN, &[DeliveryState::Held], DeliveryState::FINAL],
        );
        assert_divided(RunState::ALL, &[RunState::UNFINISHED, RunState::ENDED, &[RunState::Expired]]);
        assert_divided(RunState::UNFINISHED, &[&[RunState::Selecting], RunState::BEGUN]);
        assert_divided(RunState::UNFINISHED, &[RunState::UNDER_WAY, &[RunState::Waiting]]);
        assert_divided(CallState::ALL, &[CallState::OPEN, CallState::ENDED, &[CallState::Partly]]);
        assert_divided(DeliveryState::OPEN, &[DeliveryState::WAITING, &[DeliveryState::Sending]]);
        assert_divided(DeliveryState::PENDING, &[DeliveryState::WAITING, &[DeliveryState::Held]]);
        let known = [DeliveryState::ANSWERED, DeliveryState::NOT_SENT, &[DeliveryState::Unknown]];
        assert_divided(DeliveryState::FINAL, &known);
        let in_doubt = DeliveryState::ALL.iter().filter(|state| DeliveryState::IN_DOUBT.contains(state));
        assert!(in_doubt.into_iter().all(|state| state.is_message()));
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

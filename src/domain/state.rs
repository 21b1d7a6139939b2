//! The states of calls, runs and deliveries, with the words people see and the numbers the ledger keeps.
//!
//! Numbers are part of the ledger's schema: they never change their meaning.

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal, $word:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_doc])* $variant = $code,)*
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
        /// On disk and answered; not yet matched with scenarios.
        Accepted = 0, "accepted";
        /// Matched; its runs are under way.
        Running = 1, "running";
        /// All its runs are at their end, or none fired.
        Done = 2, "done";
        /// A run of it stopped with an error.
        Failed = 3, "failed";
        /// Cancelled by a person or by `onStop: Cancel`.
        Cancelled = 4, "cancelled";
        /// Its expiry passed before it was matched.
        Expired = 5, "expired";
        /// Answered with 4xx or 5xx; it has no runs.
        Refused = 6, "refused";
    }
}

states! {
    /// What has become of a run.
    RunState {
        /// Its audience is being read.
        Selecting = 0, "selecting";
        /// Its chunks are being walked and sent.
        Running = 1, "running";
        /// Both equations hold.
        Done = 2, "done";
        /// A step failed three times for a reason that trying again cannot heal.
        Failed = 3, "failed";
        /// What had not been sent was cancelled.
        Cancelled = 4, "cancelled";
    }
}

states! {
    /// What has become of a delivery.
    DeliveryState {
        /// Decided; waits for its channel.
        Queued = 0, "queued";
        /// In an open window: it may or may not have been taken.
        Sending = 1, "sending";
        /// Refused for now; tried again at a known time.
        Retrying = 2, "retrying";
        /// The provider took it.
        Sent = 3, "sent";
        /// The provider refused it for good, or its attempts are used up.
        Failed = 4, "failed";
        /// It may have been taken; nobody will try again.
        Unknown = 5, "unknown";
        /// It may have been taken; waits for a person.
        Held = 6, "held";
        /// Not to be sent: no address, no consent, or its content could not be rendered.
        Skipped = 7, "skipped";
        /// Stopped before it was sent.
        Cancelled = 8, "cancelled";
        /// Too late to be of use.
        Expired = 9, "expired";
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
}

//! What may become of a delivery: by which event it comes from which state to which, as data.
//!
//! Both stores write by the sets of this table, and a test drives each of them through all of it. What the engine decides is
//! held to it wherever it decides.

use super::state::DeliveryState;

/// What happens to a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeliveryEvent {
    /// The owner of its chunk decides about it without sending.
    Decided,
    /// It is written as about to be sent.
    Opened,
    /// The attempt that was opened comes to its outcome.
    Answered,
    /// So does an attempt whose chunk has another owner by now, who found the delivery in doubt: it happens only to one of which
    /// an attempt may have been taken.
    AnsweredLate,
    /// A person lets it be sent again.
    SentAgain,
    /// A person leaves it unknown for ever.
    Closed,
}

impl DeliveryEvent {
    /// Every event.
    pub const ALL: &'static [DeliveryEvent] = &[
        DeliveryEvent::Decided,
        DeliveryEvent::Opened,
        DeliveryEvent::Answered,
        DeliveryEvent::AnsweredLate,
        DeliveryEvent::SentAgain,
        DeliveryEvent::Closed,
    ];

    /// Whether it is a person's.
    pub fn is_a_persons(self) -> bool {
        matches!(self, DeliveryEvent::SentAgain | DeliveryEvent::Closed)
    }
}

/// From any of some states an event leads to any of others.
#[derive(Debug, Clone, Copy)]
pub struct Transition {
    /// Where from: `None` is a delivery that is not written yet.
    pub from: &'static [Option<DeliveryState>],
    /// By what.
    pub event: DeliveryEvent,
    /// Where to.
    pub to: &'static [DeliveryState],
}

const NOT_WRITTEN: &[Option<DeliveryState>] = &[None];
const QUEUED: Option<DeliveryState> = Some(DeliveryState::Queued);
const SENDING: Option<DeliveryState> = Some(DeliveryState::Sending);
const RETRYING: Option<DeliveryState> = Some(DeliveryState::Retrying);
const HELD: Option<DeliveryState> = Some(DeliveryState::Held);

/// What one that was opened may come to. Until its attempt begins it may still be taken back: skipped, cancelled or expired.
const OUTCOMES: &[DeliveryState] = &[
    DeliveryState::Queued,
    DeliveryState::Retrying,
    DeliveryState::Sent,
    DeliveryState::Failed,
    DeliveryState::Unknown,
    DeliveryState::Held,
    DeliveryState::Skipped,
    DeliveryState::Cancelled,
    DeliveryState::Expired,
];

/// All of them; what is not here does not happen.
pub const TRANSITIONS: &[Transition] = &[
    // Nothing was sent, so nothing is in doubt.
    Transition {
        from: NOT_WRITTEN,
        event: DeliveryEvent::Decided,
        to: &[
            DeliveryState::Queued,
            DeliveryState::Failed,
            DeliveryState::Skipped,
            DeliveryState::Cancelled,
            DeliveryState::Expired,
        ],
    },
    // One that was opened by an earlier owner of its chunk, and has no outcome, waits as doubtful.
    Transition {
        from: &[QUEUED, SENDING, RETRYING],
        event: DeliveryEvent::Decided,
        to: &[
            DeliveryState::Queued,
            DeliveryState::Retrying,
            DeliveryState::Failed,
            DeliveryState::Unknown,
            DeliveryState::Held,
            DeliveryState::Skipped,
            DeliveryState::Cancelled,
            DeliveryState::Expired,
        ],
    },
    Transition {
        from: &[None, QUEUED, RETRYING],
        event: DeliveryEvent::Opened,
        to: &[DeliveryState::Sending],
    },
    Transition { from: &[SENDING], event: DeliveryEvent::Answered, to: OUTCOMES },
    Transition { from: &[RETRYING], event: DeliveryEvent::AnsweredLate, to: OUTCOMES },
    // A person need not be asked any more.
    Transition { from: &[HELD], event: DeliveryEvent::AnsweredLate, to: DeliveryState::ANSWERED },
    Transition { from: &[HELD], event: DeliveryEvent::SentAgain, to: &[DeliveryState::Queued] },
    Transition { from: &[HELD], event: DeliveryEvent::Closed, to: &[DeliveryState::Unknown] },
];

impl DeliveryEvent {
    /// Whether it leads from the one to the other.
    pub fn leads(self, from: Option<DeliveryState>, to: DeliveryState) -> bool {
        self.rows().any(|row| row.from.contains(&from) && row.to.contains(&to))
    }

    /// Whether it may lead to this state from any.
    pub fn leads_to(self, to: DeliveryState) -> bool {
        self.rows().any(|row| row.to.contains(&to))
    }

    /// Whether it may happen to a delivery in this state.
    pub fn leads_from(self, from: Option<DeliveryState>) -> bool {
        self.rows().any(|row| row.from.contains(&from))
    }

    fn rows(self) -> impl Iterator<Item = &'static Transition> {
        TRANSITIONS.iter().filter(move |row| row.event == self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Every state, and that of one that is not written.
    fn states() -> impl Iterator<Item = Option<DeliveryState>> {
        std::iter::once(None).chain(DeliveryState::ALL.iter().copied().map(Some))
    }

    /// The states from which an event leads anywhere.
    fn sources(event: DeliveryEvent) -> BTreeSet<DeliveryState> {
        states().filter(|from| event.leads_from(*from)).flatten().collect()
    }

    fn set(of: &[DeliveryState]) -> BTreeSet<DeliveryState> {
        of.iter().copied().collect()
    }

    #[test]
    fn every_state_is_reached() {
        let (mut known, mut next) = (BTreeSet::new(), vec![None]);
        while let Some(from) = next.pop() {
            for to in TRANSITIONS.iter().filter(|row| row.from.contains(&from)).flat_map(|row| row.to) {
                if known.insert(*to) {
                    next.push(Some(*to));
                }
            }
        }
        assert_eq!(known, set(DeliveryState::ALL));
    }

    #[test]
    fn nothing_leads_out_of_a_final_state() {
        for event in DeliveryEvent::ALL {
            for state in DeliveryState::FINAL {
                assert!(!event.leads_from(Some(*state)), "{event:?} leads out of {state:?}");
            }
        }
    }

    /// The sets by which the stores write are those of the table.
    #[test]
    fn the_sets_are_those_of_the_table() {
        assert_eq!(sources(DeliveryEvent::Decided), set(DeliveryState::OPEN));
        assert_eq!(sources(DeliveryEvent::Opened), set(DeliveryState::WAITING));
        assert_eq!(sources(DeliveryEvent::Answered), set(&[DeliveryState::Sending]));
        assert_eq!(
            sources(DeliveryEvent::AnsweredLate),
            set(&[DeliveryState::Retrying, DeliveryState::Held])
        );
        for event in DeliveryEvent::ALL.iter().filter(|event| event.is_a_persons()) {
            assert_eq!(sources(*event), set(&[DeliveryState::Held]));
        }
    }

    #[test]
    fn a_held_one_leaves_by_a_person_or_by_a_fact() {
        let leaving = DeliveryEvent::ALL.iter().filter(|event| event.leads_from(HELD));
        for event in leaving.filter(|event| !event.is_a_persons()) {
            let to = DeliveryState::ALL.iter().copied().filter(|to| event.leads(HELD, *to));
            assert_eq!(to.collect::<BTreeSet<_>>(), set(DeliveryState::ANSWERED), "{event:?}");
        }
    }

    proptest! {
        /// Whatever happens in whatever order: what is final stays, nothing is sent that was not opened, and none but a
        /// person opens what a person decides about.
        #[test]
        fn what_happens_stays_within_the_table(
            drawn in prop::collection::vec((select(DeliveryEvent::ALL), select(DeliveryState::ALL)), 0..60),
        ) {
            let (mut state, mut was_opened) = (None, false);
            for (event, to) in drawn {
                let has_attempt = was_opened || event != DeliveryEvent::AnsweredLate;
                if !(event.leads(state, to) && has_attempt) {
                    continue;
                }
                prop_assert!(state.is_none_or(|it| !DeliveryState::FINAL.contains(&it)));
                prop_assert_eq!(to == DeliveryState::Sending, event == DeliveryEvent::Opened);
                was_opened |= event == DeliveryEvent::Opened;
                prop_assert!(was_opened || to != DeliveryState::Sent);
                prop_assert!(state.is_some() || to == DeliveryState::Sending || !DeliveryState::IN_DOUBT.contains(&to));
                prop_assert!(state != HELD || !to.is_open() || event.is_a_persons());
                state = Some(to);
            }
        }
    }
}

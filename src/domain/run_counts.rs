//! The counts of a run, and the two equations that must hold before it may be called done.
//!
//! A journey is counted once, by the best that came of it; a delivery by its node and state.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::customer::CustomerKey;
use super::left_out::Reasons;
use super::name::NodeIndex;
use super::state::{DeliveryState, RunState};

/// What came of a journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JourneyEnd {
    /// At least one message was attempted: sent, failed, held or unknown.
    Messaged,
    /// It met no message node.
    WithoutMessage,
    /// Every message it met was skipped.
    Skipped,
    /// It was stopped before a message.
    Cancelled,
    /// It came too late for a message.
    Expired,
}

/// How many journeys came to which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JourneyCounts {
    /// At least one message was attempted.
    pub messaged: u64,
    /// No message node was met.
    pub without_message: u64,
    /// Every message was skipped.
    pub skipped: u64,
    /// Stopped before a message.
    pub cancelled: u64,
    /// Too late for a message.
    pub expired: u64,
}

impl JourneyCounts {
    /// Counts journeys of one end.
    pub fn add(&mut self, end: JourneyEnd, journeys: u64) {
        *match end {
            JourneyEnd::Messaged => &mut self.messaged,
            JourneyEnd::WithoutMessage => &mut self.without_message,
            JourneyEnd::Skipped => &mut self.skipped,
            JourneyEnd::Cancelled => &mut self.cancelled,
            JourneyEnd::Expired => &mut self.expired,
        } += journeys;
    }

    /// All journeys that are at their end.
    pub fn total(&self) -> u64 {
        self.messaged + self.without_message + self.skipped + self.cancelled + self.expired
    }
}

/// What a chunk, or a whole run, amounts to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCounts {
    /// Journeys at their end.
    pub journeys: JourneyCounts,
    /// Deliveries by node's place in the scenario and by the state's word.
    pub deliveries: BTreeMap<u16, BTreeMap<String, u64>>,
    /// Customers who were skipped or failed, by reason.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
    /// Journeys that count by a message before a wait and were stopped, or expired, while they waited.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stopped_waiting: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What of a chunk's journeys is in other chunks of the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JourneysElsewhere {
    /// Customers who have left the chunk to wait: their journeys are counted where they are woken into.
    pub left: BTreeSet<CustomerKey>,
    /// The deliveries before the wait behind which the chunk begins.
    pub earlier: Vec<EarlierDelivery>,
}

/// A delivery of a journey from before it waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierDelivery {
    /// Whose it is.
    pub customer: CustomerKey,
    /// What became of it.
    pub state: DeliveryState,
    /// Why, in words.
    pub reason: Option<String>,
}

impl RunCounts {
    /// As the ledger keeps it.
    pub fn written(&self) -> String {
        serde_json::to_string(self).expect("run counts are made of texts and numbers")
    }

    /// Reads what [`Self::written`] wrote.
    ///
    /// # Errors
    /// What about the text is not of run counts.
    pub fn read(written: &str) -> serde_json::Result<Self> {
        serde_json::from_str(written)
    }

    /// Counts so many journeys that all ended like this, without a message.
    pub fn of_untouched(journeys: u64, end: JourneyEnd) -> Self {
        let mut run_counts = RunCounts::default();
        run_counts.journeys.add(end, journeys);
        run_counts
    }

    /// How those ended who were not decided about when this was counted: a chunk is stopped as a whole, and what stopped it shows
    /// in its counts.
    pub fn end_of_rest(&self) -> JourneyEnd {
        if self.journeys.expired > 0 { JourneyEnd::Expired } else { JourneyEnd::Cancelled }
    }

    /// Counts a chunk from its deliveries, in the order of their customers. Journeys with deliveries count by what
    /// came of them; of the others, those before `position` ended without a message, and the rest as `rest` says. Those who
    /// have left the chunk are not counted here, but their deliveries are.
    pub fn of_chunk(
        deliveries: impl IntoIterator<Item = (CustomerKey, NodeIndex, DeliveryState)>,
        elsewhere: &JourneysElsewhere,
        keys: &[CustomerKey],
        position: usize,
        rest: JourneyEnd,
    ) -> RunCounts {
        let mut run_counts = RunCounts::default();
        let mut journeys: BTreeMap<CustomerKey, Vec<DeliveryState>> = BTreeMap::new();
        for (customer, node, state) in deliveries {
            run_counts.add_deliveries(node, state, 1);
            journeys.entry(customer).or_default().push(state);
        }
        let has_left = |key: &CustomerKey| elsewhere.left.contains(key);
        let undecided =
            keys.iter().skip(position).filter(|key| !has_left(key) && !journeys.contains_key(key));
        let undecided: BTreeSet<CustomerKey> = undecided.copied().collect();
        for EarlierDelivery { customer, state, .. } in &elsewhere.earlier {
            journeys.entry(*customer).or_default().push(*state);
        }
        for (customer, states) in journeys.iter().filter(|(key, _)| !has_left(key)) {
            let mut end = journey_end(states.iter().copied());
            if undecided.contains(customer) {
                match end {
                    JourneyEnd::Messaged => run_counts.stopped_waiting += 1,
                    _ => end = rest,
                }
            }
            run_counts.journeys.add(end, 1);
        }
        for key in keys.iter().filter(|key| !has_left(key) && !journeys.contains_key(key)) {
            let end = if undecided.contains(key) { rest } else { JourneyEnd::WithoutMessage };
            run_counts.journeys.add(end, 1);
        }
        run_counts
    }

    /// Counts deliveries of one node in one state.
    pub fn add_deliveries(&mut self, node: NodeIndex, state: DeliveryState, count: u64) {
        let states = self.deliveries.entry(node.0).or_default();
        match states.get_mut(state.word()) {
            Some(counted) => *counted += count,
            None => drop(states.insert(state.word().to_owned(), count)),
        }
    }

    /// Adds the counts of another part of the run.
    pub fn merge(&mut self, other: &RunCounts) {
        for (end, count) in [
            (JourneyEnd::Messaged, other.journeys.messaged),
            (JourneyEnd::WithoutMessage, other.journeys.without_message),
            (JourneyEnd::Skipped, other.journeys.skipped),
            (JourneyEnd::Cancelled, other.journeys.cancelled),
            (JourneyEnd::Expired, other.journeys.expired),
        ] {
            self.journeys.add(end, count);
        }
        for (node, states) in &other.deliveries {
            let mine = self.deliveries.entry(*node).or_default();
            for (state, count) in states {
                *mine.entry(state.clone()).or_default() += count;
            }
        }
        self.reasons.merge(&other.reasons);
        self.stopped_waiting += other.stopped_waiting;
    }

    /// Deliveries by state, all nodes together.
    pub fn by_state(&self) -> BTreeMap<&str, u64> {
        let mut sums = BTreeMap::new();
        for (state, count) in self.deliveries.values().flatten() {
            *sums.entry(state.as_str()).or_default() += count;
        }
        sums
    }

    /// How a run ends whose counts these are; `halted` is the end that it was brought to by a person or by its expiry. One
    /// that was halted behind its last message is done all the same.
    pub fn end_of_run(&self, halted: Option<RunState>) -> RunState {
        let deliveries = self.by_state();
        let any = |state: DeliveryState| deliveries.get(state.word()).is_some_and(|count| *count > 0);
        if self.journeys.cancelled > 0 || any(DeliveryState::Cancelled) {
            return RunState::Cancelled;
        }
        if self.journeys.expired > 0 || any(DeliveryState::Expired) {
            return RunState::Expired;
        }
        halted.filter(|_| self.journeys.total() == 0 || self.stopped_waiting > 0).unwrap_or(RunState::Done)
    }

    /// Checks both equations of a run that claims to be done: every member of the audience has come to an end,
    /// and every delivery of each node to a final state. `deliveries` counts the rows of each node on its own.
    ///
    /// # Errors
    /// The numbers that do not add up.
    pub fn settle(&self, audience: u64, deliveries: &BTreeMap<u16, u64>) -> Result<(), Unsettled> {
        let ended = self.journeys.total();
        if ended != audience {
            return Err(Unsettled::Journeys { audience, ended });
        }
        let nodes: std::collections::BTreeSet<u16> =
            deliveries.keys().chain(self.deliveries.keys()).copied().collect();
        for node in nodes {
            let rows = deliveries.get(&node).copied().unwrap_or(0);
            let final_states = self.final_deliveries(node);
            if rows != final_states {
                return Err(Unsettled::Deliveries { node, rows, final_states });
            }
        }
        Ok(())
    }

    fn final_deliveries(&self, node: u16) -> u64 {
        let is_final = |word: &str| DeliveryState::from_word(word).is_some_and(|state| !state.is_open());
        let states = self.deliveries.get(&node).into_iter().flatten();
        states.filter(|(word, _)| is_final(word)).map(|(_, count)| count).sum()
    }
}

/// What came of the journey whose deliveries are in these states; none at all means that it met no message.
pub fn journey_end(states: impl IntoIterator<Item = DeliveryState>) -> JourneyEnd {
    let mut end = JourneyEnd::WithoutMessage;
    for state in states {
        end = match (state, end) {
            (_, JourneyEnd::Messaged) => return JourneyEnd::Messaged,
            (DeliveryState::Cancelled, _) => JourneyEnd::Cancelled,
            (_, JourneyEnd::Cancelled) if !state.is_message() => JourneyEnd::Cancelled,
            (DeliveryState::Expired, _) => JourneyEnd::Expired,
            (_, JourneyEnd::Expired) if !state.is_message() => JourneyEnd::Expired,
            (DeliveryState::Skipped, _) => JourneyEnd::Skipped,
            _ => JourneyEnd::Messaged,
        };
    }
    end
}

/// An equation that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsettled {
    /// Not as many journeys came to an end as the audience has members.
    #[error("the audience is {audience}, but {ended} journeys came to an end")]
    Journeys {
        /// Members of the audience.
        audience: u64,
        /// Journeys at their end.
        ended: u64,
    },
    /// Not every delivery of a node is in a final state.
    #[error("node {node} has {rows} deliveries, but {final_states} in final states")]
    Deliveries {
        /// The node's place in the scenario.
        node: u16,
        /// Deliveries there are.
        rows: u64,
        /// Those counted in final states.
        final_states: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeliveryState::{Cancelled, Expired, Held, Sent, Skipped};

    #[test]
    fn a_journey_counts_by_the_best_that_came_of_it() {
        assert_eq!(journey_end([]), JourneyEnd::WithoutMessage);
        assert_eq!(journey_end([Skipped]), JourneyEnd::Skipped);
        assert_eq!(journey_end([Skipped, Sent]), JourneyEnd::Messaged);
        assert_eq!(journey_end([Sent, Cancelled]), JourneyEnd::Messaged);
        assert_eq!(journey_end([Cancelled, Held]), JourneyEnd::Messaged);
        assert_eq!(journey_end([Skipped, Expired]), JourneyEnd::Expired);
        assert_eq!(journey_end([Expired, Skipped]), JourneyEnd::Expired);
        assert_eq!(journey_end([Cancelled, Skipped]), JourneyEnd::Cancelled);
        assert_eq!(journey_end([Expired, Cancelled]), JourneyEnd::Cancelled);
    }

    #[test]
    fn a_run_is_done_only_if_nothing_of_it_was_cancelled_or_expired() {
        let end = |ends: &[(JourneyEnd, u64)], states: &[DeliveryState], halted| {
            let mut run_counts = RunCounts::default();
            ends.iter().for_each(|(end, count)| run_counts.journeys.add(*end, *count));
            states.iter().for_each(|state| run_counts.add_deliveries(NodeIndex(0), *state, 1));
            run_counts.end_of_run(halted)
        };
        let (cancelled, expired) = (Some(RunState::Cancelled), Some(RunState::Expired));
        assert_eq!(end(&[(JourneyEnd::Messaged, 60)], &[Sent, Skipped], None), RunState::Done);
        let some_late = [(JourneyEnd::Messaged, 6), (JourneyEnd::Expired, 54)];
        assert_eq!(end(&some_late, &[Sent, Expired], expired), RunState::Expired);
        assert_eq!(end(&[(JourneyEnd::Messaged, 60)], &[Sent, Expired], None), RunState::Expired);
        let some_stopped = [(JourneyEnd::Messaged, 6), (JourneyEnd::Cancelled, 54)];
        assert_eq!(end(&some_stopped, &[Sent], cancelled), RunState::Cancelled);
        assert_eq!(
            end(&[(JourneyEnd::Messaged, 60)], &[Sent], cancelled),
            RunState::Done,
            "it came too late"
        );
        for halted in [cancelled, expired] {
            assert_eq!(Some(end(&[], &[], halted)), halted, "nobody was selected yet");
        }
        assert_eq!(end(&[], &[], None), RunState::Done);
    }

    #[test]
    fn a_run_settles_only_when_both_equations_hold() {
        let mut run_counts = RunCounts::default();
        run_counts.journeys.add(JourneyEnd::Messaged, 2);
        run_counts.journeys.add(JourneyEnd::WithoutMessage, 1);
        run_counts.add_deliveries(NodeIndex(0), Sent, 1);
        run_counts.add_deliveries(NodeIndex(0), Held, 1);
        let rows = BTreeMap::from([(0, 2)]);
        assert_eq!(run_counts.settle(3, &rows), Ok(()));
        assert_eq!(run_counts.settle(4, &rows), Err(Unsettled::Journeys { audience: 4, ended: 3 }));
        run_counts.add_deliveries(NodeIndex(0), DeliveryState::Retrying, 1);
        let rows = BTreeMap::from([(0, 3)]);
        assert_eq!(
            run_counts.settle(3, &rows),
            Err(Unsettled::Deliveries { node: 0, rows: 3, final_states: 2 })
        );
    }

    #[test]
    fn a_chunk_that_was_stopped_tells_who_was_decided_from_who_was_not() {
        let keys: Vec<CustomerKey> = (10..20).map(CustomerKey).collect();
        let rows = [(11, Sent), (13, Skipped), (17, Held)];
        let rows = rows.map(|(key, state)| (CustomerKey(key), NodeIndex(0), state));
        let run_counts =
            RunCounts::of_chunk(rows, &JourneysElsewhere::default(), &keys, 5, JourneyEnd::Cancelled);
        let counted = JourneyCounts { messaged: 2, without_message: 3, skipped: 1, cancelled: 4, expired: 0 };
        assert_eq!(run_counts.journeys, counted);
        let run_counts =
            RunCounts::of_chunk(rows, &JourneysElsewhere::default(), &keys, 10, JourneyEnd::Cancelled);
        assert_eq!((run_counts.journeys.without_message, run_counts.journeys.cancelled), (7, 0));
    }

    #[test]
    fn who_waits_elsewhere_is_counted_once() {
        let keys: Vec<CustomerKey> = (0..6).map(CustomerKey).collect();
        let rows = [(0, Sent), (1, Sent), (2, Skipped)];
        let rows = rows.map(|(key, state)| (CustomerKey(key), NodeIndex(0), state));
        let left = BTreeSet::from([CustomerKey(1), CustomerKey(4)]);
        let elsewhere = JourneysElsewhere { left, earlier: Vec::new() };
        let before = RunCounts::of_chunk(rows, &elsewhere, &keys, 6, JourneyEnd::WithoutMessage);
        let counted = JourneyCounts { messaged: 1, without_message: 2, skipped: 1, ..Default::default() };
        assert_eq!((before.journeys, before.by_state()["sent"]), (counted, 2));

        let (woken, earlier) = (
            [CustomerKey(1), CustomerKey(4)],
            vec![EarlierDelivery { customer: CustomerKey(1), state: Sent, reason: None }],
        );
        let elsewhere = JourneysElsewhere { left: BTreeSet::new(), earlier };
        let through = RunCounts::of_chunk([], &elsewhere, &woken, 2, JourneyEnd::WithoutMessage);
        assert_eq!((through.journeys.messaged, through.journeys.without_message), (1, 1));
        assert!(through.deliveries.is_empty(), "they are counted where they were made");
        assert_eq!(before.journeys.total() + through.journeys.total(), 6);

        let stopped = RunCounts::of_chunk([], &elsewhere, &woken, 0, JourneyEnd::Cancelled);
        assert_eq!(
            (stopped.journeys.messaged, stopped.journeys.cancelled, stopped.stopped_waiting),
            (1, 1, 1)
        );
        let mut only_messaged = stopped.clone();
        only_messaged.journeys.cancelled = 0;
        assert_eq!(only_messaged.end_of_run(Some(RunState::Expired)), RunState::Expired);
    }

    #[test]
    fn tallies_add_up() {
        let mut sum = RunCounts::default();
        let mut part = RunCounts::default();
        part.journeys.add(JourneyEnd::Skipped, 2);
        part.add_deliveries(NodeIndex(1), Skipped, 2);
        sum.merge(&part);
        sum.merge(&part);
        assert_eq!(sum.journeys.skipped, 4);
        assert_eq!(sum.by_state(), BTreeMap::from([("skipped", 4)]));
        let text = serde_json::to_string(&sum).unwrap();
        assert_eq!(serde_json::from_str::<RunCounts>(&text).unwrap(), sum);
    }
}

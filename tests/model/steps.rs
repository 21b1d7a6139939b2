//! What the model makes of a step: outcomes, what was decided, what was passed, openings, cursors.

use std::collections::HashSet;

use fanfare::domain::delivery::DeliveryId;
use fanfare::domain::state::{DeliveryState, RunState};
use fanfare::store::deliveries::{Committed, Decided, Delivery, Opened, Outcome, SendIntent, Step};
use fanfare::store::runs::Fence;
use jiff::Timestamp;

use crate::model::Model;
use crate::mutants::Mistake;

impl Model {
    pub(super) fn commit(&mut self, step: &Step) -> Committed {
        let (mut seen, mut told_of_held) = (HashSet::new(), false);
        for outcome in &step.outcomes {
            // Of two outcomes of one attempt the first counts.
            if seen.insert((outcome.id, outcome.attempt)) {
                told_of_held |= self.settle(outcome, step.at);
            }
        }
        let lost = !self.decide_and_pass(step);
        let mut seen = HashSet::new();
        let mut open =
            |one: &SendIntent| if seen.insert(one.id) { self.open(one, step) } else { Opened::Lost };
        let opened: Vec<Opened> = step.openings.iter().map(&mut open).collect();
        for (opening, _) in step.openings.iter().zip(&opened).filter(|(_, opened)| **opened == Opened::Yes) {
            if let Some(node) = opening.predecessor {
                self.pass(DeliveryId { node, ..opening.id });
            }
        }
        for cursor in &step.cursors {
            if self.holds(cursor.chunk.n, cursor.fence) {
                let chunk = &mut self.chunks[cursor.chunk.n as usize];
                chunk.position = chunk.position.max(cursor.position);
            }
        }
        if told_of_held {
            step.outcomes.iter().for_each(|outcome| self.count_anew(outcome.id));
        }
        Committed { opened, lost }
    }

    /// Whether all of it was the bringer's to decide.
    fn decide_and_pass(&mut self, step: &Step) -> bool {
        let (mut seen, mut is_all, mut predecessor) = (HashSet::new(), true, Vec::new());
        for decided in &step.decided {
            let is_held = self.holds(decided.chunk, decided.fence);
            is_all &= is_held;
            // Of two decisions about one delivery the first counts.
            if is_held && seen.insert(decided.id) {
                self.decide(decided, step.at);
                predecessor.extend(decided.predecessor.map(|node| DeliveryId { node, ..decided.id }));
            }
        }
        for advanced in &step.advanced {
            match self.holds(advanced.chunk, advanced.fence) {
                true => predecessor.push(advanced.id),
                false => is_all = false,
            }
        }
        predecessor.into_iter().for_each(|id| self.pass(id));
        is_all
    }

    /// Whether the chunk is open and the fence is its own.
    fn holds(&self, n: u32, fence: Fence) -> bool {
        let chunk = self.chunks.get(n as usize).filter(|chunk| !chunk.done);
        chunk.is_some_and(|chunk| chunk.fence == fence.0 || self.rules.mistake == Some(Mistake::FenceIgnored))
    }

    fn row(&mut self, id: DeliveryId) -> Option<&mut Delivery> {
        self.deliveries.get_mut(&id)
    }

    /// Whether it is of a delivery that was held: another process may bring what became of it after all.
    fn settle(&mut self, outcome: &Outcome, at: Timestamp) -> bool {
        let any_attempt = self.rules.mistake == Some(Mistake::OutcomeOfAnyAttempt);
        let only_sending = self.rules.mistake == Some(Mistake::LateOutcomeIgnored);
        let opener = self.openers.get(&outcome.id).copied();
        let is_anothers = self.rules.replicas && opener != Some(outcome.fence);
        let replicas = self.rules.replicas;
        let Some(row) = self.row(outcome.id) else { return false };
        let is_known = matches!(outcome.state, DeliveryState::Sent | DeliveryState::Failed);
        let was_held = row.state == DeliveryState::Held && row.maybe_sent && is_known && replicas;
        let waits_in_doubt = row.state == DeliveryState::Retrying && row.maybe_sent && !only_sending;
        let is_under_way = row.state == DeliveryState::Sending || waits_in_doubt || was_held;
        if !is_under_way || ((row.attempt != outcome.attempt || is_anothers) && !any_attempt) {
            return false;
        }
        row.state = outcome.state;
        row.attempt = outcome.attempts_counted;
        row.maybe_sent |= outcome.maybe_sent;
        row.provider_id = outcome.provider_id.clone().or(row.provider_id.take());
        row.reason.clone_from(&outcome.reason);
        row.retry_at = outcome.retry_at;
        row.done_at = (!outcome.state.is_open()).then_some(at);
        row.advanced |= outcome.advanced;
        was_held
    }

    fn decide(&mut self, decided: &Decided, at: Timestamp) {
        let overwrites = self.rules.mistake == Some(Mistake::FinalOverwritten);
        let done_at = (!decided.state.is_open()).then_some(at);
        let row = self.deliveries.entry(decided.id).or_insert_with(|| fresh(decided.id, decided));
        if row.state.is_open() || overwrites {
            row.state = decided.state;
            row.maybe_sent |= decided.maybe_sent;
            row.reason.clone_from(&decided.reason);
            (row.retry_at, row.done_at) = (decided.retry_at, done_at);
            row.advanced |= decided.advanced;
        }
    }

    /// A journey goes on behind a node whatever targets its message went to.
    fn pass(&mut self, id: DeliveryId) {
        let of_node = |other: &DeliveryId| (other.customer, other.node) == (id.customer, id.node);
        for (_, row) in self.deliveries.iter_mut().filter(|(other, _)| of_node(other)) {
            row.advanced = true;
        }
    }

    fn open(&mut self, opening: &SendIntent, step: &Step) -> Opened {
        if !self.holds(opening.chunk, opening.fence) {
            return Opened::Lost;
        }
        let stops = self.stopping && self.rules.mistake != Some(Mistake::StopIgnored);
        if stops || self.state != RunState::Running {
            return Opened::Stopping;
        }
        let opened =
            if opening.is_retry { self.open_again(opening, step) } else { self.open_first(opening, step) };
        if opened == Opened::Yes {
            self.openers.insert(opening.id, opening.fence);
        }
        opened
    }

    fn open_first(&mut self, opening: &SendIntent, step: &Step) -> Opened {
        if let Some(row) = self.deliveries.get(&opening.id) {
            let is_same = row.state == DeliveryState::Sending
                && row.attempt == opening.attempt
                && row.digest == Some(opening.digest);
            return if step.repeated && is_same { Opened::Yes } else { Opened::Lost };
        }
        let row = Delivery {
            id: opening.id,
            channel: opening.channel.clone(),
            state: DeliveryState::Sending,
            attempt: opening.attempt,
            maybe_sent: false,
            address: Some(opening.address.clone()),
            digest: Some(opening.digest),
            provider_id: None,
            reason: None,
            first_at: Some(step.at),
            last_at: Some(step.at),
            retry_at: None,
            done_at: None,
            advanced: false,
            segments: opening.segments,
        };
        self.deliveries.insert(opening.id, row);
        Opened::Yes
    }

    fn open_again(&mut self, opening: &SendIntent, step: &Step) -> Opened {
        let Some(row) = self.row(opening.id) else { return Opened::Lost };
        let waits = matches!(row.state, DeliveryState::Queued | DeliveryState::Retrying)
            && row.attempt + 1 == opening.attempt;
        let is_same = row.state == DeliveryState::Sending
            && row.attempt == opening.attempt
            && row.digest == Some(opening.digest);
        if !(waits || step.repeated && is_same) {
            return Opened::Lost;
        }
        row.state = DeliveryState::Sending;
        row.attempt = opening.attempt;
        (row.address, row.digest) = (Some(opening.address.clone()), Some(opening.digest));
        row.segments = opening.segments;
        row.first_at = row.first_at.or(Some(step.at));
        (row.last_at, row.retry_at) = (Some(step.at), None);
        Opened::Yes
    }
}

/// A row that was decided without a window.
fn fresh(id: DeliveryId, decided: &Decided) -> Delivery {
    Delivery {
        id,
        channel: decided.channel.clone(),
        state: DeliveryState::Queued,
        attempt: 0,
        maybe_sent: false,
        address: None,
        digest: None,
        provider_id: None,
        reason: None,
        first_at: None,
        last_at: None,
        retry_at: None,
        done_at: None,
        advanced: false,
        segments: None,
    }
}

//! Steps as a channel or a walk would bring them, right, late, doubled and mistaken.

use fanfare::domain::delivery::MessageDigest;
use fanfare::domain::name::{ChannelName, NodeIndex};
use fanfare::domain::state::DeliveryState;
use fanfare::store::deliveries::{Advanced, Cursor, Decided, Outcome, SendIntent, Step};
use fanfare::store::runs::Fence;

use crate::actors::Actors;
use crate::model::Model;

impl Actors {
    /// What came of what is under way; at times an outcome that was brought before.
    pub(super) fn draw_outcomes(&mut self, step: &mut Step) {
        for _ in 0..=self.random.below(2) {
            if !self.brought.is_empty() && self.chance(8) {
                let place = self.random.below(u32::try_from(self.brought.len()).unwrap()) as usize;
                step.outcomes.push(self.brought[place].clone());
                continue;
            }
            let under_way = u32::try_from(self.actor().under_way.len()).unwrap();
            if under_way == 0 {
                return;
            }
            let place = self.random.below(under_way) as usize;
            let opening = self.actor().under_way.swap_remove(place);
            let outcome = self.outcome(&opening);
            self.brought.push(outcome.clone());
            step.outcomes.push(outcome);
        }
    }

    fn outcome(&mut self, opening: &SendIntent) -> Outcome {
        use DeliveryState::{Failed, Held, Queued, Retrying, Sent, Unknown};
        let state = self.pick(&[Sent, Sent, Sent, Failed, Unknown, Held, Held, Retrying, Retrying, Queued]);
        let maybe_sent = matches!(state, Unknown | Held) || state == Retrying && self.chance(2);
        // What was not its own fault does not count.
        let counted = opening.attempt - u32::from(state == Queued);
        let at = self.tick();
        Outcome {
            id: opening.id,
            attempt: opening.attempt,
            fence: opening.fence,
            attempts_counted: counted,
            state,
            maybe_sent,
            provider_id: (state == Sent).then(|| format!("p{}", at.as_microsecond())),
            reason: (state != Sent).then(|| format!("{} as it was", state.word())),
            retry_at: state.is_open().then_some(at),
            advanced: self.chance(3) && !state.is_open(),
        }
    }

    pub(super) fn draw_decided(&mut self, step: &mut Step, model: &Model, chunk: u32, fence: Fence) {
        use DeliveryState::{Cancelled, Expired, Held, Queued, Retrying, Skipped, Unknown};
        for _ in 0..=self.random.below(2) {
            let id = self.delivery(model, chunk);
            if step.decided.iter().any(|one| one.id == id) && !self.chance(4) {
                continue;
            }
            let state = self.pick(&[Skipped, Retrying, Retrying, Queued, Held, Cancelled, Expired, Unknown]);
            let at = self.tick();
            step.decided.push(Decided {
                id,
                channel: ChannelName::new("sms"),
                chunk,
                fence,
                state,
                maybe_sent: matches!(state, Retrying | Held | Unknown),
                reason: Some(format!("decided at {}", at.as_microsecond())),
                retry_at: state.is_open().then_some(at),
                advanced: self.chance(3),
                predecessor: (id.node.0 > 0).then_some(NodeIndex(0)),
            });
        }
    }

    pub(super) fn draw_passed(&mut self, step: &mut Step, model: &Model, chunk: u32, fence: Fence) {
        step.advanced.push(Advanced { id: self.delivery(model, chunk), chunk, fence });
    }

    /// First attempts and further ones, mostly as the rows ask for.
    pub(super) fn draw_openings(&mut self, step: &mut Step, model: &Model, chunk: u32, fence: Fence) {
        for _ in 0..=self.random.below(3) {
            let id = self.delivery(model, chunk);
            if step.openings.iter().any(|one| one.id == id) && !self.chance(4) {
                continue;
            }
            let row = model.deliveries.get(&id);
            let right = (row.is_some(), row.map_or(1, |row| row.attempt + 1));
            let (again, attempt) = match self.random.below(12) {
                0 => (!right.0, right.1),
                1 => (right.0, 1 + self.random.below(3)),
                _ => right,
            };
            step.openings.push(SendIntent {
                id,
                channel: ChannelName::new("sms"),
                chunk,
                fence,
                attempt,
                is_retry: again,
                address: format!("+43-{}", id.customer.0),
                digest: MessageDigest([u8::from(self.chance(5)); 16]),
                predecessor: (id.node.0 > 0).then_some(NodeIndex(0)),
                segments: (id.customer.0 % 3 > 0).then(|| u8::try_from(attempt).unwrap()),
            });
        }
    }

    pub(super) fn draw_cursor(&mut self, step: &mut Step, model: &Model, n: u32, fence: Fence) {
        let most = u32::try_from(model.chunks[n as usize].keys.len()).unwrap();
        let position = self.random.below(most + 1) as usize;
        step.cursors.push(Cursor { chunk: model.chunk_id(n), fence, position });
    }
}

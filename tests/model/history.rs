//! What must hold whatever the model says: seen from the store's own answers and rows, before and after.

use std::collections::{BTreeMap, HashSet};

use fanfare::domain::delivery::DeliveryId;
use fanfare::domain::run_counts::RunCounts;
use fanfare::domain::state::{DeliveryState, RunState};
use fanfare::store::deliveries::{Delivery, Opened, Outcome, SendIntent, Step};
use fanfare::store::runs::{Fence, Taken};

use crate::actors::Actors;
use crate::model::Model;
use crate::operations::{Answer, Operation};
use crate::picture::Picture;

/// What has been told to anybody.
#[derive(Default)]
pub struct History {
    /// The newest right to each chunk.
    newest: BTreeMap<u32, Fence>,
    /// Who may be sending each delivery: the newest opening.
    senders: BTreeMap<DeliveryId, Sender>,
}

/// An opening that was answered with yes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sender {
    fence: Fence,
    attempt: u32,
}

/// The store before an operation and after it.
pub struct Seen<'a> {
    pub before: &'a Picture,
    pub after: &'a Picture,
}

impl Seen<'_> {
    fn before(&self, id: DeliveryId) -> Option<&Delivery> {
        self.before.deliveries.iter().find(|row| row.id == id)
    }

    fn after(&self, id: DeliveryId) -> Option<&Delivery> {
        self.after.deliveries.iter().find(|row| row.id == id)
    }
}

impl History {
    /// Notes what was answered.
    ///
    /// # Errors
    /// A promise that was broken, in words.
    pub fn note(&mut self, operation: &Operation, answer: &Answer, seen: &Seen<'_>) -> Result<(), String> {
        final_states_stay(operation, seen)?;
        match (operation, answer) {
            (Operation::Take { n, .. }, Answer::Taken(Taken::Here(taken))) => self.given(*n, taken.fence)?,
            (Operation::SetAudience { .. }, Answer::Fence(Some(fence))) => self.given(0, *fence)?,
            (Operation::Commit(step), Answer::Committed(committed)) => {
                self.outcomes_are_facts(step, seen)?;
                self.nobody_decides_who_lost(step, seen)?;
                let mut sent = HashSet::new();
                let kept = step.openings.iter().zip(&committed.opened).filter(|(_, it)| **it == Opened::Yes);
                for (opening, _) in kept {
                    if !sent.insert(opening.id) {
                        return Err(format!("sent twice by one step: {opening:?}"));
                    }
                    self.opened(opening)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn given(&mut self, n: u32, fence: Fence) -> Result<(), String> {
        match self.newest.insert(n, fence) {
            Some(before) if before >= fence => {
                Err(format!("chunk {n} was given with {fence:?} after {before:?}"))
            }
            _ => Ok(()),
        }
    }

    /// Whoever opens is the only owner.
    fn opened(&mut self, opening: &SendIntent) -> Result<(), String> {
        if self.newest.get(&opening.chunk) != Some(&opening.fence) {
            return Err(format!("opened by one who lost the chunk: {opening:?}"));
        }
        self.senders.insert(opening.id, Sender { fence: opening.fence, attempt: opening.attempt });
        Ok(())
    }

    /// The outcome of the attempt under way counts, whoever brings it; one of another's earlier attempt does not.
    fn outcomes_are_facts(&self, step: &Step, seen: &Seen<'_>) -> Result<(), String> {
        for outcome in &step.outcomes {
            let others = step.outcomes.iter().filter(|one| one.id == outcome.id).count() > 1
                || step.decided.iter().any(|one| one.id == outcome.id)
                || step.openings.iter().any(|one| one.id == outcome.id);
            let Some(before) = seen.before(outcome.id).filter(|row| row.state == DeliveryState::Sending)
            else {
                continue;
            };
            let Some(sender) = self.senders.get(&outcome.id).filter(|_| !others) else { continue };
            let after = seen.after(outcome.id);
            let counts = after.is_some_and(|row| row.state == outcome.state);
            let changed = after.is_none_or(|row| row.state != before.state || row.attempt != before.attempt);
            match is_of(outcome, sender, seen) {
                true if !counts => return Err(format!("a fact was not taken: {outcome:?}, {after:?}")),
                false if changed => {
                    return Err(format!(
                        "{outcome:?} is not of the attempt under way ({sender:?}) but changed it: {after:?}"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Without the newest right nothing but an outcome changes anything.
    fn nobody_decides_who_lost(&self, step: &Step, seen: &Seen<'_>) -> Result<(), String> {
        let rights = step.decided.iter().map(|one| (one.chunk, one.fence));
        let rights = rights.chain(step.advanced.iter().map(|one| (one.chunk, one.fence)));
        let mut rights = rights.chain(step.openings.iter().map(|one| (one.chunk, one.fence))).peekable();
        if rights.peek().is_none() || rights.any(|(n, fence)| self.newest.get(&n) == Some(&fence)) {
            return Ok(());
        }
        for row in &seen.after.deliveries {
            let has_outcome = step.outcomes.iter().any(|outcome| outcome.id == row.id);
            if !has_outcome && seen.before(row.id) != Some(row) {
                return Err(format!("one who lost the chunk changed {row:?}"));
            }
        }
        Ok(())
    }
}

/// On a file there is nobody else who could bring it.
fn is_of(outcome: &Outcome, sender: &Sender, seen: &Seen<'_>) -> bool {
    let is_anothers = seen.before.pending.is_some() && outcome.fence != sender.fence;
    outcome.attempt == sender.attempt && !is_anothers
}

/// Only what is held changes after its end: a person decides, or what became of its attempt is told after all.
fn final_states_stay(operation: &Operation, seen: &Seen<'_>) -> Result<(), String> {
    for row in seen.before.deliveries.iter().filter(|row| !row.state.is_open()) {
        let may_change = match operation {
            Operation::Resend { id, .. } | Operation::Close { id, .. } => *id == row.id,
            Operation::Commit(step) => step.outcomes.iter().any(|outcome| {
                let is_known = matches!(outcome.state, DeliveryState::Sent | DeliveryState::Failed);
                outcome.id == row.id && is_known && row.maybe_sent && outcome.attempt == row.attempt
            }),
            _ => false,
        };
        let after = seen.after(row.id).map(|after| Delivery { advanced: row.advanced, ..after.clone() });
        if after.as_ref() != Some(row) && !(may_change && row.state == DeliveryState::Held) {
            return Err(format!("{row:?} was at its end and became {after:?}"));
        }
    }
    Ok(())
}

/// What is done is counted, and adds up.
///
/// # Errors
/// What does not, in words.
pub fn adds_up(model: &Model, picture: &Picture) -> Result<(), String> {
    let mut all = RunCounts::default();
    for (n, chunk) in picture.chunks.iter().enumerate().filter(|(_, chunk)| chunk.done) {
        let n = u32::try_from(n).unwrap();
        let rows = picture.deliveries.iter().filter(|row| model.chunk_of(row.id.customer) == Some(n));
        let mut counted = RunCounts::default();
        for row in rows {
            if row.state.is_open() {
                return Err(format!("chunk {n} is done with {row:?}"));
            }
            counted.add_deliveries(row.id.node, row.state, 1);
        }
        let counts = chunk.counts.clone().ok_or_else(|| format!("chunk {n} is done and not counted"))?;
        if counts.deliveries != counted.deliveries {
            return Err(format!("chunk {n} was counted as {counts:?}, its rows are {counted:?}"));
        }
        all.merge(&counts);
    }
    let is_done = [RunState::Done, RunState::Cancelled].iter().any(|state| state.code() == picture.state);
    if is_done {
        let mut by_node = BTreeMap::new();
        for row in &picture.deliveries {
            *by_node.entry(row.id.node.0).or_default() += 1;
        }
        let audience = model.chunks.iter().map(|chunk| chunk.keys.len() as u64).sum();
        all.settle(audience, &by_node).map_err(|unsettled| unsettled.to_string())?;
    }
    Ok(())
}

/// The actors' beliefs are theirs to have; this only says what they are when something went wrong.
pub fn beliefs(actors: &Actors) -> String {
    let each = actors.actors.iter().map(|actor| format!("{}: {:?}", actor.owner, actor.chunks));
    each.collect::<Vec<_>>().join("\n")
}

//! Who does what next: processes that know what they were told, forget it when they crash, and are late.

use std::collections::BTreeMap;
use std::sync::Arc;

use fanfare::domain::customer::CustomerKey;
use fanfare::domain::delivery::{DeliveryId, TargetId};
use fanfare::domain::name::NodeIndex;
use fanfare::domain::run_counts::{JourneyEnd, JourneysElsewhere, RunCounts};
use fanfare::domain::state::{DeliveryState, RunState};
use fanfare::store::deliveries::{Opened, Outcome, SendIntent, Step};
use fanfare::store::runs::{Fence, Taken};
use jiff::{SignedDuration, Timestamp};

use crate::harness::Random;
use crate::model::Model;
use crate::operations::{Answer, Operation};

/// The number of a target that is not the only one.
const SECOND_TARGET: i32 = 1_987_654_321;

/// What a process believes.
#[derive(Debug, Clone, Default)]
pub struct Actor {
    pub owner: String,
    /// The chunks it has taken, whether or not it still has them.
    pub chunks: BTreeMap<u32, Fence>,
    /// What it may send, and has no outcome of.
    pub under_way: Vec<SendIntent>,
    /// The last step that opened something; it may not know whether it was kept.
    pub last_step: Option<Arc<Step>>,
}

/// All who take part.
pub struct Actors {
    pub random: Random,
    pub actors: Vec<Actor>,
    /// Outcomes that were brought, to be brought again.
    pub brought: Vec<Outcome>,
    prefix: String,
    born: u32,
    clock: Timestamp,
    last: usize,
}

impl Actors {
    pub fn new(random: Random, prefix: String, count: u32) -> Self {
        let clock = Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap();
        let (actors, brought) = (Vec::new(), Vec::new());
        let mut all = Actors { random, actors, brought, prefix, born: 0, clock, last: 0 };
        for _ in 0..count {
            let actor = all.born();
            all.actors.push(actor);
        }
        all
    }

    fn born(&mut self) -> Actor {
        self.born += 1;
        Actor { owner: format!("{}-{}", self.prefix, self.born), ..Actor::default() }
    }

    /// Another moment, later than all before.
    pub fn tick(&mut self) -> Timestamp {
        self.clock += SignedDuration::from_micros(1);
        self.clock
    }

    pub fn chance(&mut self, one_in: u32) -> bool {
        self.random.below(one_in) == 0
    }

    pub fn pick<T: Copy>(&mut self, some: &[T]) -> T {
        some[self.random.below(u32::try_from(some.len()).unwrap()) as usize]
    }

    /// What happens next.
    pub fn next(&mut self, model: &Model) -> Operation {
        self.last = self.random.below(u32::try_from(self.actors.len()).unwrap()) as usize;
        if self.chance(60) {
            self.actors[self.last] = self.born();
        }
        let owner = self.actors[self.last].owner.clone();
        if model.state == RunState::Selecting {
            return match self.random.below(4) {
                0 => Operation::Renew { owner },
                1 => Operation::LeaseSelection { owner },
                2 => Operation::RunOut { owner },
                _ => Operation::SetAudience { owner },
            };
        }
        match self.random.below(100) {
            0..=5 => Operation::Renew { owner },
            6..=7 => Operation::RunOut { owner },
            8 => Operation::GiveBack { owner },
            9 => Operation::SetAudience { owner },
            10..=11 => Operation::OpenChunks { owner },
            12..=24 => Operation::Take { n: self.random.below(3), owner },
            25..=34 => self.finish(model),
            35 => Operation::FinishUntouched { end: self.journey_end() },
            36..=37 => Operation::Totals,
            38..=40 => self.end(model),
            41 if self.chance(3) => Operation::Stop,
            42..=45 => self.about_one_held(model),
            _ => Operation::Commit(Arc::new(self.step(model))),
        }
    }

    fn journey_end(&mut self) -> JourneyEnd {
        self.pick(&[JourneyEnd::Cancelled, JourneyEnd::Expired])
    }

    /// As the engine counts a chunk, and when; at times with an old fence.
    fn finish(&mut self, model: &Model) -> Operation {
        let n = self.random.below(u32::try_from(model.chunks.len()).unwrap());
        let chunk = &model.chunks[n as usize];
        let believed = self.actors[self.last].chunks.get(&n).copied();
        let fence = believed.unwrap_or(Fence(1 + i64::from(self.random.below(3))));
        let position = if model.stopping { chunk.position } else { chunk.keys.len() };
        let rest = if model.stopping { self.journey_end() } else { JourneyEnd::WithoutMessage };
        Operation::Finish {
            n,
            fence,
            position,
            counts: RunCounts::of_chunk(
                model.states_of(n),
                &JourneysElsewhere::default(),
                &chunk.keys,
                position,
                rest,
            ),
        }
    }

    fn end(&mut self, model: &Model) -> Operation {
        let state = match self.random.below(30) {
            0 => RunState::Failed,
            _ if model.stopping => RunState::Cancelled,
            _ => RunState::Done,
        };
        Operation::End { state, at: self.tick() }
    }

    fn about_one_held(&mut self, model: &Model) -> Operation {
        let held = model.deliveries.values().filter(|row| row.state == DeliveryState::Held);
        let mut ids: Vec<_> = held.map(|row| row.id).collect();
        if ids.is_empty() || self.chance(6) {
            ids = model.deliveries.values().map(|row| row.id).collect();
        }
        if ids.is_empty() {
            return Operation::Totals;
        }
        let (id, at) = (self.pick(&ids), self.tick());
        if self.chance(2) { Operation::Resend { id, at } } else { Operation::Close { id, at } }
    }

    fn step(&mut self, model: &Model) -> Step {
        if let Some(step) = self.actors[self.last].last_step.clone().filter(|_| self.chance(12)) {
            return Step { repeated: true, ..(*step).clone() };
        }
        let mut step = Step { at: self.tick(), repeated: self.chance(10), ..Step::default() };
        if self.chance(2) {
            self.draw_outcomes(&mut step);
        }
        let Some((n, fence)) = self.right(model) else { return step };
        if self.chance(4) {
            self.draw_decided(&mut step, model, n, fence);
        }
        if self.chance(6) {
            self.draw_passed(&mut step, model, n, fence);
        }
        if self.chance(2) {
            self.draw_openings(&mut step, model, n, fence);
        }
        if self.chance(4) {
            self.draw_cursor(&mut step, model, n, fence);
        }
        step
    }

    /// A chunk with the right that the actor believes to have, at times a wrong one.
    fn right(&mut self, model: &Model) -> Option<(u32, Fence)> {
        let believed: Vec<(u32, Fence)> =
            self.actors[self.last].chunks.iter().map(|(n, fence)| (*n, *fence)).collect();
        if believed.is_empty() || self.chance(25) {
            let n = self.random.below(u32::try_from(model.chunks.len()).unwrap());
            return Some((n, Fence(1 + i64::from(self.random.below(4)))));
        }
        Some(self.pick(&believed))
    }

    pub fn customer(&mut self, model: &Model, n: u32) -> CustomerKey {
        self.pick(&model.chunks[n as usize].keys)
    }

    pub fn node(&mut self) -> NodeIndex {
        NodeIndex(u16::from(self.chance(3)))
    }

    /// A delivery to one of the chunk's customers, now and then to a second target of one.
    pub fn delivery(&mut self, model: &Model, chunk: u32) -> DeliveryId {
        let (customer, node) = (self.customer(model, chunk), self.node());
        let target = TargetId::from_number(if self.chance(4) { SECOND_TARGET } else { 0 }).unwrap();
        DeliveryId { run: model.id, customer, node, target }
    }

    pub fn actor(&mut self) -> &mut Actor {
        &mut self.actors[self.last]
    }

    /// Whoever asked learns what it was answered.
    pub fn learn(&mut self, operation: &Operation, answer: &Answer) {
        let actor = &mut self.actors[self.last];
        match (operation, answer) {
            (Operation::Take { n, .. }, Answer::Taken(Taken::Here(taken))) => {
                actor.chunks.insert(*n, taken.fence);
            }
            (Operation::SetAudience { .. }, Answer::Fence(Some(fence))) => {
                actor.chunks.insert(0, *fence);
            }
            (Operation::Commit(step), Answer::Committed(committed)) => {
                let kept = step.openings.iter().zip(&committed.opened).filter(|(_, it)| **it == Opened::Yes);
                actor.under_way.extend(kept.map(|(opening, _)| opening.clone()));
                if !step.openings.is_empty() {
                    actor.last_step = Some(Arc::clone(step));
                }
            }
            _ => {}
        }
    }
}

//! One sequence of operations on a run of its own, drawn from a seed.

use std::sync::atomic::{AtomicU32, Ordering};

use fanfare::domain::customer::CustomerKey;

use crate::actors::Actors;
use crate::harness::Random;
use crate::history::{History, Seen, adds_up, beliefs};
use crate::model::{Model, Rules};
use crate::mutants::Mistake;
use crate::operations::Operation;
use crate::picture::Picture;
use crate::real::{Begun, Real};

/// How many operations a sequence has.
const LENGTH: usize = 120;
/// How many of the last are told when something differs.
const TOLD: usize = 12;
/// Processes that work on the run.
const ACTORS: u32 = 3;

/// A run that is under way on both sides.
pub struct Sequence<'a> {
    real: &'a Real,
    begun: Begun,
    model: Model,
    actors: Actors,
    history: History,
    told: Vec<String>,
    /// The store as it was seen last.
    seen: Picture,
}

/// Three chunks of a few customers.
fn audience() -> Vec<Vec<CustomerKey>> {
    let keys = |range: std::ops::Range<i64>| range.map(CustomerKey).collect();
    vec![keys(1..4), keys(4..7), keys(7..9)]
}

impl<'a> Sequence<'a> {
    /// Gives the number of operations.
    ///
    /// # Errors
    /// What differs, and what led to it.
    pub async fn run(real: &'a Real, seed: u64, mistake: Option<Mistake>) -> Result<usize, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("o{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let begun = real.begin(&name).await;
        let rules = Rules { replicas: real.has_replicas(), mistake };
        let model = Model::new(rules, begun.run, &name, audience());
        let actors = Actors::new(Random::of_seed(seed), name, ACTORS);
        let (history, told, seen) = (History::default(), Vec::new(), real.picture(begun).await);
        let mut sequence = Sequence { real, begun, model, actors, history, told, seen };
        for _ in 0..LENGTH {
            let operation = sequence.actors.next(&sequence.model);
            if let Err(difference) = sequence.step(&operation).await {
                let told = sequence.told.join("\n");
                return Err(format!("{difference}\n{}\nwhat led to it:\n{told}", beliefs(&sequence.actors)));
            }
        }
        Ok(LENGTH)
    }

    async fn step(&mut self, operation: &Operation) -> Result<(), String> {
        let mut answer = self.real.apply(self.begun.run, &self.model.audience, operation).await;
        let mut expected = self.model.apply(operation);
        answer.forget_what_is_not_counted();
        expected.forget_what_is_not_counted();
        self.told.push(format!("{operation:?} => {answer:?}"));
        if self.told.len() > TOLD {
            self.told.remove(0);
        }
        if answer != expected {
            return Err(format!("answered {answer:?}, not {expected:?}"));
        }
        let after = self.real.picture(self.begun).await;
        let expected = self.model.picture();
        if after != expected {
            return Err(after.differences(&expected));
        }
        self.history.note(operation, &answer, &Seen { before: &self.seen, after: &after })?;
        adds_up(&self.model, &after)?;
        self.actors.learn(operation, &answer);
        self.seen = after;
        Ok(())
    }
}

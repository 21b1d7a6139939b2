//! What can go wrong, one file a kind, and the order in which a seed lets it.

mod disk_full;
mod kill;
mod network;
mod outage;
mod pause;
mod restart;
mod takeover;
mod terminate;

use std::time::Duration;

use crate::harness::Random;
use crate::world::World;

/// Something that goes wrong once.
pub trait Fault: Send + Sync {
    /// Its kind, for people.
    fn name(&self) -> String;

    /// Lets it happen, and what is needed be put right again.
    fn strike(&self, world: &World<'_>);

    /// Whether others happen meanwhile.
    fn goes_on_alongside(&self) -> bool {
        false
    }

    /// Whether nothing else may be wrong meanwhile, because something is measured.
    fn is_alone(&self) -> bool {
        false
    }
}

/// A fault in its place of the schedule.
pub struct Planned {
    /// How long to wait before it.
    pub after: Duration,
    pub fault: Box<dyn Fault>,
}

type Draw = fn(&mut Random) -> Box<dyn Fault>;

/// Every kind, with how often it is drawn beside the others.
const KINDS: [(u32, Draw); 11] = [
    (4, |random| Box::new(kill::Kill::draw(random))),
    (1, |random| Box::new(pause::Pause::draw(random))),
    (1, |random| Box::new(restart::Restart::draw(random, crate::server::Stop::Fast))),
    (1, |random| Box::new(restart::Restart::draw(random, crate::server::Stop::Immediate))),
    (3, |random| Box::new(terminate::Terminate::draw(random))),
    (2, |random| Box::new(network::Cut::draw(random))),
    (1, |random| Box::new(network::Delay::draw(random))),
    (2, |random| Box::new(network::HalfClose::draw(random))),
    (1, |random| Box::new(network::Silence::draw(random))),
    (1, |random| Box::new(disk_full::DiskFull::draw(random))),
    (1, |random| Box::new(outage::Outage::draw(random))),
];

/// The takeover is measured once in so many faults.
const MEASURED_EVERY: usize = 50;

/// A schedule: every kind once as far as it goes, in any order, and then by their weights; the takeover before all.
pub fn schedule(count: usize, random: &mut Random) -> Vec<Planned> {
    let mut order: Vec<Draw> = KINDS.iter().map(|(_, draw)| *draw).collect();
    for place in (1..order.len()).rev() {
        order.swap(place, random.below(place as u32 + 1) as usize);
    }
    let weights: u32 = KINDS.iter().map(|(weight, _)| weight).sum();
    let mut planned = Vec::new();
    while planned.len() < count {
        let after = Duration::from_millis(u64::from(50 + random.below(900)));
        let fault = if planned.len().is_multiple_of(MEASURED_EVERY) {
            Box::new(takeover::Takeover)
        } else if let Some(draw) = order.pop() {
            draw(random)
        } else {
            let mut left = random.below(weights);
            let drawn = KINDS.iter().find(|(weight, _)| {
                let is_it = left < *weight;
                left = left.saturating_sub(*weight);
                is_it
            });
            drawn.expect("the weights add up").1(random)
        };
        planned.push(Planned { after, fault });
    }
    planned
}

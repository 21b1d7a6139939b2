//! SIGSTOP for longer than the lease: the process comes back and believes that it is still the owner.

use std::time::Duration;

use super::Fault;
use crate::harness::Random;
use crate::world::World;

pub struct Pause {
    which: u32,
    length: Duration,
}

impl Pause {
    pub fn draw(random: &mut Random) -> Self {
        let length = Duration::from_millis(u64::from(9_000 + random.below(3_000)));
        Self { which: random.next_number(), length }
    }
}

impl Fault for Pause {
    fn name(&self) -> String {
        "pause beyond the lease".to_owned()
    }

    fn strike(&self, world: &World<'_>) {
        let (number, _mine) = world.take(self.which);
        let replica = &world.fleet.replicas[number];
        replica.signal("STOP");
        std::thread::sleep(self.length);
        replica.signal("CONT");
    }

    fn goes_on_alongside(&self) -> bool {
        true
    }
}

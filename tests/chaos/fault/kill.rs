//! SIGKILL, and another process in its place after a while.

use std::time::Duration;

use super::Fault;
use crate::harness::Random;
use crate::world::World;

pub struct Kill {
    which: u32,
    rest: Duration,
}

impl Kill {
    pub fn draw(random: &mut Random) -> Self {
        Self { which: random.next_number(), rest: Duration::from_millis(random.below(1_000).into()) }
    }
}

impl Fault for Kill {
    fn name(&self) -> String {
        "kill".to_owned()
    }

    fn strike(&self, world: &World<'_>) {
        let (number, _mine) = world.take(self.which);
        let replica = &world.fleet.replicas[number];
        replica.kill();
        std::thread::sleep(self.rest);
        world.fleet.start_one(number);
    }
}

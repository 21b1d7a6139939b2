//! The database is restarted, in order or as after a crash.

use std::time::Duration;

use super::Fault;
use crate::harness::Random;
use crate::server::Stop;
use crate::world::World;

pub struct Restart {
    how: Stop,
    down_for: Duration,
}

impl Restart {
    pub fn draw(random: &mut Random, how: Stop) -> Self {
        Self { how, down_for: Duration::from_millis(random.below(1_500).into()) }
    }
}

impl Fault for Restart {
    fn name(&self) -> String {
        format!("restart {:?}", self.how).to_lowercase()
    }

    fn strike(&self, world: &World<'_>) {
        world.server.down(self.how);
        std::thread::sleep(self.down_for);
        world.server.up();
    }
}

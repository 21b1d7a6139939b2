//! The database's disk is full, and freed again.

use std::time::Duration;

use super::Fault;
use crate::harness::Random;
use crate::small_disk;
use crate::world::World;

pub struct DiskFull {
    length: Duration,
}

impl DiskFull {
    pub fn draw(random: &mut Random) -> Self {
        Self { length: Duration::from_millis(u64::from(2_000 + random.below(3_000))) }
    }
}

impl Fault for DiskFull {
    fn name(&self) -> String {
        "full disk".to_owned()
    }

    fn strike(&self, world: &World<'_>) {
        small_disk::fill(&world.server.folder);
        std::thread::sleep(self.length);
        small_disk::free(&world.server.folder);
        // It ends by itself if there was no room for its log.
        world.server.up();
    }
}

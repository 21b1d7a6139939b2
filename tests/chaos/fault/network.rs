//! What networks do between replicas and their database.

use std::time::Duration;

use super::Fault;
use crate::harness::Random;
use crate::proxy::{Half, Proxy};
use crate::world::World;

/// Whose connections.
struct Whose(u32);

impl Whose {
    /// One replica's, or in one of four cases everybody's.
    fn draw(random: &mut Random) -> Self {
        Self(random.next_number())
    }

    fn of<'a>(&self, world: &'a World<'_>) -> Vec<&'a Proxy> {
        let all = &world.proxies;
        if self.0.is_multiple_of(4) {
            all.iter().collect()
        } else {
            vec![&all[(self.0 / 4) as usize % all.len()]]
        }
    }
}

/// Every connection is cut.
pub struct Cut(Whose);

impl Cut {
    pub fn draw(random: &mut Random) -> Self {
        Self(Whose::draw(random))
    }
}

impl Fault for Cut {
    fn name(&self) -> String {
        "cut connections".to_owned()
    }

    fn strike(&self, world: &World<'_>) {
        self.0.of(world).iter().for_each(|proxy| proxy.cut());
    }
}

/// One way of every connection is closed.
pub struct HalfClose(Whose, Half);

impl HalfClose {
    pub fn draw(random: &mut Random) -> Self {
        let half = if random.below(2) == 0 { Half::ToClient } else { Half::ToServer };
        Self(Whose::draw(random), half)
    }
}

impl Fault for HalfClose {
    fn name(&self) -> String {
        format!("half-close {:?}", self.1).to_lowercase()
    }

    fn strike(&self, world: &World<'_>) {
        self.0.of(world).iter().for_each(|proxy| proxy.half_close(self.1));
    }
}

/// Everything takes longer for a while.
pub struct Delay(Whose, Duration, Duration);

impl Delay {
    pub fn draw(random: &mut Random) -> Self {
        let whose = Whose::draw(random);
        let [delay, length] = [50 + random.below(451), 2_000 + random.below(4_000)];
        Self(whose, Duration::from_millis(delay.into()), Duration::from_millis(length.into()))
    }
}

impl Fault for Delay {
    fn name(&self) -> String {
        "delay".to_owned()
    }

    fn strike(&self, world: &World<'_>) {
        let proxies = self.0.of(world);
        proxies.iter().for_each(|proxy| proxy.delay(self.1));
        std::thread::sleep(self.2);
        proxies.iter().for_each(|proxy| proxy.delay(Duration::ZERO));
    }

    fn goes_on_alongside(&self) -> bool {
        true
    }
}

/// Connections stay open, and nothing comes through for a while.
pub struct Silence(Whose, Duration);

impl Silence {
    pub fn draw(random: &mut Random) -> Self {
        let whose = Whose::draw(random);
        Self(whose, Duration::from_millis(u64::from(2_000 + random.below(10_000))))
    }
}

impl Fault for Silence {
    fn name(&self) -> String {
        "silence".to_owned()
    }

    fn strike(&self, world: &World<'_>) {
        self.0.of(world).iter().for_each(|proxy| proxy.silence(self.1));
        std::thread::sleep(self.1);
    }

    fn goes_on_alongside(&self) -> bool {
        true
    }
}

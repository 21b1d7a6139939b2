//! Random numbers that a seed replays: SplitMix64 (Steele, Lea, Flood).

use std::time::{SystemTime, UNIX_EPOCH};

/// A source of random numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A source with the seed that the variable names, or with another one each time; and the seed, to be printed.
    pub fn of_seed_in(variable: &str) -> (Self, u64) {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = std::env::var(variable).map_or(clock, |seed| seed.parse().expect("a number"));
        (Self(seed), seed)
    }

    /// The source of this seed.
    pub fn of_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number; a seed for another source.
    pub fn number(&mut self) -> u64 {
        self.next()
    }

    /// Another source, for another thread.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// A number from 0 to below the bound.
    pub fn below(&mut self, bound: u32) -> u32 {
        (self.next() % u64::from(bound)) as u32
    }

    /// Any number.
    pub fn next_number(&mut self) -> u32 {
        (self.next() >> 32) as u32
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

//! The ledger under crashes at random moments, with customers that change and providers that fail in every way.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare::domain::state::DeliveryState as State;
use jiff::Timestamp;

use crate::harness::Place;
use crate::provider::{Manner, Seen, busy, down, sent, unknown};
use crate::world::{WINDOW, World};

pub const CUSTOMERS: i64 = 1500;

/// A small generator of numbers, the same for the same seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

fn mix(number: u64) -> u64 {
    let mut dice = Dice(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    dice.roll(2);
    dice.roll(1 << 20)
}

/// Fails now and then in every way there is; the further on, the more willing.
pub fn moody(seed: u64) -> Manner {
    Arc::new(move |n, _| {
        let delay = Duration::from_micros(mix(seed ^ n as u64) % 3000);
        match mix(seed.wrapping_add(n as u64)) % 40 {
            0 => (true, unknown(), delay),
            1 => (false, unknown(), delay),
            2 => (false, busy(), delay),
            3 => (false, down(), delay),
            _ => (true, sent(), delay),
        }
    })
}

/// Gives how many deliveries were left in doubt by crashes.
async fn crash_again_and_again(place: Place, seed: u64) -> usize {
    let mut dice = Dice(seed | 1);
    let world = World::new(place).await;
    world.populate(CUSTOMERS, |n| n).await;
    world.connect(moody(seed), moody(seed + 1));
    let (mut crashes, mut in_doubt) = (0, 0);
    let mut calls = Vec::new();
    for scenario in ["narrow", "wide", "waits"] {
        calls.push(world.call(scenario, None).await);
    }
    for _ in 0..8 {
        let started = Timestamp::now();
        let engine = world.start();
        until_attempts(&world, dice.roll(180)).await;
        engine.stop(Duration::ZERO).await;
        crashes += 1;
        in_doubt += open_windows(&world, started, seed);
        let shift = i64::try_from(dice.roll(50)).unwrap();
        world.populate(CUSTOMERS / 3, |n| n + shift).await;
    }
    let engine = world.start();
    for call in &calls {
        assert_eq!(world.until_ended(call, Duration::from_secs(60)).await, "done");
    }
    engine.stop(Duration::from_secs(1)).await;
    check(&world, crashes, seed);
    in_doubt
}

/// How many deliveries a crash left open, of those opened since the last start: at most a window for each channel.
fn open_windows(world: &World, started: Timestamp, seed: u64) -> usize {
    let count = |channel: &str| {
        let since = started.as_microsecond();
        let sql = format!(
            "SELECT count(*) FROM delivery WHERE state = 1 AND channel = '{channel}' AND last_at >= {since}"
        );
        world.place.count(&sql) as usize
    };
    let (sms, mail) = (count("sms"), count("mail"));
    assert!(sms <= WINDOW && mail <= WINDOW, "seed {seed}: {sms} and {mail} open");
    sms + mail
}

/// Waits until so many attempts more have been made, or all is done.
pub async fn until_attempts(world: &World, more: u64) {
    let seen = || world.record.lock().unwrap().len() as u64;
    let wanted = seen() + more;
    let deadline = Instant::now() + Duration::from_secs(20);
    while seen() < wanted && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
}

pub fn check(world: &World, crashes: usize, seed: u64) {
    let rows = world.rows();
    for run in [1, 2, 3] {
        assert_eq!(world.audience(run), CUSTOMERS, "seed {seed}");
        assert_eq!(world.journeys(run).values().sum::<i64>(), CUSTOMERS, "seed {seed}: first equation");
    }
    assert!(
        rows.iter().all(|row| !State::from_code(row.3).unwrap().is_open()),
        "seed {seed}: second equation"
    );
    let mut nodes: HashMap<(i64, i64), HashSet<i64>> = HashMap::new();
    for (run, customer, node, _, _) in &rows {
        nodes.entry((*run, *customer)).or_default().insert(*node);
    }
    let both = nodes.values().filter(|nodes| nodes.contains(&0) && nodes.contains(&1)).count();
    assert_eq!(both, 0, "seed {seed}: nobody goes both ways");
    // Customers whose mood never changed have exactly the journey it leads to.
    for (run, second) in [(1, Second::None), (2, Second::AtOnce), (3, Second::BehindWait)] {
        for mood in CUSTOMERS / 3..CUSTOMERS {
            let walked = nodes.get(&(run, mood + 1)).cloned().unwrap_or_default();
            assert_eq!(walked, expected_nodes(mood, second), "seed {seed}: run {run}, mood {mood}");
        }
    }
    check_record(&world.record.lock().unwrap(), crashes, seed);
}

/// The second message of a run's journeys.
#[derive(Clone, Copy)]
enum Second {
    None,
    AtOnce,
    BehindWait,
}

fn expected_nodes(mood: i64, second: Second) -> HashSet<i64> {
    if mood % 13 == 12 {
        return HashSet::new();
    }
    let first = mood % 2;
    let second = match second {
        Second::None => None,
        Second::AtOnce => (mood % 3 == 0).then_some(2),
        Second::BehindWait => (mood % 5 != 4 && mood % 3 != 2).then_some(4),
    };
    std::iter::once(first).chain(second).collect()
}

fn check_record(record: &[Seen], crashes: usize, seed: u64) {
    let mut by_key: BTreeMap<&str, Vec<&Seen>> = BTreeMap::new();
    for seen in record {
        by_key.entry(&seen.key).or_default().push(seen);
    }
    let mut duplicates = 0;
    for attempts in by_key.values() {
        let taken = attempts.iter().filter(|seen| seen.taken).count();
        let first = attempts[0];
        assert!(
            attempts.iter().all(|seen| seen.address == first.address && seen.text == first.text),
            "seed {seed}: attempts say the same: {attempts:?}"
        );
        if first.channel == "sms" {
            assert!(taken <= 1, "seed {seed}: no second SMS: {attempts:?}");
        }
        duplicates += taken.saturating_sub(1);
    }
    let unknowns = record.len() / 20;
    assert!(duplicates <= crashes * WINDOW + unknowns, "seed {seed}: {duplicates} duplicates");
}

pub async fn nothing_is_lost_doubled_or_decided_twice(place: Place) {
    let seeds: Vec<u64> = match std::env::var("FANFARE_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (1..=6).map(|n| n * 7919).collect(),
    };
    let story = |seed| tokio::spawn(crash_again_and_again(place.another(), seed));
    let worlds: Vec<_> = seeds.into_iter().map(story).collect();
    let mut in_doubt = 0;
    for world in worlds {
        in_doubt += world.await.unwrap();
    }
    assert!(in_doubt > 0, "a crash must come while something is under way, else this proves nothing");
}

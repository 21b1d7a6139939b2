//! What a seed means: how many replicas there are, what happens when, and how often what fails.

use std::time::Duration;

use crate::harness::Random;

/// How a store answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct StoreManner {
    /// How long a request takes each way, at most.
    pub latency_max: Duration,
    pub stalls_per_mille: u32,
    pub stall: Duration,
    pub refused_per_mille: u32,
    pub lost_per_mille: u32,
    /// Commits that a server carries out after they were given up.
    pub late_per_mille: u32,
    pub crashes_per_myriad: u32,
}

impl StoreManner {
    /// How it answers at that time: in the end all is well.
    pub fn at(self, now: Duration) -> Self {
        if now < EVENTFUL {
            return self;
        }
        StoreManner { latency_max: Duration::from_millis(1), ..StoreManner::default() }
    }

    /// How long a request takes one way.
    pub fn latency(&self, random: &mut Random) -> Duration {
        let most = self.latency_max.as_micros() as u32;
        Duration::from_micros(u64::from(random.below(most.max(1))))
    }
}

/// How a provider answers; shares are of 1,000 attempts.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProviderManner {
    pub answers_after_ms: u32,
    pub late_percent: u32,
    pub throttles: u32,
    pub busy: u32,
    pub refuses: u32,
    /// It says that something went wrong, and took the message or did not.
    pub lies: u32,
    pub hangs: u32,
    /// It cannot be reached from then on, for so long.
    pub down: Option<(Duration, Duration)>,
}

impl ProviderManner {
    /// How it answers at that time: in the end all is well.
    pub fn at(self, now: Duration) -> Self {
        if now < EVENTFUL {
            return self;
        }
        ProviderManner { late_percent: 0, throttles: 0, busy: 0, lies: 0, hangs: 0, ..self }
    }

    pub fn is_down(&self, now: Duration) -> bool {
        self.down.is_some_and(|(from, time)| now >= from && now < from + time)
    }
}

/// What happens to the world.
#[derive(Debug, Clone)]
pub enum Event {
    /// A call comes in by a replica.
    Call { replica: usize },
    /// A replica is killed, and another process begins after so long.
    Kill { replica: usize, back_after: Duration },
    /// A replica is stopped for so long, as by SIGSTOP.
    Freeze { replica: usize, time: Duration },
    /// The clock on a replica's wall is set.
    SetClock { replica: usize, ahead_ms: i64 },
    /// A person pauses a channel, for so long.
    Pause { channel: &'static str, time: Duration },
    /// Another version is put in force, by each replica on its own.
    Edit,
    /// A replica ends as it is told to, and another begins.
    Restart { replica: usize },
}

/// A simulation.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub customers: u32,
    pub replicas: usize,
    pub events: Vec<(Duration, Event)>,
    pub store: StoreManner,
    pub sms: ProviderManner,
    pub mail: ProviderManner,
    pub hook: ProviderManner,
}

/// The time in which things happen; then all is well, and everything comes to its end.
pub const EVENTFUL: Duration = Duration::from_secs(40);

/// One of these, at random.
fn one_of<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    choices[random.below(choices.len() as u32) as usize]
}

impl Plan {
    /// The plan of a seed, for so many replicas at most.
    pub fn of_seed(seed: u64, replicas_max: usize) -> Self {
        let mut random = Random::of_seed(seed);
        // A file is quicker than a server, and shows most.
        let replicas = match random.below(3) {
            0 if replicas_max > 1 => 2 + random.below(replicas_max as u32 - 1) as usize,
            _ => 1,
        };
        let customers = one_of(&mut random, &[8, 30, 90]);
        let store = store(&mut random);
        let [sms, mail, hook] = [0, 1, 2].map(|_| provider(&mut random));
        let mut events = Vec::new();
        for _ in 0..1 + random.below(4) {
            let replica = random.below(replicas as u32) as usize;
            events.push((moment(&mut random), Event::Call { replica }));
        }
        for _ in 0..random.below(6) {
            events.push((moment(&mut random), event(&mut random, replicas)));
        }
        for _ in 0..random.below(3) {
            events.push((moment(&mut random), Event::Edit));
        }
        events.sort_by_key(|(at, _)| *at);
        Plan { seed, customers, replicas, events, store, sms, mail, hook }
    }
}

/// Three replicas that are stopped beyond their leases, one after the other, in the midst of their work.
pub fn contested(seed: u64) -> Plan {
    let mut plan = Plan::of_seed(seed, 1);
    let slow = ProviderManner { answers_after_ms: 300, ..ProviderManner::default() };
    let calm = StoreManner { latency_max: Duration::from_millis(20), ..StoreManner::default() };
    let at = |ms: u64, event: Event| (Duration::from_millis(ms), event);
    let freeze =
        |ms: u64, replica: usize| at(ms + seed * 7, Event::Freeze { replica, time: Duration::from_secs(13) });
    plan.events = vec![
        at(1_000, Event::Call { replica: 0 }),
        at(1_010, Event::Call { replica: 1 }),
        freeze(2_500, 0),
        freeze(3_000, 1),
        freeze(17_000, 2),
    ];
    (plan.replicas, plan.customers, plan.store) = (3, 90, calm);
    (plan.sms, plan.mail, plan.hook) = (slow, slow, slow);
    plan
}

fn moment(random: &mut Random) -> Duration {
    Duration::from_millis(u64::from(random.below(EVENTFUL.as_millis() as u32)))
}

fn store(random: &mut Random) -> StoreManner {
    StoreManner {
        latency_max: Duration::from_micros(one_of(random, &[200, 2_000, 20_000])),
        stalls_per_mille: one_of(random, &[0, 0, 2, 20]),
        stall: Duration::from_millis(one_of(random, &[100, 1_000, 6_000])),
        refused_per_mille: one_of(random, &[0, 0, 5, 50]),
        lost_per_mille: one_of(random, &[0, 0, 5, 50]),
        late_per_mille: one_of(random, &[0, 0, 10]),
        crashes_per_myriad: one_of(random, &[0, 0, 10, 60]),
    }
}

fn provider(random: &mut Random) -> ProviderManner {
    let down =
        (random.below(3) == 0).then(|| (moment(random), Duration::from_secs(u64::from(random.below(20)))));
    ProviderManner {
        answers_after_ms: one_of(random, &[1, 20, 100, 1_500]),
        late_percent: one_of(random, &[0, 0, 5]),
        throttles: one_of(random, &[0, 0, 30, 300]),
        busy: one_of(random, &[0, 20, 100]),
        refuses: one_of(random, &[0, 10]),
        lies: one_of(random, &[0, 0, 20, 100]),
        hangs: one_of(random, &[0, 0, 10]),
        down,
    }
}

fn event(random: &mut Random, replicas: usize) -> Event {
    let replica = random.below(replicas as u32) as usize;
    let time = Duration::from_millis(u64::from(random.below(15_000)));
    match random.below(8) {
        0..3 => Event::Kill { replica, back_after: time / 3 },
        3 => Event::Freeze { replica, time },
        4 => Event::SetClock { replica, ahead_ms: i64::from(random.below(20_000)) - 10_000 },
        5 => Event::Pause { channel: one_of(random, &["sms", "mail", "hook"]), time },
        _ => Event::Restart { replica },
    }
}

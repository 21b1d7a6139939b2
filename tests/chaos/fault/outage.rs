//! The database is gone for a while, and many call: each replica refuses for now, with a time to come again, and holds
//! no more memory for it.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;

use serde_json::json;

use super::Fault;
use crate::harness::{Random, Request, until};
use crate::server::Stop;
use crate::world::{Ends, MEMORY_MAX_MIB, World};

/// Callers at each replica.
const CALLERS: usize = 8;
/// A replica that cannot reach its database says so within this.
const REFUSED_WITHIN: Duration = Duration::from_secs(15);

/// Once the database is back, each replica is ready again within this.
const READY_WITHIN: Duration = Duration::from_secs(10);

pub struct Outage {
    length: Duration,
}

impl Outage {
    pub fn draw(random: &mut Random) -> Self {
        Self { length: Duration::from_millis(u64::from(2_000 + random.below(2_000))) }
    }

    fn call(world: &World<'_>, number: usize, over: &AtomicBool, refused: &AtomicU32) {
        let key = world.traffic.calls.fetch_add(1, Relaxed);
        while !over.load(Relaxed) {
            let answer = world.fleet.ask_one(number, |dev| {
                let call = dev.call("alert", &json!({"region": "north"}));
                call.header("Idempotency-Key", &format!("outage-{key}"))
            });
            let Some(answer) = answer else { continue };
            assert_eq!(answer.status, 503, "{}", answer.body);
            assert!(answer.header("Retry-After").is_some(), "a 503 without Retry-After");
            refused.fetch_add(1, Relaxed);
        }
    }
}

impl Fault for Outage {
    fn name(&self) -> String {
        "outage under load".to_owned()
    }

    fn strike(&self, world: &World<'_>) {
        world.server.down(Stop::Fast);
        let over = AtomicBool::new(false);
        let refused: Vec<AtomicU32> = world.fleet.replicas.iter().map(|_| AtomicU32::new(0)).collect();
        std::thread::scope(|threads| {
            for (number, refused) in refused.iter().enumerate() {
                for _ in 0..CALLERS {
                    let over = &over;
                    threads.spawn(move || Self::call(world, number, over, refused));
                }
            }
            let _at_last = Ends(&over);
            std::thread::sleep(self.length);
            for count in &refused {
                until("a 503 of each replica", REFUSED_WITHIN, || (count.load(Relaxed) > 0).then_some(()));
            }
        });
        let memory = world.fleet.memory_max_mib();
        println!("    refused meanwhile: {refused:?}; memory at most {memory:?} MiB");
        assert!(memory.iter().all(|mib| *mib < MEMORY_MAX_MIB), "{memory:?} MiB");
        world.server.up();
        for number in 0..world.fleet.replicas.len() {
            until("each replica to be ready by itself", READY_WITHIN, || {
                let ready =
                    world.fleet.ask_one(number, |dev| Request::get(format!("{}/readyz", dev.server)))?;
                (ready.status == 200).then_some(())
            });
        }
    }

    fn is_alone(&self) -> bool {
        true
    }
}

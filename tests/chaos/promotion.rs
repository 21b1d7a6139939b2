//! The synchronous standby hangs; then the primary is lost and the standby promoted. Replicas know both by one URL.

use std::time::Duration;

use crate::alone;
use crate::harness::Random;
use crate::server::{Server, Stop};
use crate::story::Traffic;
use crate::world::{REPLICAS, Stage, World};

const CUSTOMERS: u32 = 600;
/// Longer than a lease.
const HANGS_FOR: Duration = Duration::from_secs(9);

#[test]
fn a_promoted_standby_has_everything_that_was_acknowledged() {
    let _alone = alone();
    let (mut random, seed) = Random::of_seed_in("FANFARE_CHAOS_SEED");
    println!("seed {seed}");
    let stage = Stage::new(CUSTOMERS);
    let primary = Server::start();
    let standby = primary.with_standby();
    let both = format!("postgres://fanfare@127.0.0.1:{},127.0.0.1:{}/postgres", primary.port, standby.port);
    let fleet = stage.fleet(&vec![both; REPLICAS]);
    let mut world = World { server: primary, proxies: Vec::new(), fleet, traffic: Traffic::default() };
    stage.live_through(&world, &mut random, |random| {
        std::thread::sleep(Duration::from_millis(u64::from(2_000 + random.below(2_000))));
        // Nothing is acknowledged that the standby has not written; leases run out meanwhile.
        standby.signal("STOP");
        // What was on its way is answered, or not.
        std::thread::sleep(Duration::from_millis(500));
        let acknowledged = world.traffic.acknowledged().len();
        std::thread::sleep(HANGS_FOR);
        assert_eq!(
            world.traffic.acknowledged().len(),
            acknowledged,
            "acknowledged before the standby had it"
        );
        standby.signal("CONT");
        std::thread::sleep(Duration::from_millis(u64::from(1_000 + random.below(2_000))));
        world.server.down(Stop::Immediate);
        std::thread::sleep(Duration::from_millis(random.below(2_000).into()));
        standby.promote();
        std::thread::sleep(Duration::from_secs(3));
        &standby
    });
    // The old one must not be asked any more.
    drop(std::mem::replace(&mut world.server, standby));
    stage.settle(world, 2);
}

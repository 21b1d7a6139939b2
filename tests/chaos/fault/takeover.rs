//! SIGKILL to a replica in the midst of its work, and how long it takes until another one goes on with it.

use std::time::{Duration, Instant, UNIX_EPOCH};

use super::Fault;
use crate::admin::Admin;
use crate::harness::until;
use crate::world::World;

/// From the SIGKILL to the first message of the dead one's range.
const TAKEOVER_MAX: Duration = Duration::from_secs(15);
/// There is work under way again by then.
const WORK_MAX: Duration = Duration::from_secs(60);

/// Chunks with most of their customers still to come.
const UNDER_WAY: &str = "SELECT c.owner, c.run, c.n, c.first_key, c.last_key FROM chunk c
    JOIN replica p ON p.owner = c.owner AND p.lease_until > clock_timestamp()
    WHERE c.state = 0 AND c.position * 2 < c.size AND c.size >= 100 ORDER BY c.size - c.position DESC LIMIT 1";
/// The first window that another one opened in that range: its messages leave at once.
const NEXT: &str = "SELECT min(d.last_at) FROM delivery d JOIN chunk c ON c.run = d.run
    WHERE d.run = $1 AND d.customer BETWEEN $2 AND $3 AND d.last_at > $4 AND c.n = $6
        AND c.owner IS DISTINCT FROM $5";

pub struct Takeover;

impl Fault for Takeover {
    fn name(&self) -> String {
        "kill and takeover".to_owned()
    }

    fn strike(&self, world: &World<'_>) {
        let admin = Admin::of(&world.server);
        let (number, row) = until("a chunk in the midst of its work", WORK_MAX, || {
            let row = admin.query(UNDER_WAY, &[]).pop()?;
            let owner: String = row.get(0);
            let replicas = &world.fleet.replicas;
            let number = replicas.iter().position(|one| one.owner(std::slice::from_ref(&owner)).is_some())?;
            Some((number, row))
        });
        let replica = &world.fleet.replicas[number];
        let _mine = replica.strike();
        replica.kill();
        let (killed, killed_us) = (Instant::now(), now_us());
        let (owner, run, n): (String, i64, i32) = (row.get(0), row.get(1), row.get(2));
        let (first, last): (i64, i64) = (row.get(3), row.get(4));
        let taken_us = until("another replica to go on", TAKEOVER_MAX * 2, || {
            admin.query(NEXT, &[&run, &first, &last, &killed_us, &owner, &n])[0].get::<_, Option<i64>>(0)
        });
        let took = Duration::from_micros(u64::try_from(taken_us - killed_us).unwrap());
        println!("    {} was killed; its range went on after {took:.1?}", replica.name);
        assert!(took < TAKEOVER_MAX && killed.elapsed() >= took, "{took:?}");
        world.fleet.start_one(number);
    }

    fn is_alone(&self) -> bool {
        true
    }
}

fn now_us() -> i64 {
    i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_micros()).unwrap()
}

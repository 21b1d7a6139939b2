//! Three replicas are replaced one after the other under traffic: each says at once that it is about to leave, answers
//! as long as it takes calls, gives back what it owns, and nothing is sent twice or held.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::admin::Admin;
use crate::alone;
use crate::harness::{Random, Request, until};
use crate::server::Server;
use crate::world::{REPLICAS, Stage, World};

const CUSTOMERS: u32 = 1_500;
/// `/readyz` says so within this.
const UNREADY_WITHIN: Duration = Duration::from_millis(1_500);
/// Well within the three seconds for which it is unready and still takes calls.
const ANSWERS_FOR: Duration = Duration::from_millis(1_800);
/// What was given back has another owner by then, or is done: well under the lease of 8 s.
const TAKEN_WITHIN: Duration = Duration::from_secs(3);

const OPEN: &str = "SELECT c.owner, c.run, c.n FROM chunk c WHERE c.state = 0 AND c.owner IS NOT NULL";
const STILL_OWNED: &str = "SELECT 1 FROM chunk WHERE owner = $1 AND state = 0";
const NOT_TAKEN: &str = "SELECT 1 FROM unnest($1::bigint[], $2::int[]) t (run, n)
    JOIN chunk c ON c.run = t.run AND c.n = t.n WHERE c.state = 0 AND c.owner IS NULL";

#[test]
fn a_rolling_restart_doubles_nothing_and_refuses_nobody() {
    let _alone = alone();
    let (mut random, seed) = Random::of_seed_in("FANFARE_CHAOS_SEED");
    println!("seed {seed}");
    let stage = Stage::new(CUSTOMERS);
    let world = stage.before(Server::start());
    stage.live_through(&world, &mut random, |random| {
        for number in 0..REPLICAS {
            std::thread::sleep(Duration::from_millis(u64::from(1_000 + random.below(1_000))));
            replace(&world, number);
        }
        std::thread::sleep(Duration::from_secs(1));
        &world.server
    });
    let settled = stage.settle(world, 0);
    let messages: std::collections::BTreeSet<_> =
        settled.record.taken.iter().map(|taken| &taken.mark).collect();
    assert_eq!(messages.len(), settled.record.taken.len(), "messages were sent again");
}

fn replace(world: &World<'_>, number: usize) {
    let (fleet, admin) = (&world.fleet, Admin::of(&world.server));
    let replica = &fleet.replicas[number];
    let owned = admin.query(OPEN, &[]);
    let owners: Vec<String> = owned.iter().map(|row| row.get(0)).collect();
    let owner = replica.owner(&owners).unwrap_or_default();
    let _mine = replica.strike();
    let told = Instant::now();
    std::thread::scope(|threads| {
        let ending = threads.spawn(|| fleet.terminate(number));
        until("a 503 of /readyz", UNREADY_WITHIN, || {
            let ready = fleet.ask_one(number, |dev| Request::get(format!("{}/readyz", dev.server)))?;
            (ready.status == 503).then_some(())
        });
        println!("  {} is unready after {:.1?}", replica.name, told.elapsed());
        call(world, number);
        let mut answered = 0;
        while told.elapsed() < ANSWERS_FOR {
            let answer = fleet.ask_one(number, |dev| dev.api("GET", "/api/v1/calls?limit=1"));
            assert_eq!(answer.expect("it still answers").status, 200);
            answered += 1;
        }
        assert!(answered > 0);
        ending.join().unwrap();
    });
    let ended = Instant::now();
    println!("  {} ended after {:.1?}", replica.name, told.elapsed());
    assert!(admin.query(STILL_OWNED, &[&owner]).is_empty(), "{} kept its chunks", replica.name);
    let (runs, numbers) = owned
        .iter()
        .filter(|row| row.get::<_, String>(0) == owner)
        .map(|row| (row.get::<_, i64>(1), row.get::<_, i32>(2)))
        .unzip::<_, _, Vec<_>, Vec<_>>();
    until("others to go on with its chunks", TAKEN_WITHIN, || {
        admin.query(NOT_TAKEN, &[&runs, &numbers]).is_empty().then_some(())
    });
    println!("  {} chunks of its went on after {:.1?}", runs.len(), ended.elapsed());
    fleet.start_one(number);
}

/// A call to one that is about to leave is taken as ever.
fn call(world: &World<'_>, number: usize) {
    let key = world.traffic.calls.fetch_add(1, Relaxed);
    let answer = world.fleet.ask_one(number, |dev| {
        let call = dev.call("alert", &json!({"region": "north"}));
        call.header("Idempotency-Key", &format!("rolling-{key}"))
    });
    let answer = answer.expect("it still answers").expect(202);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    world.traffic.acknowledged.lock().unwrap().insert(id);
}

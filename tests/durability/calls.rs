//! A 202 means it is on disk: the power goes again and again while calls come in and messages leave, and every
//! acknowledged call is there afterwards, with everything that follows from it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::checker::{Claims, Kind, Ledger, Record, Violation, check};
use crate::disk::{Disk, Fsync};
use crate::harness::{Dev, Random, Sandbox, until};
use crate::story::{Customers, Manifests};

const CUSTOMERS: Customers = Customers { north: 40 };
const WINDOW: u32 = 32;

/// One folder, one disk, one sandbox.
struct Place {
    _folder: tempfile::TempDir,
    disk: Disk,
    manifests: Manifests,
    sandbox: Sandbox,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path());
        let manifests =
            Manifests::write(&folder.path().join("manifests"), CUSTOMERS, WINDOW, "retry: {attempts: 20}");
        manifests.add_follow_up();
        let sandbox = Sandbox::start(folder.path(), &[]);
        Self { _folder: folder, disk, manifests, sandbox }
    }

    fn start(&self, fsync: Fsync) -> Dev {
        let mut command = Dev::command(&self.manifests.folder, &self.disk.data, &self.sandbox);
        Dev::start_by(command.envs(self.disk.environment(fsync)), &self.disk.data)
    }

    fn check(&self, acknowledged: Vec<String>, cuts: u64) -> Vec<Violation> {
        let claims = Claims {
            acknowledged,
            faults: cuts,
            replicas: 1,
            window: WINDOW.into(),
            stories: Manifests::stories_with_follow_up(CUSTOMERS),
            calls_max: usize::MAX,
        };
        check(&claims, &Record::read(&self.sandbox.record), &Ledger::read(&self.disk.data))
    }
}

/// Calls one after the other for a while, and returns the ids of those that were answered 202.
fn call_for(dev: &Dev, duration: Duration) -> Vec<String> {
    let (start, mut acknowledged) = (Instant::now(), Vec::new());
    while start.elapsed() < duration {
        let answer = dev.call("alert", &json!({"region": "north"})).must().expect(202);
        acknowledged.push(answer.json()["id"].as_str().unwrap().to_owned());
    }
    acknowledged
}

fn power_cuts() -> u64 {
    std::env::var("FANFARE_POWER_CUTS").map_or(10, |cuts| cuts.parse().expect("a number"))
}

#[test]
fn every_acknowledged_call_survives_the_power() {
    let (mut random, seed) = Random::of_seed_in("FANFARE_POWER_SEED");
    println!("seed {seed}");
    let place = Place::new();
    let mut dev = place.start(Fsync::Keeps);
    let password = dev.trigger("alert").password.clone();

    let (mut acknowledged, mut undone) = (Vec::new(), 0);
    for _ in 0..power_cuts() {
        acknowledged.extend(call_for(&dev, Duration::from_millis(u64::from(random.below(120)))));
        dev.process.kill();
        undone += place.disk.forget();
        dev = place.start(Fsync::Keeps);
        assert_eq!(dev.trigger("alert").password, password, "a generated credential was lost");
    }
    println!("{} calls acknowledged, {undone} changes undone", acknowledged.len());
    assert!(!acknowledged.is_empty() && undone > 0, "nothing was at stake");
    for id in &acknowledged {
        until("the end of every call", Duration::from_secs(120), || dev.is_done(id).then_some(()));
    }
    assert_eq!(dev.process.terminate().code(), Some(0), "{}", dev.process.printed());
    let violations = place.check(acknowledged, power_cuts());
    assert!(violations.is_empty(), "seed {seed}: {violations:#?}");
}

#[test]
fn with_an_fsync_that_keeps_nothing_calls_are_lost_and_it_is_noticed() {
    let place = Place::new();
    let mut dev = place.start(Fsync::Ignored);
    let acknowledged = call_for(&dev, Duration::from_millis(50));
    dev.process.kill();
    place.disk.forget();
    // What is left is opened by the product itself, which makes its tables anew.
    assert_eq!(place.start(Fsync::Keeps).process.terminate().code(), Some(0));
    let violations = place.check(acknowledged, 1);
    assert!(violations.iter().any(|violation| violation.kind == Kind::LostCall), "{violations:#?}");
}

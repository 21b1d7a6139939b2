//! The power of the database's machine goes again and again: with all its processes goes everything that they did not
//! fsync.
//!
//! The disk is the preloaded one of `tests/durability`. It undoes contents. Names that PostgreSQL gives by relative
//! paths stay: PostgreSQL relies on file systems to keep the name of a file that was fsynced.

use std::process::Command;
use std::time::Duration;

use crate::admin::Admin;
use crate::checker::{Kind, Record, check};
use crate::disk::{Disk, Fsync};
use crate::harness::{Random, owner_of_servers, run, until};
use crate::server::{Server, new_folder};
use crate::world::{Stage, World};
use crate::{alone, setting};

const CUSTOMERS: u32 = 300;

/// A server whose disk forgets.
fn server_on(disk: &Disk, folder: &std::path::Path, fsync: Fsync) -> Server {
    if let Some(owner) = owner_of_servers() {
        run(Command::new("chown").arg("-R").arg(owner).arg(folder));
    }
    let mut server = Server::in_folder(folder);
    server.initialize();
    server.set_environment(disk.environment(fsync));
    server.up();
    server
}

/// As many as faults of other kinds allow in the same time.
fn power_cuts() -> u64 {
    (setting("FANFARE_CHAOS_FAULTS", 20) / 7).clamp(1, 20)
}

#[test]
fn what_was_acknowledged_survives_the_power_of_the_database() {
    let _alone = alone();
    let (mut random, seed) = Random::of_seed_in("FANFARE_CHAOS_SEED");
    println!("seed {seed}");
    let stage = Stage::new(CUSTOMERS);
    let folder = new_folder();
    let disk = Disk::new(&folder);
    let world = stage.before(server_on(&disk, &folder, Fsync::Keeps));
    let mut undone = 0;
    stage.live_through(&world, &mut random, |random| {
        for _ in 0..power_cuts() {
            std::thread::sleep(Duration::from_millis(u64::from(500 + random.below(2_500))));
            undone += cut(&world, &disk);
        }
        &world.server
    });
    println!("{} cuts, {undone} changes undone", power_cuts());
    assert!(undone > 0, "nothing was at stake");
    stage.settle(world, power_cuts());
}

/// Takes the power away and gives it back. Returns how many changes were undone.
fn cut(world: &World<'_>, disk: &Disk) -> usize {
    world.server.kill();
    let undone = disk.forget();
    world.server.remove_note();
    world.server.up();
    undone
}

#[test]
fn with_an_fsync_that_keeps_nothing_it_is_noticed() {
    let _alone = alone();
    let mut random = Random::of_seed_in("FANFARE_CHAOS_SEED").0;
    let stage = Stage::new(20);
    let folder = new_folder();
    let disk = Disk::new(&folder);
    let world = stage.before(server_on(&disk, &folder, Fsync::Ignored));
    stage.live_through(&world, &mut random, |_| {
        until("some calls", Duration::from_secs(60), || {
            (world.traffic.acknowledged().len() > 2).then_some(())
        });
        &world.server
    });
    cut(&world, &disk);
    // What is left has no tables: a replica that starts makes them anew.
    world.fleet.replicas[0].kill();
    world.fleet.start_one(0);
    let claims = stage.claims(&world.traffic, 1);
    let violations = check(&claims, &Record::read(&stage.sandbox.record), &Admin::of(&world.server).ledger());
    assert!(violations.iter().any(|violation| violation.kind == Kind::LostCall), "{violations:#?}");
    std::fs::remove_dir_all(&stage.folder).unwrap();
}

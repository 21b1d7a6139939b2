//! The database takes connections and answers nothing: calls are refused for now, and a replica that is told to end
//! ends all the same, in the midst of whatever it waits for.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::alone;
use crate::harness::{Answer, Dev, Request, until};
use crate::server::Server;
use crate::story::is_done;
use crate::world::Stage;

/// A call hears within this.
const REFUSED_WITHIN: Duration = Duration::from_secs(15);
/// What waits for the database is given up, and the process ends, within this.
const ENDED_WITHIN: Duration = Duration::from_secs(32);

#[test]
fn replicas_refuse_and_end_while_the_database_hangs() {
    let _alone = alone();
    let stage = Stage::new(1_500);
    let world = stage.before(Server::start());
    let fleet = &world.fleet;
    // Something is under way in each of them.
    for number in 0..3 {
        fleet.ask_one(number, |dev| dev.call("alert", &json!({"region": "north"}))).unwrap().expect(202);
    }
    let probe = |path| fleet.ask_one(1, |dev| Request::get(format!("{}{path}", dev.server)));
    // Connections are open already, and lie idle.
    probe("/readyz").unwrap().expect(200);
    world.server.signal("STOP");
    probe("/readyz").expect("an answer while somebody waits for it").expect(503);
    // An edit is waiting for the store when they are told to end.
    stage.manifests.edit_storm(2);
    let began = Instant::now();
    until("a refused call", REFUSED_WITHIN, || {
        let answer = fleet.ask_one(0, |dev| dev.call("alert", &json!({"region": "north"})))?;
        (answer.status == 503 && answer.header("Retry-After").is_some()).then_some(())
    });
    println!("  a call is refused after {:.1?}", began.elapsed());
    for _ in 0..3 {
        probe("/readyz").expect("an answer while somebody waits for it").expect(503);
        probe("/metrics").expect("an answer while somebody waits for it").expect(200);
    }
    println!("  it is probed until {:.1?}", began.elapsed());
    for path in ["/api/v1/calls", "/api/v1/calls/none", "/api/v1/deliveries"] {
        let answer = fleet.ask_one(2, |dev| dev.api("GET", path));
        answer.expect("an answer while somebody waits for it").expect(503);
    }
    println!("  the log cannot be read until {:.1?}", began.elapsed());
    let told = Instant::now();
    fleet.stop();
    println!("  all ended after {:.1?}", told.elapsed());
    assert!(told.elapsed() < ENDED_WITHIN, "{:?}", told.elapsed());
    world.server.signal("CONT");
    std::fs::remove_dir_all(&stage.folder).unwrap();
}

/// A run that meets connections which have gone silent is at its end within this.
const DONE_WITHIN: Duration = Duration::from_secs(25);

#[test]
fn runs_end_soon_after_every_open_connection_has_gone_silent() {
    let _alone = alone();
    let stage = Stage::new(100);
    let world = stage.before(Server::start());
    let fleet = &world.fleet;
    let call = |number| fleet.ask_one(number, |dev| dev.call("alert", &json!({"region": "north"})));
    let id_of = |answer: Answer| answer.json()["id"].as_str().unwrap().to_owned();
    let first: Vec<String> = (0..3).map(|number| id_of(call(number).unwrap().expect(202))).collect();
    first.iter().for_each(|id| until("the first calls", DONE_WITHIN, || is_done(fleet, id).then_some(())));
    // Many ask at once, so that many connections lie idle afterwards.
    std::thread::scope(|threads| {
        for number in 0..48 {
            let ask = move || fleet.ask_one(number % 3, |dev| dev.api("GET", "/api/v1/customers/nobody"));
            threads.spawn(move || (0..10).for_each(|_| drop(ask())));
        }
    });
    let silent = world.server.stop_idle_backends();
    assert!(silent >= 24, "each has connections that lie idle: {silent}");
    let began = Instant::now();
    let id = until("a call that is taken", DONE_WITHIN, || {
        call(0).filter(|answer| answer.status == 202).map(id_of)
    });
    println!("  a call is taken after {:.1?}, of {silent} silent connections", began.elapsed());
    until("the end of its run", DONE_WITHIN.saturating_sub(began.elapsed()), || {
        is_done(fleet, &id).then_some(())
    });
    println!("  its run has ended after {:.1?}", began.elapsed());
    world.server.signal("CONT");
    fleet.stop();
    std::fs::remove_dir_all(&stage.folder).unwrap();
}

const EXTRA: &str = "apiVersion: fanfare.dev/v1alpha1\nkind: ApiTrigger\nmetadata: {name: extra}\nspec: {}\n";

#[test]
fn an_edit_made_while_the_database_hangs_is_in_force_once_it_answers() {
    let _alone = alone();
    let stage = Stage::new(100);
    let world = stage.before(Server::start());
    let fleet = &world.fleet;
    world.server.signal("STOP");
    std::fs::write(stage.manifests.folder.join("extra.yaml"), EXTRA).unwrap();
    until("an edit that cannot be kept", ENDED_WITHIN, || {
        fleet.tail(0).contains("the store cannot keep the edit").then_some(())
    });
    world.server.signal("CONT");
    until("the new trigger", ENDED_WITHIN, || {
        let extra = |dev: &Dev| Request::post(dev.trigger("alert").url.replace("/alert", "/extra"));
        let answer = fleet.ask_one(0, extra)?;
        (answer.status == 401).then_some(())
    });
    fleet.stop();
    std::fs::remove_dir_all(&stage.folder).unwrap();
}

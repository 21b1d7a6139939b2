//! The database takes connections and answers nothing: calls are refused for now, and a replica that is told to end
//! ends all the same, in the midst of whatever it waits for.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::alone;
use crate::harness::{Dev, Request, until};
use crate::server::Server;
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
    let told = Instant::now();
    fleet.stop();
    println!("  all ended after {:.1?}", told.elapsed());
    assert!(told.elapsed() < ENDED_WITHIN, "{:?}", told.elapsed());
    world.server.signal("CONT");
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

//! A call whose acceptance was cut off while the server still wrote it: tried again, it is found, and the caller is
//! told what is true.

use serde_json::json;

use crate::admin::Admin;
use crate::alone;
use crate::harness::wait_for;
use crate::server::Server;
use crate::world::Stage;

const WAITING: &str = "SELECT 1 FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND query LIKE 'SELECT accept_calls_1%'";

#[test]
fn a_call_that_was_written_behind_a_cut_is_acknowledged() {
    let _alone = alone();
    let stage = Stage::new(10);
    let world = stage.behind_proxies(Server::start());
    let (holder, looker) = (Admin::of(&world.server), Admin::of(&world.server));
    // Writers wait for this, readers do not.
    holder.batch("BEGIN; LOCK TABLE call IN SHARE ROW EXCLUSIVE MODE");
    let wait_for_writers = |count: usize| {
        wait_for("calls that wait to be written", || {
            (looker.query(WAITING, &[]).len() == count).then_some(())
        });
    };
    let answer = std::thread::scope(|threads| {
        let asked =
            threads.spawn(|| world.fleet.ask_one(0, |dev| dev.call("alert", &json!({"region": "north"}))));
        wait_for_writers(1);
        // A server that learned of the cut would end the first try, at the latest a second later.
        world.proxies[0].lose();
        // The second try comes while the first is still under way.
        wait_for_writers(2);
        holder.batch("COMMIT");
        asked.join().unwrap().expect("an answer")
    });
    assert_eq!(answer.status, 202, "{}", answer.body);
    let calls = looker.query("SELECT id FROM call", &[]);
    let ids: Vec<String> = calls.iter().map(|row| row.get(0)).collect();
    assert_eq!(ids, [answer.json()["id"].as_str().unwrap()]);
    world.fleet.stop();
    std::fs::remove_dir_all(&stage.folder).unwrap();
}

//! A tenant has one holder: a second one is refused until it is handed over.

use crate::harness::{Postgres, Process, wait_for};
use crate::space::{PASSWORD, Space};

#[test]
fn a_second_holder_is_told_who_holds_the_tenant_and_how_it_is_handed_over() {
    let space = Space::new();
    let start = |cluster: &str, from: Option<&str>| {
        let mut command = space.command();
        command.args(["--cluster-id", cluster]);
        command.args(from.iter().flat_map(|from| ["--take-over-from", from]));
        Process::try_start_ready(&mut command, &space.log(), &space.folder.path().join("ready.json"))
    };
    let (mut first, ready) = start("one", None);
    assert!(ready.is_ok(), "{}", first.printed());
    assert!(first.terminate().success());
    let (second, ready) = start("two", None);
    assert_eq!(ready.unwrap_err().code(), Some(2));
    let said = second.printed();
    assert!(said.contains(&format!("held by one/{}", space.name)), "{said}");
    let from = format!("one/{}", space.name);
    assert!(said.contains(&format!("--take-over-from {from}")), "{said}");
    let (third, ready) = start("two", Some("three/elsewhere"));
    assert!(ready.is_err(), "{}", third.printed());
    let (mut fourth, ready) = start("two", Some(&from));
    assert!(ready.is_ok(), "{}", fourth.printed());
    assert!(fourth.terminate().success());
    let (fifth, ready) = start("two", None);
    assert!(ready.is_ok(), "{}", fifth.printed());
}

#[test]
fn on_postgres_a_replica_takes_up_what_another_has_put_in_force() {
    let space = Space::new();
    space.story();
    let url = Postgres::shared().url().to_owned();
    let command = || space.command_on_postgres(&url, &space.name);
    let first = space.start_by(&mut command());
    first.until_answered("storm", "storm-1", 202);
    first.until_story();
    first.customer("ann");
    // The other may not even ask the API server.
    std::fs::write(space.kubeconfig(), unreachable(&std::fs::read_to_string(space.kubeconfig()).unwrap()))
        .unwrap();
    let second = space.start_by(&mut command());
    assert_eq!(second.call_about("shared", "storm", "storm-1", PASSWORD).status, 202);
    wait_for("the message", || (space.received("hook", "shared") == 1).then_some(()));
    let in_force = |report: &serde_json::Value| report["version"].clone();
    second.until_reported("the same version", |report| in_force(report) == in_force(&first.report()));

    let elsewhere = Space::new();
    let mut command = elsewhere.command_on_postgres(&url, &space.name);
    let ready = elsewhere.folder.path().join("ready.json");
    let (refused, ready) = Process::try_start_ready(&mut command, &elsewhere.log(), &ready);
    assert_eq!(ready.unwrap_err().code(), Some(2));
    assert!(refused.printed().contains(&format!("held by unknown/{}", space.name)), "{}", refused.printed());
}

/// A kubeconfig whose API server is at a port where nobody listens.
pub fn unreachable(kubeconfig: &str) -> String {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (before, rest) = kubeconfig.split_once("https://").unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    format!("{before}https://{nobody}\"{after}")
}

//! A tenant has one holder: a second one is refused until it is handed over.

use crate::harness::Process;
use crate::space::Space;

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

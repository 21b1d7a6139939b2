//! What docs/back-up-and-restore.md says of SQLite, done as it says: another volume, the same calls, and rest.

use std::process::Stdio;

use crate::harness::cluster::{file, stderr};
use crate::harness::until;
use crate::node::SOON;
use crate::space::{RUNTIME, Space};
use crate::turns::among_others;
use crate::world::World;

/// The manifest that the page gives.
fn restore_yaml() -> String {
    let page = std::fs::read_to_string(file("docs/back-up-and-restore.md")).unwrap();
    let (_, behind) = page.split_once("```yaml\n# restore.yaml\n").unwrap();
    behind.split_once("```").unwrap().0.to_owned()
}

fn program(space: &Space, arguments: &[&str]) -> std::process::Command {
    let mut command = space.node.command("kubectl");
    command.args(["-n", &space.name]).args(arguments);
    command
}

#[test]
fn a_backup_is_restored_on_another_volume_and_rests() {
    let _others = among_others();
    let world =
        World::new(Space::new("restored"), "{storage: {sqlite: {size: 1Gi}}}", 100, "retry: {attempts: 20}");
    let space = &world.space;
    let calls = world.calls();
    let before = calls.call();
    world.until_done(std::slice::from_ref(&before));
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("backup.tar");
    let mut backup =
        program(space, &["exec", "main-runtime-0", "--", "fanfare", "backup", "--data", "/var/lib/fanfare"]);
    let output =
        backup.stdout(std::fs::File::create(&archive).unwrap()).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let after = calls.call();
    world.until_done(std::slice::from_ref(&after));

    space.ask(&["delete", "runtime", "main", "--timeout=60s"]);
    space.node.until_gone(&["pods", "-n", &space.name, "-l", "app.kubernetes.io/component=runtime"]);
    space.ask(&["delete", "pvc", "data-main-runtime-0", "--timeout=60s"]);
    space.apply(&restore_yaml());
    space.until_ready("pod/restore");
    let restore = ["exec", "-i", "restore", "--", "fanfare", "restore", "--data", "/var/lib/fanfare"];
    let output = program(space, &restore).stdin(std::fs::File::open(&archive).unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    space.ask(&["delete", "pod", "restore", "--grace-period=1"]);
    space.apply(RUNTIME);
    space.until_ready("runtime/main");
    let message = space.until_reason("runtime", "main", "Paused", "Requested");
    assert!(message.contains("restored as of"), "{message}");
    assert!(until("the log", SOON, || world.is_done(&before)), "what was there is there");
    assert_eq!(world.knows(&after), Some(false), "what came later is not");
    let taken = world.taken();
    let waits = calls.call();
    until("the run to wait for a person", SOON, || world.waits_for(&waits).contains("paused").then_some(()));
    assert_eq!(
        (world.is_done(&waits), world.taken()),
        (Some(false), taken),
        "nothing is sent while it rests"
    );
    space.delete();
}

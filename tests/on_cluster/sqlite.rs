//! On SQLite a Pod that is deleted, or dies, is replaced and goes on with its run: nothing lost, nothing twice.

use std::time::Duration;

use crate::checker::Ledger;
use crate::files::files_of;
use crate::harness::until;
use crate::node::{PROGRAM, SOON};
use crate::space::Space;
use crate::times::timed;
use crate::turns::among_others;
use crate::world::World;

#[test]
fn a_replaced_pod_goes_on_with_its_run() {
    let _others = among_others();
    let channel = "retry: {attempts: 20}\n  rate: {perSecond: 40}";
    let world = World::new(Space::new("replaced"), "{storage: {sqlite: {size: 1Gi}}}", 1_500, channel);
    let calls = world.calls();
    let id = calls.call();
    until("messages of the run", SOON, || (world.taken() > 50).then_some(()));

    timed("a deleted Pod of SQLite is replaced", || {
        let pod = world.space.ask(&["get", "pod", "main-runtime-0", "-o", "jsonpath={.metadata.uid}"]);
        world.space.ask(&["delete", "pod", "main-runtime-0"]);
        until_replaced(&world.space, &pod);
    });
    let is_done = until("somebody can be asked", SOON, || world.is_done(&id));
    assert!(!is_done, "it was to be struck in the middle of its run");
    let before = world.taken();
    until("it goes on", SOON, || (world.taken() > before + 50).then_some(()));

    timed("a killed process of SQLite is started again", || {
        if world.space.node.is_theirs() {
            // Its processes are out of reach; a Pod that is deleted without grace is killed as well.
            let pod = world.space.ask(&["get", "pod", "main-runtime-0", "-o", "jsonpath={.metadata.uid}"]);
            world.space.ask(&["delete", "pod", "main-runtime-0", "--force", "--grace-period=0"]);
            return until_replaced(&world.space, &pod);
        }
        kill_process_of(&world.space.name);
        let restarts =
            ["get", "pod", "main-runtime-0", "-o", "jsonpath={.status.containerStatuses[0].restartCount}"];
        until("the restart", SOON, || (world.space.ask(&restarts) == "1").then_some(()));
        world.space.until_ready("pod/main-runtime-0");
    });
    let is_done = until("somebody can be asked", SOON, || world.is_done(&id));
    assert!(!is_done, "it was to be struck in the middle of its run");
    world.until_done(&calls.acknowledged());

    world.space.ask(&["delete", "runtime", "main", "--timeout=60s"]);
    world.space.node.until_gone(&[
        "pods",
        "-n",
        &world.space.name,
        "-l",
        "app.kubernetes.io/component=runtime",
    ]);
    assert_eq!(calls.refused().len(), 0, "{:?}", calls.refused());
    // The kill may leave a window in doubt; the Pod that was deleted had the time to end in order.
    let files = files_of(&world.space, "data-main-runtime-0");
    world.settle(&calls, &Ledger::read(files.path()), 1, 1);
    world.space.delete();
}

fn until_replaced(space: &Space, former: &str) {
    until("another Pod", SOON, || {
        let pod = space.get("pod", "main-runtime-0");
        (pod["metadata"]["uid"].as_str()? != former).then_some(())
    });
    space.until_ready("pod/main-runtime-0");
}

/// SIGKILL to the runtime's process of this namespace, which this machine sees by its own number.
fn kill_process_of(namespace: &str) {
    let id = until("the process", Duration::from_secs(10), || {
        std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
            let is_it =
                words.starts_with(&[PROGRAM.as_bytes(), b"runtime", b"--namespace", namespace.as_bytes()]);
            is_it.then(|| entry.file_name().to_string_lossy().into_owned())
        })
    });
    let killed = std::process::Command::new("kill").args(["-KILL", &id]).status().unwrap();
    assert!(killed.success(), "process {id}");
}

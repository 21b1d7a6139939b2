//! Three replicas on PostgreSQL under a steady stream of calls, while the chart is upgraded and rolled back, a Pod is
//! deleted and the node is drained: no call is lost or answered with an error, and every count is exact.

use std::time::Duration;

use crate::harness::until;
use crate::node::{IMAGE, SOON, SYSTEM};
use crate::postgres;
use crate::space::Space;
use crate::times::timed;
use crate::turns::alone;
use crate::world::World;

/// The rest between two calls.
const PAUSE: Duration = Duration::from_millis(300);
const REPLICAS: usize = 3;

#[test]
fn calls_are_answered_while_every_pod_is_replaced() {
    let _alone = alone();
    let space = Space::new("rolling");
    space.node.load_fanfare("0.1.0-next");
    postgres::start(&space);
    let runtime = "{storage: {postgres: {secretRef: {name: database}}}, replicas: 3}";
    let world = World::new(space, runtime, 20, "retry: {attempts: 20}");
    let (space, calls) = (&world.space, world.calls());
    calls.while_doing(PAUSE, || {
        let upgrade = "helm upgrade fanfare charts/fanfare -n fanfare-system --set image.tag=0.1.0-next";
        timed("an upgrade of operator and three replicas", || {
            space.node.shell(upgrade);
            until_rolled_out(space, "0.1.0-next");
        });
        timed("a deleted Pod of three", || {
            space.ask(&["delete", "pod", &space.pods()[0]]);
            space.ask(&["rollout", "status", "deployment/main-runtime", "--timeout=120s"]);
        });
        timed("a drained node", || drain(space));
        timed("back to the former release", || {
            space.node.shell("helm rollback fanfare -n fanfare-system");
            until_rolled_out(space, "0.1.0");
        });
    });
    world.until_done(&calls.acknowledged());
    println!(
        "{} calls, the slowest took {:?}, refused: {:?}",
        calls.begun(),
        calls.slowest(),
        calls.refused()
    );
    assert!(calls.acknowledged().len() > 100, "the stream was thin");
    assert_eq!(calls.refused().len(), 0, "{:?}", calls.refused());

    space.ask(&["delete", "runtime", "main", "--timeout=60s"]);
    space.node.until_gone(&["pods", "-n", &space.name, "-l", "app.kubernetes.io/component=runtime"]);
    // Every Pod had the time to end in order: nothing may be in doubt.
    world.settle(&calls, &postgres::ledger(space), 0, REPLICAS as u64);
    space.delete();
}

fn until_rolled_out(space: &Space, tag: &str) {
    let image = format!("{IMAGE}:{tag}");
    space.node.ask(&["rollout", "status", "deployment/fanfare-operator", "-n", SYSTEM, "--timeout=120s"]);
    until(&format!("the image {image} of the runtimes"), SOON, || {
        let deployment = space.get("deployment", "main-runtime");
        (deployment["spec"]["template"]["spec"]["containers"][0]["image"] == image.as_str()).then_some(())
    });
    space.ask(&["rollout", "status", "deployment/main-runtime", "--timeout=180s"]);
    space.until_ready("runtime/main");
}

/// With one node, what is evicted waits until the node is there again: then the next one may go.
fn drain(space: &Space) {
    let former = space.pods();
    let mut command = space.node.command("kubectl");
    let selector = "--pod-selector=app.kubernetes.io/name=fanfare";
    command.args(["drain", &space.node.name, selector, "--delete-emptydir-data", "--timeout=240s"]);
    let mut draining =
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    until("the first eviction", SOON, || {
        let pods = space.pods();
        former.iter().any(|pod| !pods.contains(pod)).then_some(())
    });
    let staying = space.pods().iter().filter(|pod| former.contains(pod)).count();
    assert_eq!(staying, REPLICAS - 1, "the budget lets one go at a time");
    space.node.ask(&["uncordon", &space.node.name]);
    let ended = until("the end of the drain", Duration::from_secs(240), || draining.try_wait().unwrap());
    assert!(ended.success(), "kubectl drain ended with {ended}");
    space.ask(&["rollout", "status", "deployment/main-runtime", "--timeout=120s"]);
    assert!(former.iter().all(|pod| !space.pods().contains(pod)), "all were replaced");
}

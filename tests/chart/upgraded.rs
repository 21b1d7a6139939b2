//! On a real API server: an upgrade brings the new definitions of the kinds, and an uninstall leaves them and what was
//! declared.

use std::process::Command;

use crate::cluster::{Cluster, file};
use crate::helm::helm_at;

const WORDS: &str = "The processes that receive calls and dispatch messages for one namespace.";

/// The chart as if it were an older one, whose definitions say something else.
fn older(folder: &std::path::Path) -> String {
    let copied = Command::new("cp").arg("-r").arg(file("charts/fanfare")).arg(folder).status();
    assert!(copied.unwrap().success(), "the chart can be copied");
    let chart = folder.join("fanfare");
    let path = chart.join("files/crds.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(WORDS), "the definition of Runtime says {WORDS:?}");
    std::fs::write(&path, text.replace(WORDS, "An older definition.")).unwrap();
    chart.display().to_string()
}

#[test]
fn definitions_are_upgraded_and_outlive_the_release() {
    // Of its own, as others would see the definitions change.
    let cluster = Cluster::own();
    let helm = |arguments: &[&str]| {
        let place = ["-n", "fanfare-system"];
        helm_at(cluster.kubeconfig(), &[arguments, &place].concat())
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    };
    let says =
        |words: &str| cluster.ask(&["get", "crd", "runtimes.fanfare.dev", "-o", "json"]).contains(words);
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (older(folder.path()), file("charts/fanfare"));

    // The definitions of this API server were applied by hand: a release takes them only if told so.
    let install = ["install", "fanfare", &old, "--create-namespace"];
    let refused = helm_at(cluster.kubeconfig(), &[&install[..], &["-n", "fanfare-system"]].concat());
    assert!(refused.as_ref().is_err_and(|error| error.contains("invalid ownership metadata")), "{refused:?}");
    helm(&["install", "fanfare", &old, "--create-namespace", "--take-ownership", "--force-conflicts"]);
    assert!(says("An older definition.") && !says(WORDS));

    cluster.ask(&["apply", "-f", &file("examples/weather-alert/trigger.yaml")]);
    helm(&["upgrade", "fanfare", &new]);
    assert!(says(WORDS) && !says("An older definition."));

    helm(&["uninstall", "fanfare"]);
    assert!(says(WORDS), "the definitions are kept");
    cluster.ask(&["get", "apitrigger", "weather-alert"]);
    let left =
        ["get", "clusterroles,clusterrolebindings", "-l", "app.kubernetes.io/name=fanfare", "-o", "name"];
    assert_eq!(cluster.ask(&left), "", "rights are not kept");
    // A later installation finds them as its own.
    helm(&["install", "fanfare", &new]);
}

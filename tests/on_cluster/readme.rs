//! The README's commands on a cluster, as they stand there, from the installation to the messages.

use std::time::Instant;

use serde_json::Value;

use crate::harness::cluster::file;
use crate::harness::until;
use crate::node::{Node, SOON};
use crate::space::Space;
use crate::times::note;
use crate::turns::among_others;

/// The commands of the README's section on clusters.
pub fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(file("README.md")).unwrap();
    let (_, section) = readme.split_once("## On a cluster\n").expect("the README has a section on clusters");
    let (_, block) = section.split_once("```console\n").expect("which begins with commands");
    let (block, _) = block.split_once("```").expect("that end");
    let lines = block.lines().filter_map(|line| line.strip_prefix("$ "));
    lines.map(|line| line.split("  #").next().unwrap_or_default().trim().to_owned()).collect()
}

#[test]
fn a_newcomer_gets_from_the_readme_to_the_messages() {
    let _others = among_others();
    let space = Space::existing(Node::shared(), "default");
    let begun = Instant::now();
    let mut printed = Vec::new();
    for command in commands().iter().skip(1) {
        let (from, mut tries) = (Instant::now(), 0);
        // A person looks again while something is not there yet.
        let answer = until(command, SOON, || {
            tries += 1;
            let answer = space.node.try_shell(command);
            if let Err(error) = &answer {
                println!("not yet: {command}: {error}");
            }
            answer.ok()
        });
        note(&format!("{command} ({tries} tries)"), from.elapsed());
        printed.push(answer);
    }
    note("the newcomer's commands after the installation", begun.elapsed());
    let all = printed.join("\n");
    for words in ["weather-alert", "snowstorm-warning", "Succeeded"] {
        assert!(all.contains(words), "{words} in\n{all}");
    }
    let url = "http://main-runtime.default.svc.cluster.local/in/default/weather-alert";
    assert!(all.contains(url), "{url} in\n{all}");
    arrived_as_expected(&space.node);
}

/// What the example promises is what the sandbox has, in its own Pod.
fn arrived_as_expected(node: &Node) {
    let expected = std::fs::read_to_string(file("examples/weather-alert/calls/expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let wanted = &expected[0]["received"];
    let stats = "/api/v1/namespaces/default/services/sandbox:http/proxy/sandbox/stats";
    let stats: Value = serde_json::from_str(&node.ask(&["get", "--raw", stats])).unwrap();
    assert_eq!(stats["twilio"]["taken"], wanted["sms"], "{stats}");
    assert_eq!(stats["smtp"]["taken"], wanted["mail"], "{stats}");
}

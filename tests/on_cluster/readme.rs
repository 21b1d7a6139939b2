//! The README's commands on a cluster, as they stand there, from the installation to the messages.

use std::time::Instant;

use serde_json::Value;

use crate::forward::Forward;
use crate::harness::cluster::file;
use crate::harness::{Process, Request, until};
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
            let answer = run(&space, command);
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

/// A command as it stands, but for those of the plugin.
fn run(space: &Space, command: &str) -> Result<String, String> {
    match command.strip_prefix("kubectl fanfare ") {
        Some(rest) => without_the_plugin(space, rest),
        None => space.node.try_shell(command),
    }
}

/// What `kubectl fanfare` will do by itself, until it is there: the Runtime is reached by a port-forward, with a key of
/// an ApiKey or the trigger's own credentials.
fn without_the_plugin(space: &Space, command: &str) -> Result<String, String> {
    let api = Forward::to(&space.node, "default", "main-runtime", "api");
    let words: Vec<&str> = command.split(' ').collect();
    let key = |name: &str| {
        let secret = format!("{name}-apikey");
        format!("{}:{}", space.secret(&secret, "username"), space.secret(&secret, "password"))
    };
    let ["call", trigger, "--data", data, "--watch"] = words[..] else {
        let mut client = Process::command(words);
        client.args(["--server", &format!("http://{}", api.address)]).env("FANFARE_API_KEY", key("crm"));
        let output = client.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &crate::harness::cluster::stderr(&output);
        return if output.status.success() { Ok(said) } else { Err(said) };
    };
    let calls = Forward::to(&space.node, "default", "main-runtime", "calls");
    let body = std::fs::read_to_string(file(data.trim_start_matches('@'))).unwrap();
    let secret = format!("{trigger}-trigger");
    let (username, password) = (space.secret(&secret, "username"), space.secret(&secret, "password"));
    let url = format!("http://{}/in/default/{trigger}", calls.address);
    let request = Request::post(url).basic(&username, &password).header("Content-Type", "application/json");
    let accepted = request.body(body).send().map_err(|error| error.to_string())?;
    if accepted.status != 202 {
        return Err(accepted.body);
    }
    let id = accepted.json()["id"].as_str().unwrap().to_owned();
    let (username, password) =
        key("desk").split_once(':').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    Ok(until("the end of the call", SOON, || {
        let asked = Request::get(format!("http://{}/api/v1/calls/{id}", api.address));
        let answer = asked.basic(&username, &password).send().ok()?;
        (answer.json()["status"] == "done").then_some(answer.body)
    }))
}

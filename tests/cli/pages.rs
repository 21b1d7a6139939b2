//! What the pages tell people to type is what the program takes, and does what they promise.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Postgres, Process, Request, wait_for};

/// README.md, all pages, and the examples' own.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md"), root.join("examples/weather-alert/README.md")];
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    pages.extend(docs.filter(|path| path.extension().is_some_and(|it| it == "md")));
    pages
}

/// Every line of a page's blocks of commands, without a prompt and joined where it goes on.
fn commands(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let blocks = text.split("```").skip(1).step_by(2);
    let of_commands = blocks
        .filter_map(|block| block.split_once('\n'))
        .filter(|(kind, _)| matches!(*kind, "" | "console" | "sh"));
    let joined = of_commands.map(|(_, block)| block.replace("\\\n", " "));
    joined.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The arguments of the `fanfare` in a command line, and whether kubectl starts it.
fn fanfare(line: &str) -> Option<(bool, Vec<String>)> {
    let words = words(line.trim_start_matches("$ "));
    let at = words.iter().position(|word| word == "fanfare")?;
    let before: Vec<&str> = words[..at].iter().map(String::as_str).collect();
    let is_plugin = before.last() == Some(&"kubectl");
    // `helm install fanfare …` names something else.
    let is_ours = is_plugin || before.is_empty() || matches!(before.last(), Some(&"--" | &"|" | &"$("));
    let rest = words[at + 1..].iter().take_while(|word| !["|", ">", "<", "&", "&&"].contains(&word.as_str()));
    is_ours.then(|| (is_plugin, rest.cloned().collect()))
}

/// Splits as a shell does; what stands behind ` #` is a comment.
fn words(line: &str) -> Vec<String> {
    let line = line.replace("\"$(", "$( ").replace(")\"", " )");
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ') => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words.into_iter().take_while(|word| word != ")").collect()
}

#[test]
fn every_command_on_a_page_is_one_that_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("kubectl-fanfare");
    let binary = Process::command([""; 0]).get_program().to_owned();
    std::os::unix::fs::symlink(binary, &plugin).unwrap();
    let (mut tried, mut wrong) = (0, Vec::new());
    for page in pages() {
        for line in commands(&page) {
            let Some((is_plugin, arguments)) = fanfare(&line) else { continue };
            let mut command = match is_plugin {
                true => std::process::Command::new(&plugin),
                false => Process::command([""; 0]),
            };
            // What stands before `--help` is read, and refused if there is no such thing.
            let Output { status, stderr, .. } = command.args(&arguments).arg("--help").output().unwrap();
            tried += 1;
            if !status.success() {
                let said = String::from_utf8_lossy(&stderr).into_owned();
                wrong.push(format!("{}: {line}\n{said}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 40, "only {tried} commands were found");
}

#[test]
fn pages_lead_to_pages_that_are_there() {
    let mut wrong = Vec::new();
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            if !file.is_empty() && !file.contains("://") && !page.with_file_name(file).exists() {
                wrong.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

const TRIGGER: &str =
    "apiVersion: fanfare.dev/v1alpha1\nkind: ApiTrigger\nmetadata: {name: t}\nspec: {parameters: []}\n";

/// A process as docs/run-several-replicas.md starts it, on a port of its own.
fn replica(line: &str, folder: &Path, name: &str, database: &str) -> (Process, Value) {
    let (_, arguments) = fanfare(line).unwrap();
    let mut command = Process::command([""; 0]);
    for argument in arguments {
        match argument.as_str() {
            "manifests" | "shared" => command.arg(folder.join(argument)),
            address if address.starts_with("127.0.0.1:") => command.arg("127.0.0.1:0"),
            other => command.arg(other),
        };
    }
    let ready = folder.join(format!("{name}.json"));
    command.arg("--ready-file").arg(&ready).env("FANFARE_DATABASE", database);
    Process::start_ready(&mut command, &folder.join(format!("{name}.log")), &ready)
}

/// Asks each process whether it is ready, as a load balancer does, until nobody calls any more.
fn look(servers: &[String], ready: &[AtomicBool], is_over: &AtomicBool) {
    while !is_over.load(Ordering::SeqCst) {
        for (server, ready) in servers.iter().zip(ready) {
            let answer = Request::get(format!("{server}/readyz")).send();
            ready.store(answer.is_ok_and(|answer| answer.status == 200), Ordering::SeqCst);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn replicas_that_are_started_as_the_page_says_lose_no_call_when_one_is_told_to_end() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("manifests")).unwrap();
    std::fs::write(folder.path().join("manifests/t.yaml"), TRIGGER).unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/run-several-replicas.md");
    let lines: Vec<String> =
        commands(&page).into_iter().filter(|line| line.contains("fanfare dev")).collect();
    let database = Postgres::shared().database();
    let (mut first, one) = replica(&lines[0], folder.path(), "first", &database);
    let (second, two) = replica(&lines[1], folder.path(), "second", &database);
    let text = |ready: &Value, field: &str| ready["triggers"][0][field].as_str().unwrap().to_owned();
    let urls = [text(&one, "url"), text(&two, "url")];
    let servers = [&one, &two].map(|ready| ready["server"].as_str().unwrap().to_owned());
    let (username, password) = (text(&one, "username"), text(&one, "password"));
    let ready = [AtomicBool::new(true), AtomicBool::new(true)];
    let is_over = AtomicBool::new(false);
    let call = |n: usize| {
        let open: Vec<&String> = urls
            .iter()
            .zip(&ready)
            .filter(|(_, ready)| ready.load(Ordering::SeqCst))
            .map(|(url, _)| url)
            .collect();
        let url = open[n % open.len()];
        Request::post(url).basic(&username, &password).json(&json!({})).send().map(|answer| answer.status)
    };
    std::thread::scope(|scope| {
        scope.spawn(|| look(&servers, &ready, &is_over));
        let mut answers = Vec::new();
        (0..20).for_each(|n| answers.push(call(n).ok()));
        first.signal("TERM");
        let ended = wait_for("the end of the first process", || {
            answers.push(call(answers.len()).ok());
            first.ended()
        });
        (0..20).for_each(|n| answers.push(call(n).ok()));
        is_over.store(true, Ordering::SeqCst);
        assert!(ended.success(), "{}", first.printed());
        let lost = answers.iter().filter(|answer| **answer != Some(202)).count();
        assert_eq!(lost, 0, "of {} calls: {answers:?}", answers.len());
    });
    drop(second);
}

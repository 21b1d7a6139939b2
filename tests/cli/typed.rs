//! What the pages tell people to type is typed, by the same shell, and what comes of it is what the page shows.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::command::Example;
use crate::harness::Process;

/// What no test types here, with the reason.
const NOT_TYPED: &[(&str, &str)] = &[
    ("kubectl", "needs a cluster: tests/on_cluster"),
    ("helm", "needs a cluster: tests/on_cluster"),
    ("cosign", "needs an image that was released"),
    ("make ", "runs tests"),
    ("cargo build", "builds this program"),
    ("ln -s", "installs it for a person"),
    ("fanfare dev", "stays until it is ended: tests/cli/pages.rs"),
    ("fanfare sandbox", "stays until it is ended: tests/sandbox.rs"),
    ("psql", "needs a database of PostgreSQL: tests/cli/backup.rs"),
    ("pg_dump", "needs a database of PostgreSQL: tests/cli/backup.rs"),
    ("FANFARE_DATABASE", "needs a database of PostgreSQL: tests/cli/pages.rs"),
    ("<id>", "needs a delivery that is held: tests/dispatch"),
    ("fanfare restore --data tried", "needs a backup from a cluster: tests/on_cluster"),
];
/// What a page may stand for where it shows what differs each time: any text, or as a line of its own any lines.
const ANYTHING: &str = "…";

/// What a block of commands without prompts begins with.
const PROGRAMS: [&str; 6] = ["fanfare", "kubectl", "helm", "curl", "cargo", "ln"];

/// A command and the lines that a page shows below it.
#[derive(Debug, PartialEq, Eq)]
struct Typed {
    command: String,
    shown: Vec<String>,
}

/// Blocks of a kind, in the order of the page.
fn blocks<'a>(page: &'a str, kinds: &[&str]) -> Vec<&'a str> {
    let blocks = page.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    blocks.filter(|(kind, _)| kinds.contains(kind)).map(|(_, block)| block).collect()
}

fn typed(page: &str) -> Vec<Typed> {
    let mut all = Vec::new();
    for block in blocks(page, &["console", "", "sh"]) {
        let block = block.replace("\\\n", " ");
        let has_prompts = block.lines().any(|line| line.starts_with("$ "));
        // Pictures stand in such blocks too.
        let first = block.split_whitespace().next().unwrap_or_default();
        if !has_prompts && !PROGRAMS.contains(&first) {
            continue;
        }
        for line in block.lines().filter(|line| !line.trim().is_empty()) {
            match line.strip_prefix("$ ") {
                Some(command) => all.push(Typed { command: command.to_owned(), shown: Vec::new() }),
                None if !has_prompts => all.push(Typed { command: line.to_owned(), shown: Vec::new() }),
                None => all.last_mut().expect("a prompt comes first").shown.push(line.to_owned()),
            }
        }
    }
    all.retain(|typed| !NOT_TYPED.iter().any(|(part, _)| typed.command.contains(part)));
    all
}

/// Whether a line is as the page shows it, whatever its ids, times and widths of columns are.
fn is_like(shown: &str, line: &str) -> bool {
    let plain = |text: &str| text.split_whitespace().map(general).collect::<Vec<_>>().join(" ");
    let (shown, line) = (plain(shown), plain(line));
    let mut rest = line.as_str();
    let parts: Vec<&str> = shown.split(ANYTHING).collect();
    for (n, part) in parts.iter().enumerate() {
        let found = match n {
            0 => rest.starts_with(part).then_some(0),
            _ if n == parts.len() - 1 => {
                rest.len().checked_sub(part.len()).filter(|at| rest[*at..] == **part)
            }
            _ => rest.find(part),
        };
        let Some(at) = found else { return false };
        rest = &rest[at + part.len()..];
    }
    parts.len() > 1 || rest.is_empty()
}

/// An id or a time stands for every other.
fn general(word: &str) -> &str {
    let is_hex = |part: &str, length| part.len() == length && part.bytes().all(|it| it.is_ascii_hexdigit());
    let parts: Vec<&str> = word.split('-').collect();
    let is_uuid =
        parts.len() == 5 && parts.iter().zip([8, 4, 4, 4, 12]).all(|(part, length)| is_hex(part, length));
    match word.parse::<jiff::Timestamp>() {
        _ if is_uuid => "(id)",
        Ok(_) => "(time)",
        Err(_) => word,
    }
}

fn are_like(shown: &[String], lines: &[&str]) -> bool {
    match (shown.split_first(), lines.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((first, others)), _) if first == ANYTHING => {
            (0..=lines.len()).any(|skipped| are_like(others, &lines[skipped..]))
        }
        (Some(_), None) => false,
        (Some((first, others)), Some((line, rest))) => is_like(first, line) && are_like(others, rest),
    }
}

/// Somebody who reads a page beside a running example, in a folder of their own.
struct Reader {
    example: Example,
    folder: tempfile::TempDir,
    call: String,
}

impl Reader {
    fn new() -> Self {
        let (example, folder) = (Example::start(), tempfile::tempdir().unwrap());
        let link = |from: &Path, to: &str| {
            std::os::unix::fs::symlink(from, folder.path().join(to)).unwrap();
        };
        std::fs::create_dir(folder.path().join("bin")).unwrap();
        link(Path::new(Process::command([""; 0]).get_program()), "bin/fanfare");
        link(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"), "examples");
        link(&example.folder.path().join("data"), ".fanfare");
        Reader { example, folder, call: String::new() }
    }

    /// Makes the one call that pages about the log show.
    fn call(&mut self) {
        let data = format!("@{}", crate::command::example_file("calls/winter-storm.json"));
        let made = self.example.run(&["call", "weather-alert", "--data", &data, "--watch", "-o", "json"]);
        self.call = made.code(0).json()["id"].as_str().unwrap().to_owned();
    }

    /// Types everything on a page, each command where the one before left off.
    fn types(&self, page: &str, all: &[Typed]) -> Vec<String> {
        let environment = self.example.dev.environment();
        let value = |name: &str| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.clone()).unwrap()
        };
        let filled = |command: &str| {
            let command = command.replace("http://127.0.0.1:8080", &value("FANFARE_SERVER"));
            let command = command.replace("<username>:<password>", &value("FANFARE_API_KEY"));
            command.replace("<call>", &self.call).replace("<next>", "")
        };
        let mut script = String::new();
        for (n, typed) in all.iter().enumerate() {
            script.push_str(&format!("{}\necho \"@@ {n} $?\"\n", filled(&typed.command)));
        }
        let path = format!("{}:{}", self.folder.path().join("bin").display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("exec 2>&1\n{script}")]).current_dir(self.folder.path());
        shell.env("PATH", path).env("PASSWORD", "hunter2").env_remove("FANFARE_DATABASE");
        shell.env("FANFARE_SERVER", value("FANFARE_SERVER")).env("FANFARE_API_KEY", value("FANFARE_API_KEY"));
        let output = shell.stdin(Stdio::null()).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut wrong = Vec::new();
        let mut rest = printed.as_str();
        for (n, typed) in all.iter().enumerate() {
            let Some((before, after)) = rest.split_once(&format!("@@ {n} ")) else {
                wrong.push(format!("{page}: {} never ended:\n{rest}", typed.command));
                break;
            };
            let (code, after) = after.split_once('\n').unwrap_or((after, ""));
            rest = after;
            let lines: Vec<&str> = before.lines().filter(|line| !line.trim().is_empty()).collect();
            if code != "0" {
                wrong.push(format!("{page}: {} ended with {code}:\n{before}", typed.command));
            } else if !typed.shown.is_empty() && !are_like(&typed.shown, &lines) {
                wrong.push(format!("{page}: {} printed\n{before}", typed.command));
            }
        }
        wrong
    }
}

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The pages that make their own call, or need none.
const WITHOUT_A_CALL: &[&str] = &[
    "examples/weather-alert/README.md",
    "docs/develop-locally.md",
    "docs/import-customers.md",
    "docs/api-keys.md",
    "docs/back-up-and-restore.md",
];

#[test]
fn what_a_page_tells_to_type_prints_what_the_page_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = vec!["README.md".to_owned(), "examples/weather-alert/README.md".to_owned()];
    for entry in std::fs::read_dir(root.join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        names.extend(name.ends_with(".md").then(|| format!("docs/{name}")));
    }
    names.sort();
    let (mut wrong, mut tried, mut compared) = (Vec::new(), 0, 0);
    for name in names {
        let text = page(&name);
        let all = typed(&text);
        if all.is_empty() {
            continue;
        }
        let mut reader = Reader::new();
        if !WITHOUT_A_CALL.contains(&name.as_str()) {
            reader.call();
        }
        if name == "docs/import-customers.md" {
            let file =
                |name: &str, text: &str| std::fs::write(reader.folder.path().join(name), text).unwrap();
            file("customers.csv", blocks(&text, &["csv"])[0]);
            file("events.ndjson", blocks(&text, &["json"]).last().unwrap());
        }
        tried += all.len();
        compared += all.iter().filter(|typed| !typed.shown.is_empty()).count();
        wrong.extend(reader.types(&name, &all));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried >= 25 && compared >= 8, "{tried} commands were typed, and {compared} compared");
}

#[test]
fn every_reason_not_to_type_something_is_still_needed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = page("README.md") + &page("examples/weather-alert/README.md");
    for entry in std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_some_and(|it| it == "md") {
            all.push_str(&std::fs::read_to_string(entry).unwrap());
        }
    }
    for (part, _) in NOT_TYPED {
        assert!(all.contains(part), "nothing on a page says {part:?} any more");
    }
}

#[test]
fn a_planted_difference_is_seen() {
    let shown = |lines: &[&str]| lines.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let id = "01a22b82-bf28-727f-be50-c5168ae64497";
    let other = "019b2f6c-3c1e-7d40-a3f5-8f1d2c4b5a69";
    assert!(is_like(&format!("call  {id}"), &format!("call      {other}")));
    assert!(is_like("2026-11-30T08:11:58.632111Z done", "2027-01-01T00:00:00Z   done"));
    assert!(!is_like("sent 68, skipped 3", "sent 67, skipped 4") && !is_like("a", "a b"));
    assert!(is_like("took … ms", "took 17 ms") && !is_like("took … ms", "took 17 s"));
    assert!(are_like(&shown(&["a", "…", "d"]), &["a", "b", "c", "d"]));
    assert!(!are_like(&shown(&["a", "…", "d"]), &["a", "b", "c"]) && !are_like(&shown(&["a"]), &["a", "b"]));
    let page = "```console\n$ one\n$ two \\\n  more\nshown\n```\n```\ncurl x\n```\n```\na picture\n```\n```yaml\nfour: 4\n```\n";
    let commands: Vec<_> = typed(page).into_iter().map(|it| (it.command, it.shown)).collect();
    let (one, two, three) = ("one".to_owned(), "two    more".to_owned(), "curl x".to_owned());
    assert_eq!(commands, [(one, vec![]), (two, vec!["shown".to_owned()]), (three, vec![])]);
    assert!(typed("```\nkubectl get pods\n```").is_empty());
}

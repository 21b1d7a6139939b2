//! The Dockerfile, which cannot be built here: what it says alike with the crate, the chart and the operator.

use crate::cluster::file;

fn dockerfile() -> String {
    std::fs::read_to_string(file("Dockerfile")).unwrap()
}

#[test]
fn it_compiles_with_the_rust_that_the_crate_asks_for() {
    let line = format!("FROM rust:{}-", env!("CARGO_PKG_RUST_VERSION"));
    assert!(dockerfile().contains(&line), "{line}");
}

#[test]
fn its_user_is_the_one_that_pods_run_as() {
    let user = "65532";
    assert!(dockerfile().contains(&format!("\nUSER {user}:{user}\n")));
    let chart = std::fs::read_to_string(file("charts/fanfare/templates/_names.tpl")).unwrap();
    assert!(chart.contains(&format!("runAsUser: {user}\nrunAsGroup: {user}\n")));
    let pod = std::fs::read_to_string(file("src/operator/runtime/pod.rs")).unwrap();
    assert!(pod.replace('_', "").contains(&format!("const USER: i64 = {user};")));
}

#[test]
fn what_it_copies_is_not_ignored() {
    let ignored = std::fs::read_to_string(file(".dockerignore")).unwrap();
    for line in dockerfile().lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from")) {
        let (_, paths) = line.split_once(' ').unwrap();
        for path in paths.split(' ').rev().skip(1) {
            assert!(ignored.lines().any(|line| line == format!("!{path}")), "{path} is ignored");
            assert!(std::path::Path::new(&file(path)).exists(), "{path} is not there");
        }
    }
}

#[test]
fn it_is_built_on_what_nobody_can_exchange() {
    let from: Vec<String> =
        dockerfile().lines().filter(|line| line.starts_with("FROM ")).map(str::to_owned).collect();
    assert_eq!(from.len(), 2);
    assert!(from.iter().all(|line| line.contains("@sha256:")), "{from:?}");
}

/// A tag can be moved; some of these jobs may write packages.
#[test]
fn actions_are_pinned_by_their_commit() {
    for entry in std::fs::read_dir(file(".github/workflows")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let used = text.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("uses: "));
        for used in used {
            let commit = used.split(" #").next().unwrap().rsplit_once('@').map_or("", |(_, commit)| commit);
            let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_commit && used.contains(" # v"), "{}: {used}", path.display());
        }
    }
}

//! The corpus of manifests, right and wrong: the same verdict, at the same fields, from both.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::cluster::{Cluster, file, stderr};
use crate::verdict::{Verdict, corpus, of_api_server, of_ours};

/// How many kubectls run at a time.
const WORKERS: usize = 4;

/// Applies `judge` to every file and gives back what it has to say, sorted.
pub fn each(files: Vec<PathBuf>, judge: impl Fn(&Path) -> Option<String> + Sync) -> Vec<String> {
    let (queue, told) = (Mutex::new(files), Mutex::new(Vec::new()));
    let work = || {
        while let Some(file) = { queue.lock().unwrap().pop() } {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            if let Some(message) = judge(&file) {
                told.lock().unwrap().push(format!("{name}: {message}"));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(work);
        }
    });
    let mut told = told.into_inner().unwrap();
    told.sort();
    told
}

#[test]
fn invalid_manifests_are_refused_by_both_at_the_same_fields() {
    let cluster = Cluster::shared();
    let files = corpus("invalid");
    assert!(files.len() >= 60, "the corpus has {} files", files.len());
    let differences = each(files, |file| {
        let output = cluster.judge(file);
        let (theirs, ours) = (of_api_server(&output), of_ours(file));
        let same_fields = theirs.fields.is_empty() || theirs.fields == ours.fields;
        let agreed = !theirs.accepted && !ours.accepted && same_fields;
        (!agreed)
            .then(|| format!("\n  API server: {theirs:?}\n  ours:       {ours:?}\n  {}", stderr(&output)))
    });
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn valid_manifests_are_accepted_by_both() {
    let cluster = Cluster::shared();
    let accepted = Verdict { accepted: true, fields: [].into() };
    let differences = each(corpus("valid"), |file| {
        let output = cluster.judge(file);
        let (theirs, ours) = (of_api_server(&output), of_ours(file));
        (theirs != accepted || ours != accepted).then(|| format!("{ours:?}\n{}", stderr(&output)))
    });
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn the_command_names_every_file_that_is_wrong_and_exits_with_one() {
    let validate = |path: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
        command.args(["validate", "-o", "json", path]).output().unwrap()
    };
    let output = validate(&file("tests/kubernetes/invalid"));
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let told = report["diagnostics"].as_array().unwrap();
    for file in corpus("invalid") {
        let errors = told
            .iter()
            .filter(|found| found["severity"] == "error" && found["file"] == *file.display().to_string());
        // In one folder most of these are also one object written many times, which is not what is wrong with them.
        let own = errors.filter(|found| !found["message"].as_str().unwrap().contains("also written"));
        assert_ne!(own.count(), 0, "{}", file.display());
    }
    let missing = validate("no/such/folder");
    assert_eq!(missing.status.code(), Some(2), "{}", stderr(&missing));
}

#[test]
fn every_example_is_accepted_by_both() {
    let cluster = Cluster::shared();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let folders = examples.read_dir().into_iter().flatten().map(|entry| entry.unwrap().path());
    // What is for Argo CD and Flux holds none of our kinds.
    for folder in folders.filter(|path| path.is_dir() && !path.ends_with("gitops")) {
        let shown = folder.display().to_string();
        let applied = cluster.kubectl(&["apply", "--dry-run=server", "--validate=strict", "-k", &shown]);
        assert!(applied.status.success(), "{shown}: {}", stderr(&applied));
        let validated =
            Command::new(env!("CARGO_BIN_EXE_fanfare")).arg("validate").arg(&folder).output().unwrap();
        assert!(validated.status.success(), "{shown}: {}", stderr(&validated));
    }
}

#[test]
fn what_is_for_argo_cd_is_accepted() {
    let argocd = file("examples/gitops/argocd");
    let applied =
        Cluster::shared().kubectl(&["apply", "--dry-run=server", "--validate=strict", "-k", &argocd]);
    assert!(applied.status.success(), "{}", stderr(&applied));
}

#[test]
fn the_manifests_of_the_design_are_accepted() {
    let cluster = Cluster::shared();
    let design = PathBuf::from(file("tests/kubernetes/design.yaml"));
    let output = cluster.judge(&design);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(of_ours(&design).accepted);
}

#[test]
fn every_rule_between_fields_is_broken_by_some_manifest() {
    let told: Vec<String> = corpus("invalid")
        .iter()
        .flat_map(|file| fanfare::manifests::check(&fanfare::manifests::read_folder(file).unwrap()))
        .map(|diagnostic| diagnostic.message)
        .collect();
    let mut unbroken = Vec::new();
    for definition in fanfare::api::definitions() {
        let rules = rules_of(&definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]);
        // What cannot be changed takes two objects; `definitions.rs` has those.
        let checked = rules.into_iter().filter(|(rule, _)| !rule.contains("oldSelf"));
        unbroken.extend(
            checked
                .map(|(_, message)| message)
                .filter(|message| !told.iter().any(|it| it.starts_with(message))),
        );
    }
    assert!(unbroken.is_empty(), "no manifest in the corpus breaks: {unbroken:#?}");
}

/// The rules of a schema and of all within it, with their messages.
fn rules_of(schema: &serde_json::Value) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let own = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    let mut rules: Vec<_> = own.map(|rule| (text(&rule["rule"]), text(&rule["message"]))).collect();
    let properties = schema["properties"].as_object().into_iter().flat_map(|properties| properties.values());
    rules.extend(properties.flat_map(rules_of));
    if schema["items"].is_object() {
        rules.extend(rules_of(&schema["items"]));
    }
    rules
}

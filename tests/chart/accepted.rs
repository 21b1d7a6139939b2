//! A real API server takes what the chart and `config/` make, as strictly as it can; and the rights people get.

use std::process::Output;

use serde_json::Value;

use crate::cluster::{Cluster, file, stderr};
use crate::helm::{CORPUS, template, template_as};

fn dry_run(cluster: &Cluster, objects: &[&Value]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("objects.yaml");
    // JSON, which nobody reads as something else.
    let texts = objects.iter().map(ToString::to_string);
    std::fs::write(&path, texts.collect::<Vec<_>>().join("\n---\n")).unwrap();
    let path = path.display().to_string();
    cluster.kubectl(&["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", &path])
}

#[test]
fn an_api_server_takes_all_that_is_rendered() {
    let cluster = Cluster::shared();
    for namespace in ["fanfare-system", "shop", "news"] {
        cluster.ask(&["create", "namespace", namespace]);
    }
    // A Pod is judged only if its account is there, which a dry run does not make.
    for account in ["fanfare-operator", "other"] {
        cluster.ask(&["create", "serviceaccount", account, "-n", "fanfare-system"]);
    }
    cluster.ask(&["label", "namespace", "fanfare-system", "pod-security.kubernetes.io/enforce=restricted"]);
    for values in CORPUS {
        let objects = template(values);
        // Kinds of the Prometheus operator, which this API server does not know.
        let known =
            |object: &&Value| !object["apiVersion"].as_str().unwrap().starts_with("monitoring.coreos.com");
        let known: Vec<&Value> = objects.iter().filter(known).collect();
        let taken = dry_run(&cluster, &known);
        assert!(taken.status.success(), "{values}: {}", stderr(&taken));
        assert!(!stderr(&taken).contains("violate PodSecurity"), "{values}: {}", stderr(&taken));
    }
    odd_names_are_taken(&cluster);
    let config = file("config/default");
    let taken =
        cluster.kubectl(&["apply", "--server-side", "--dry-run=server", "--validate=strict", "-k", &config]);
    assert!(taken.status.success(), "{}", stderr(&taken));
}

/// A release and namespaces of which YAML would make numbers and a boolean, and a Service nothing.
fn odd_names_are_taken(cluster: &Cluster) {
    for namespace in ["1234", "2024", "on"] {
        cluster.ask(&["create", "namespace", namespace]);
    }
    cluster.ask(&["create", "serviceaccount", "fanfare-2026-1-fanfare-operator", "-n", "1234"]);
    let objects =
        template_as("2026.1", "1234", "{watchNamespaces: ['2024', 'on'], networkPolicy: {enabled: true}}");
    let taken = dry_run(cluster, &objects.iter().collect::<Vec<_>>());
    assert!(taken.status.success(), "{}", stderr(&taken));
}

#[test]
fn people_may_do_what_their_role_says() {
    let cluster = Cluster::shared();
    cluster.ask(&["apply", "--server-side", "-f", &file("config/operator/people.yaml")]);
    cluster.ask(&["create", "namespace", "people"]);
    for role in ["view", "edit", "admin"] {
        let (role, user) = (format!("--clusterrole={role}"), format!("--user={role}"));
        cluster.ask(&["create", "rolebinding", &user[7..], &role, &user, "-n", "people"]);
    }
    let ask = |user: &str, verb: &str, kind: &str, more: &[&str]| {
        let kind = format!("{kind}.fanfare.dev");
        let question = ["auth", "can-i", verb, &kind, "--as", user, "-n", "people"];
        let asked = cluster.kubectl(&[&question, more].concat());
        String::from_utf8_lossy(&asked.stdout).trim() == "yes"
    };
    let may = |user: &str, verb: &str, kind: &str| ask(user, verb, kind, &[]);
    let begun = std::time::Instant::now();
    // A controller adds the rights up.
    while !(may("view", "list", "runtimes")
        && may("admin", "create", "channels")
        && may("edit", "create", "scenarios"))
    {
        assert!(begun.elapsed().as_secs() < 60, "the rights are not added up");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    for kind in ["apikeys", "apitriggers", "channels", "runtimes", "scenarios"] {
        let is_an_editors = ["apitriggers", "scenarios"].contains(&kind);
        assert!(may("view", "get", kind) && !may("view", "create", kind), "view of {kind}");
        assert_eq!(may("edit", "create", kind), is_an_editors, "edit of {kind}");
        assert_eq!(may("edit", "delete", kind), is_an_editors, "edit of {kind}");
        assert!(may("edit", "get", kind) && may("admin", "create", kind), "admin of {kind}");
        for user in ["view", "edit", "admin"] {
            assert!(
                !ask(user, "patch", kind, &["--subresource=status"]),
                "{user} writes the status of {kind}"
            );
        }
    }
}

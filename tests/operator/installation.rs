//! `fanfare check-install`, which `helm test` runs: it says what is well, and in words what is not.

use std::process::{Command, Output};

use crate::stage::Stage;

fn check(stage: &Stage, operator: &str, namespace: &str) -> Output {
    let kubeconfig = stage.folder.path().join("account");
    std::fs::write(&kubeconfig, stage.operator_kubeconfig()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
    command.args(["check-install", "--operator", operator, "--watch", namespace, "--patience", "1s"]);
    command.args(["--own-namespace", &stage.system]);
    command.env("KUBECONFIG", kubeconfig).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_is_checked_as_the_operators_account() {
    let stage = Stage::new("installation").await;
    let operator = stage.operator(&[]).await;
    let address = format!("http://{}", operator.address());
    let well = check(&stage, &address, &stage.namespace);
    let text = String::from_utf8(well.stdout).unwrap();
    assert_eq!((well.status.code(), text.matches("ok  ").count()), (Some(0), 8), "{text}");
    let serves = format!("namespace {} and serves namespace {}\n", stage.system, stage.namespace);
    assert!(
        text.contains("ok      an operator holds the Lease fanfare-operator of ") && text.contains(&serves),
        "{text}"
    );

    // Without a right that is used now and then only.
    let narrowed = ["get", "clusterrole", "fanfare-operator", "-o", "json"];
    let mut narrowed: serde_json::Value = serde_json::from_str(&stage.kubectl(&narrowed)).unwrap();
    narrowed["metadata"] = serde_json::json!({"name": format!("narrowed-{}", stage.namespace)});
    narrowed["rules"].as_array_mut().unwrap().retain(|rule| {
        let resources = rule["resources"].as_array().unwrap();
        !resources.iter().any(|it| ["secrets", "statefulsets", "roles"].iter().any(|gone| it == gone))
    });
    let path = stage.folder.path().join("narrowed.json");
    std::fs::write(&path, narrowed.to_string()).unwrap();
    stage.kubectl(&["create", "-f", &path.display().to_string()]);
    let served = format!("fanfare-operator-{}", stage.namespace);
    stage.kubectl(&["delete", "rolebinding", &served, "-n", &stage.namespace]);
    let account = format!("--serviceaccount={}:fanfare-operator", stage.system);
    let role = format!("--clusterrole=narrowed-{}", stage.namespace);
    stage.kubectl(&["create", "rolebinding", "narrowed", &role, &account, "-n", &stage.namespace]);
    let narrow = async || {
        let narrow = check(&stage, &address, &stage.namespace);
        let text = String::from_utf8(narrow.stderr).unwrap();
        narrow.status.code() == Some(1) && text.contains("it may not get secrets, list secrets")
    };
    stage.until("missing rights are named", narrow).await;

    let elsewhere = check(&stage, &address, "default");
    let text = String::from_utf8(elsewhere.stderr).unwrap();
    assert_eq!(elsewhere.status.code(), Some(1));
    assert!(text.contains("not ok  this account may list all kinds in namespace default: apikeys"), "{text}");
    assert!(text.contains("forbidden"), "{text}");

    assert_eq!(operator.terminate().await, Some(0));
    let gone = check(&stage, &address, &stage.namespace);
    let text = String::from_utf8(gone.stderr).unwrap();
    assert_eq!(gone.status.code(), Some(1));
    assert!(text.contains("not ok  the operator is ready") && text.contains("cannot be reached"), "{text}");
    assert!(
        text.contains("not ok  an operator holds the Lease") && text.contains("nobody holds it"),
        "{text}"
    );
}

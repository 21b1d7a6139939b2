//! What a person sees who applies manifests: credentials, reasons, and what becomes of an edit.

use serde_json::Value;

use crate::scene::RUNTIME;
use crate::stage::Stage;

pub const TRIGGER: &str = "
apiVersion: fanfare.dev/v1alpha1
kind: ApiTrigger
metadata: {name: storm}
spec:
  parameters:
  - {name: city, type: string, example: Vienna}
";

pub const CHANNEL: &str = "
apiVersion: fanfare.dev/v1alpha1
kind: Channel
metadata: {name: out}
spec: {log: {}}
";

pub const SCENARIO: &str = "
apiVersion: fanfare.dev/v1alpha1
kind: Scenario
metadata: {name: warning}
spec:
  triggers: [{triggerRef: {name: storm}}]
  audience: {where: customer.city == params.city}
  nodes:
  - name: tell
    message: {channelRef: {name: out}, consent: None, log: {text: 'A storm is coming to {{ params.city }}.'}}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_gets_credentials_once_and_they_come_back_if_they_are_deleted() {
    let stage = Stage::new("credentials").await;
    let operator = stage.operator(&[]).await;
    stage.apply(TRIGGER);
    stage.until_reason("apitrigger", "storm", "Programmed", "NoRuntime").await;
    let secret = stage.get("secret", "storm-trigger");
    assert_eq!(secret["type"], "kubernetes.io/basic-auth");
    assert_eq!(secret["metadata"]["ownerReferences"][0]["kind"], "ApiTrigger");
    let trigger = stage.get("apitrigger", "storm");
    assert_eq!(trigger["status"]["secretRef"]["name"], "storm-trigger");
    assert_eq!(trigger["status"]["secretRevision"], secret["metadata"]["resourceVersion"]);
    // Another process finds the same credentials.
    drop(operator);
    let _operator = stage.operator(&["--no-leader-election"]).await;
    stage.apply(&TRIGGER.replace("type: string", "type: string, required: false"));
    stage
        .until("the other one has acted on the edit", async || {
            let trigger = stage.get("apitrigger", "storm");
            let generation = &trigger["metadata"]["generation"];
            *generation != serde_json::json!(1) && trigger["status"]["observedGeneration"] == *generation
        })
        .await;
    assert_eq!(stage.get("secret", "storm-trigger")["data"], secret["data"]);
    stage.kubectl(&["delete", "secret", "storm-trigger", "-n", &stage.namespace]);
    stage.until("there are new ones", async || !stage.get("secret", "storm-trigger").is_null()).await;
    assert_ne!(stage.get("secret", "storm-trigger")["data"]["password"], secret["data"]["password"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_somebody_else_is_not_touched() {
    let stage = Stage::new("foreign").await;
    let _operator = stage.operator(&[]).await;
    stage.kubectl(&[
        "create",
        "secret",
        "generic",
        "storm-trigger",
        "-n",
        &stage.namespace,
        "--from-literal=a=b",
    ]);
    let before = stage.get("secret", "storm-trigger");
    stage.apply(TRIGGER);
    let message = stage.until_reason("apitrigger", "storm", "ResolvedRefs", "SecretNotOwned").await;
    assert!(message.contains("rename or delete it"), "{message}");
    assert_eq!(stage.get("secret", "storm-trigger"), before);
    stage.kubectl(&["delete", "secret", "storm-trigger", "-n", &stage.namespace]);
    stage.kubectl(&["annotate", "-n", &stage.namespace, "apitrigger", "storm", "touched=yes"]);
    stage.until_reason("apitrigger", "storm", "ResolvedRefs", "Succeeded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_says_what_is_wrong_where_and_who_broke_it() {
    let stage = Stage::new("broken").await;
    let _operator = stage.operator(&[]).await;
    stage.apply(SCENARIO);
    let message = stage.until_reason("scenario", "warning", "Ready", "TriggerNotFound").await;
    assert!(message.contains("there is no ApiTrigger storm"), "{message}");
    stage.apply(TRIGGER);
    stage.until_reason("scenario", "warning", "Ready", "ChannelNotFound").await;
    stage.apply(CHANNEL);
    stage.until_reason("scenario", "warning", "Accepted", "Succeeded").await;
    let indexed = stage.until_reason("scenario", "warning", "AudienceIndexed", "NoReplicaReady").await;
    assert!(indexed.contains("by index on customer.city"), "{indexed}");

    stage.apply(&SCENARIO.replace("params.city }}", "params.town }}"));
    let message = stage.until_reason("scenario", "warning", "Ready", "Invalid").await;
    assert!(message.contains("spec.nodes[0].message.log.text, line 1, column"), "{message}");
    assert!(message.contains('^'), "{message}");
    assert_eq!(stage.get("scenario", "warning")["status"]["state"], "Stalled");
    stage.apply(SCENARIO);
    stage.until_reason("scenario", "warning", "Accepted", "Succeeded").await;

    stage.apply(&TRIGGER.replace("name: city", "name: town"));
    let message = stage.until_reason("scenario", "warning", "Ready", "Invalid").await;
    assert!(
        message.starts_with("it was right until ApiTrigger storm was changed (generation 1 to 2):"),
        "{message}"
    );
    stage.apply(TRIGGER);
    stage.until_reason("scenario", "warning", "Accepted", "Succeeded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_runtime_is_in_force_and_the_next_one_after_it() {
    let stage = Stage::new("oldest").await;
    let _operator = stage.operator(&[]).await;
    let runtime = |name: &str| RUNTIME.replace("name: main", &format!("name: {name}"));
    stage.apply(&runtime("main"));
    stage.until_reason("runtime", "main", "Accepted", "Succeeded").await;
    // Times of objects have whole seconds; within one the name decides.
    stage.apply(&runtime("other"));
    let message = stage.until_reason("runtime", "other", "Ready", "NotTheOldest").await;
    assert!(message.contains("that is main"), "{message}");
    assert!(stage.get("statefulset", "other-runtime").is_null());
    stage.kubectl(&["delete", "runtime", "main", "-n", &stage.namespace]);
    stage.until_reason("runtime", "other", "Accepted", "Succeeded").await;
    stage.until("it has a workload", async || !stage.get("statefulset", "other-runtime").is_null()).await;
    stage
        .until("the former one's is gone", async || stage.get("statefulset", "main-runtime").is_null())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_names_exactly_the_secrets_that_are_read() {
    let stage = Stage::new("role").await;
    let _operator = stage.operator(&[]).await;
    stage.apply(RUNTIME);
    stage.until("there is a Role", async || !stage.get("role", "main-runtime").is_null()).await;
    let names = || {
        let role = stage.get("role", "main-runtime");
        let rules = role["rules"].as_array().cloned().unwrap_or_default();
        let of_secrets = rules.iter().find(|rule| rule["resources"][0] == "secrets").cloned();
        of_secrets.map(|rule| (rule["verbs"].clone(), rule["resourceNames"].clone()))
    };
    assert_eq!(names(), None, "a rule without names would be one for every Secret");
    stage.apply(TRIGGER);
    stage.apply("apiVersion: fanfare.dev/v1alpha1\nkind: Channel\nmetadata: {name: hook}\nspec: {webhook: {url: 'https://example.com/', signingSecret: {secretKeyRef: {name: signing, key: key}}}}\n");
    stage.kubectl(&[
        "create",
        "secret",
        "generic",
        "signing",
        "-n",
        &stage.namespace,
        "--from-literal=key=x",
    ]);
    stage.kubectl(&["label", "secret", "signing", "-n", &stage.namespace, "fanfare.dev/allow=channel"]);
    let expected = (Value::from(vec!["get"]), Value::from(vec!["signing", "storm-trigger"]));
    stage.until("both are named", async || names().as_ref() == Some(&expected)).await;
    stage.kubectl(&["delete", "channel", "hook", "-n", &stage.namespace]);
    let expected = (Value::from(vec!["get"]), Value::from(vec!["storm-trigger"]));
    stage.until("one is named", async || names().as_ref() == Some(&expected)).await;
}

/// What an account may not do, as the API server says.
fn denied(stage: &Stage, account: &str, verb: &str, resource: &str, namespace: &str) -> bool {
    let account = format!("--as=system:serviceaccount:{account}");
    let output = stage.cluster.kubectl(&["auth", "can-i", verb, resource, "-n", namespace, &account]);
    String::from_utf8_lossy(&output.stdout).trim() == "no"
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operator_and_runtime_may_not_do() {
    let stage = Stage::new("rights").await;
    let _operator = stage.operator(&[]).await;
    stage.apply(RUNTIME);
    stage.apply(TRIGGER);
    let role = async || stage.get("role", "main-runtime")["rules"].to_string().contains("storm-trigger");
    stage.until("the runtime may read the trigger's Secret", role).await;
    let (own, other) = (stage.namespace.clone(), "kube-system");
    let runtime = format!("{own}:main-runtime");
    // Who decides about rights learns of a Role a moment after it is there.
    let named = async || !denied(&stage, &runtime, "get", "secrets/storm-trigger", &own);
    stage.until("what is named is allowed", named).await;
    for (verb, resource, namespace) in [
        ("get", "secrets/another", own.as_str()),
        ("list", "secrets", &own),
        ("watch", "secrets", &own),
        ("get", "secrets/storm-trigger", other),
        ("update", "secrets/storm-trigger", &own),
        ("patch", "scenarios.fanfare.dev", &own),
        ("patch", "scenarios.fanfare.dev/status", &own),
        ("update", "configmaps", &own),
        ("create", "pods", &own),
        ("list", "apitriggers.fanfare.dev", other),
        ("list", "configmaps", other),
    ] {
        assert!(
            denied(&stage, &runtime, verb, resource, namespace),
            "the runtime may {verb} {resource} in {namespace}"
        );
    }
    let operator = format!("{}:fanfare-operator", stage.system);
    for (verb, resource, namespace) in [
        ("update", "scenarios.fanfare.dev", own.as_str()),
        ("patch", "apitriggers.fanfare.dev", &own),
        ("delete", "runtimes.fanfare.dev", &own),
        ("patch", "secrets", &own),
        ("create", "pods", &own),
        ("create", "pods/exec", &own),
        ("delete", "persistentvolumeclaims", &own),
        ("delete", "services", &own),
        ("escalate", "roles.rbac.authorization.k8s.io", &own),
        ("bind", "roles.rbac.authorization.k8s.io", &own),
        ("impersonate", "serviceaccounts", &own),
        ("get", "secrets", other),
        ("list", "nodes", other),
    ] {
        assert!(
            denied(&stage, &operator, verb, resource, namespace),
            "the operator may {verb} {resource} in {namespace}"
        );
    }
}

#[test]
fn every_reason_is_in_the_table_of_the_docs() {
    let table = std::fs::read_to_string(crate::harness::cluster::file("docs/run-on-a-cluster.md")).unwrap();
    let mut missing = Vec::new();
    let mut folders = vec![std::path::PathBuf::from(crate::harness::cluster::file("src/operator"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
            // A reason is a word of its own in quotes, in CamelCase with at least two humps.
            for word in code.split('"').skip(1).step_by(2) {
                let humps = word.chars().filter(char::is_ascii_uppercase).count();
                let is_word = word.chars().all(|c| c.is_ascii_alphabetic())
                    && word.starts_with(|c: char| c.is_ascii_uppercase())
                    && word.contains(|c: char| c.is_ascii_lowercase());
                if is_word
                    && humps >= 2
                    && !NOT_REASONS.contains(&word)
                    && !table.contains(&format!("`{word}`"))
                {
                    missing.push(format!("{word} ({})", entry.path().display()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "docs/run-on-a-cluster.md does not explain {missing:#?}");
}

/// Words of Kubernetes that stand in the code as reasons do.
const NOT_REASONS: &[&str] = &[
    "ApiTrigger",
    "ApiKey",
    "ClusterIP",
    "ConfigMap",
    "DoNotSchedule",
    "HTTP",
    "HTTPRoute",
    "HTTPS",
    "HorizontalPodAutoscaler",
    "IfNotPresent",
    "NetworkPolicy",
    "OnRootMismatch",
    "PathPrefix",
    "PersistentVolumeClaim",
    "ReplicaSet",
    "PodDisruptionBudget",
    "ReadWriteOnce",
    "ReplicaFailure",
    "RoleBinding",
    "RollingUpdate",
    "RuntimeDefault",
    "ContainerCreating",
    "PodInitializing",
    "PodScheduled",
    "FallbackToLogsOnError",
    "ScheduleAnyway",
    "ServiceAccount",
    "StatefulSet",
    "TCP",
    "UDP",
    "AlwaysAllow",
    "ALL",
    "DELETE",
    "GET",
    "StandBack",
    "OOMKilled",
    "DeadlineExceeded",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_a_condition_with_words_and_an_event() {
    let stage = Stage::new("failing").await;
    let _operator = stage.operator(&[]).await;
    stage.apply(&[TRIGGER, RUNTIME].join("---"));
    stage.until_reason("apitrigger", "storm", "ResolvedRefs", "Succeeded").await;
    // A Secret that cannot be changed any more.
    let namespace = stage.namespace.as_str();
    stage.kubectl(&["patch", "secret", "storm-trigger", "-n", namespace, "-p", "{\"immutable\": true}"]);
    let rotate = "fanfare.dev/rotate-requested-at=now";
    stage.kubectl(&["annotate", "apitrigger", "storm", "-n", namespace, rotate]);
    let message = stage.until_reason("apitrigger", "storm", "Reconciled", "SecretImmutable").await;
    assert!(message.contains("Secret storm-trigger immutable") && message.contains("delete it"), "{message}");
    assert_eq!(stage.reason("apitrigger", "storm", "Ready").1, "SecretImmutable");
    stage.kubectl(&["delete", "secret", "storm-trigger", "-n", namespace]);
    stage.until_reason("apitrigger", "storm", "ResolvedRefs", "Succeeded").await;
    stage
        .until("it is not said any more", async || {
            stage.reason("apitrigger", "storm", "Reconciled").0.is_empty()
        })
        .await;
    // Rights that are taken away.
    let role = stage.kubectl(&["get", "clusterrole", "fanfare-operator", "-o", "json"]);
    let mut role: Value = serde_json::from_str(&role).unwrap();
    role["metadata"] = serde_json::json!({"name": format!("blind-{namespace}")});
    let is_of_secrets = |rule: &Value| rule["resources"].as_array().unwrap().iter().any(|it| it == "secrets");
    role["rules"].as_array_mut().unwrap().retain(|rule| !is_of_secrets(rule));
    let path = stage.folder.path().join("blind.json");
    std::fs::write(&path, role.to_string()).unwrap();
    stage.kubectl(&["create", "-f", &path.display().to_string()]);
    stage.kubectl(&["delete", "rolebinding", &format!("fanfare-operator-{namespace}"), "-n", namespace]);
    let account = format!("--serviceaccount={}:fanfare-operator", stage.system);
    let blind = format!("--clusterrole=blind-{namespace}");
    stage.kubectl(&["create", "rolebinding", "blind", &blind, &account, "-n", namespace]);
    stage.apply(&TRIGGER.replace("name: storm", "name: flood"));
    let message = stage.until_reason("apitrigger", "flood", "Ready", "Forbidden").await;
    assert!(message.contains("secrets \"flood-trigger\" is forbidden"), "{message}");
    assert!(message.contains("config/operator/rbac.yaml") && !message.contains("Status {"), "{message}");
    let told = async || {
        let events = stage.kubectl(&["get", "events.v1.events.k8s.io", "-n", namespace, "-o", "json"]);
        assert!(!events.contains("Status {"), "{events}");
        events.contains("ReconcileFailed") && events.contains("flood-trigger")
    };
    stage.until("an Event says so", told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_apply_that_brings_everything_warns_of_nothing_and_the_same_again_changes_nothing() {
    let stage = Stage::new("newcomer").await;
    let _operator = stage.operator(&[]).await;
    let all = [SCENARIO, CHANNEL, TRIGGER].join("---");
    stage.apply(&all);
    stage.until_reason("scenario", "warning", "Ready", "NoRuntime").await;
    stage.until_reason("apitrigger", "storm", "Ready", "NoRuntime").await;
    assert_eq!(stage.reason("scenario", "warning", "Ready").0, "Unknown", "it may come with the same apply");
    stage.apply(RUNTIME);
    stage.until_reason("scenario", "warning", "Ready", "NoReplicaReady").await;
    let events = stage.kubectl(&["get", "events.v1.events.k8s.io", "-n", &stage.namespace, "-o", "json"]);
    assert!(!events.contains("NoRuntime") && !events.contains("NotFound"), "{events}");
    let path = stage.folder.path().join("all.yaml");
    std::fs::write(&path, &all).unwrap();
    let again = stage.kubectl(&["apply", "-n", &stage.namespace, "-f", &path.display().to_string()]);
    assert_eq!(again.matches("unchanged").count(), 3, "{again}");
    let explained = stage.kubectl(&["explain", "ffs"]);
    assert!(explained.contains("What is done when something happened"), "{explained}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_own_reasons_are_told() {
    let stage = Stage::new("refused").await;
    let _operator = stage.operator(&[]).await;
    stage.apply("{apiVersion: v1, kind: ResourceQuota, metadata: {name: none}, spec: {hard: {pods: '0'}}}");
    stage.apply(RUNTIME);
    let message = stage.until_reason("runtime", "main", "WorkloadReady", "PodRefused").await;
    assert!(message.contains("(FailedCreate)") && message.contains("quota"), "{message}");
    stage.kubectl(&["delete", "resourcequota", "none", "-n", &stage.namespace]);
    stage.until_reason("runtime", "main", "WorkloadReady", "RollingOut").await;
    // A Runtime that is renamed begins with another volume.
    let volume = async || !stage.get("pvc", "data-main-runtime-0").is_null();
    stage.until("there is a volume claim", volume).await;
    stage.kubectl(&["delete", "runtime", "main", "-n", &stage.namespace]);
    stage.apply(&RUNTIME.replace("name: main", "name: other"));
    let message = stage.until_reason("runtime", "other", "VolumeLeftBehind", "RuntimeRenamed").await;
    assert!(
        message.contains("data-main-runtime-0") && message.contains("name the Runtime main again"),
        "{message}"
    );
    let events = async || {
        let events = stage.kubectl(&["get", "events.v1.events.k8s.io", "-n", &stage.namespace, "-o", "json"]);
        events.contains("VolumeLeftBehind")
    };
    stage.until("an Event says so", events).await;
    stage.kubectl(&["delete", "pvc", "data-main-runtime-0", "-n", &stage.namespace]);
    let touched = ["annotate", "runtime", "other", "-n", &stage.namespace, "touched=yes"];
    stage.kubectl(&touched);
    let over = async || stage.reason("runtime", "other", "VolumeLeftBehind").0.is_empty();
    stage.until("it is not said any more", over).await;
}

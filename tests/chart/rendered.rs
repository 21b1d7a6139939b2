//! What values lead to.

use serde_json::{Value, json};

use crate::helm::{CORPUS, find, template, template_as};

fn args(objects: &[Value]) -> Vec<String> {
    let operator = find(objects, "Deployment", "fanfare-operator");
    serde_json::from_value(operator["spec"]["template"]["spec"]["containers"][0]["args"].clone()).unwrap()
}

fn kinds(objects: &[Value]) -> Vec<&str> {
    objects.iter().map(|object| object["kind"].as_str().unwrap()).collect()
}

#[test]
fn pods_may_do_nothing_but_their_work() {
    for values in CORPUS {
        let objects = template(values);
        let pods = objects.iter().filter_map(|object| match object["kind"].as_str() {
            Some("Deployment") => Some(&object["spec"]["template"]["spec"]),
            Some("Pod") => Some(&object["spec"]),
            _ => None,
        });
        let pods: Vec<&Value> = pods.collect();
        assert_eq!(pods.len(), 2, "the operator and the test");
        for pod in pods {
            let security = &pod["securityContext"];
            assert_eq!((&security["runAsUser"], &security["runAsGroup"]), (&json!(65532), &json!(65532)));
            assert_eq!(security["runAsNonRoot"], true);
            let container = &pod["containers"][0]["securityContext"];
            assert_eq!(container["readOnlyRootFilesystem"], true);
            assert_eq!(container["capabilities"]["drop"], json!(["ALL"]));
            assert!(pod["containers"][0]["resources"]["limits"]["memory"].is_string());
        }
    }
}

#[test]
fn rights_are_given_in_the_named_namespaces_only() {
    let everywhere = template("{}");
    find(&everywhere, "ClusterRoleBinding", "fanfare-operator");
    let named = template("{watchNamespaces: [shop, news]}");
    let bindings: Vec<(&Value, &Value)> = named
        .iter()
        .filter(|object| object["kind"] == "RoleBinding" || object["kind"] == "ClusterRoleBinding")
        .map(|object| (&object["metadata"]["name"], &object["metadata"]["namespace"]))
        .collect();
    let (shop, news, own) = (json!("shop"), json!("news"), json!("fanfare-system"));
    let role = |rest: &str| json!(format!("fanfare-fanfare-system-operator{rest}"));
    let (all, cluster, lease) = (role(""), role("-cluster"), role("-own"));
    for wanted in [(&all, &shop), (&all, &news), (&lease, &own), (&cluster, &Value::Null)] {
        assert!(bindings.contains(&wanted), "{wanted:?} of {bindings:?}");
    }
    assert_eq!(bindings.len(), 4);
    let args = args(&named);
    assert!(args.contains(&"--watch=shop".into()) && args.contains(&"--watch=news".into()), "{args:?}");
}

#[test]
fn releases_side_by_side_share_no_name_and_no_lease() {
    let values = "{watchNamespaces: [shop], crds: {install: false}}";
    let places = [("fanfare", "north"), ("fanfare", "south"), ("fanfare-two", "south")];
    let mut seen = std::collections::BTreeSet::new();
    for (release, namespace) in places {
        for object in template_as(release, namespace, values) {
            let name = (
                object["kind"].as_str().unwrap().to_owned(),
                object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned(),
                object["metadata"]["name"].as_str().unwrap().to_owned(),
            );
            assert!(seen.insert(name.clone()), "{name:?} is of two releases");
        }
    }
    let other = template_as("fanfare-two", "south", values);
    let own = find(&other, "ClusterRole", "fanfare-two-south-operator-own");
    assert_eq!(own["rules"][1]["resourceNames"], json!(["fanfare-two-operator"]));
    let operator = find(&other, "Deployment", "fanfare-two-operator");
    let test = find(&other, "Pod", "fanfare-two-test");
    for args in [
        &operator["spec"]["template"]["spec"]["containers"][0]["args"],
        &test["spec"]["containers"][0]["args"],
    ] {
        assert!(args.as_array().unwrap().contains(&json!("--lease-name=fanfare-two-operator")), "{args}");
    }
}

#[test]
fn every_flag_of_the_operator_is_a_value() {
    let all = "{watchNamespaces: [shop], leaderElection: false, image: {pullSecrets: [key]},
      egress: {allow: [10.20.0.0/16], deny: [10.20.1.0/24]}, tracing: {endpoint: 'http://collector:4318'}}";
    let objects = template(all);
    let help =
        std::process::Command::new(env!("CARGO_BIN_EXE_fanfare")).args(["operator", "--help"]).output();
    let help = String::from_utf8(help.unwrap().stdout).unwrap();
    let flags = help.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
    let flags = flags.map(|rest| rest.split([' ', '\n']).next().unwrap_or_default());
    let set = args(&objects);
    // Who the process is, the Pod says.
    let by_environment = ["own-namespace", "identity", "pod-uid", "help", "version"];
    let mut count = 0;
    for flag in flags.filter(|flag| !by_environment.contains(flag)) {
        let given = |arg: &String| *arg == format!("--{flag}") || arg.starts_with(&format!("--{flag}="));
        assert!(set.iter().any(given), "--{flag} is not set by the chart: {set:?}");
        count += 1;
    }
    assert!(count >= 10, "{help}");
}

#[test]
fn several_operators_have_a_budget_and_one_has_none() {
    assert!(!kinds(&template("{}")).contains(&"PodDisruptionBudget"));
    let several = template("{replicas: 2}");
    assert!(kinds(&several).contains(&"PodDisruptionBudget"));
    let pod = &find(&several, "Deployment", "fanfare-operator")["spec"]["template"]["spec"];
    assert_eq!(pod["topologySpreadConstraints"][0]["topologyKey"], "kubernetes.io/hostname");
}

#[test]
fn an_image_is_the_same_for_operator_and_runtimes() {
    let objects = template("{image: {repository: a/b, tag: '2'}}");
    let operator =
        &find(&objects, "Deployment", "fanfare-operator")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(operator["image"], "a/b:2");
    assert!(args(&objects).contains(&"--image=a/b:2".into()));
}

#[test]
fn what_is_not_asked_for_is_not_there() {
    let objects = template("{}");
    for kind in ["NetworkPolicy", "ServiceMonitor", "PodMonitor", "PrometheusRule", "ConfigMap"] {
        assert!(!kinds(&objects).contains(&kind), "{kind}");
    }
    let monitored = template(CORPUS[4]);
    for kind in ["NetworkPolicy", "ServiceMonitor", "PodMonitor"] {
        assert!(kinds(&monitored).contains(&kind), "{kind}");
    }
    assert_eq!(
        find(&monitored, "ServiceMonitor", "fanfare-operator")["metadata"]["labels"]["release"],
        "prometheus"
    );
}

#[test]
fn the_test_is_let_in_wherever_numbers_are_collected_from() {
    let closed = template(CORPUS[4]);
    let peers = &find(&closed, "NetworkPolicy", "fanfare-operator")["spec"]["ingress"][0]["from"];
    assert_eq!(peers[0], json!({"namespaceSelector": {"matchLabels": {"a": "b"}}}));
    let wanted = peers[1]["podSelector"]["matchLabels"].as_object().unwrap();
    let test = &find(&closed, "Pod", "fanfare-test")["metadata"]["labels"];
    assert!(
        !wanted.is_empty() && wanted.iter().all(|(name, value)| test[name] == *value),
        "{peers} and {test}"
    );
    let operator = &find(&closed, "Deployment", "fanfare-operator")["spec"]["selector"]["matchLabels"];
    assert_ne!(operator["app.kubernetes.io/component"], test["app.kubernetes.io/component"]);
}

/// Names and texts that YAML would read as something else.
#[test]
fn what_looks_like_a_number_or_a_comment_stays_text() {
    let values = "{watchNamespaces: ['2024', 'on'], monitoring: {operator: true, runtimes: true},
      tracing: {endpoint: 'http://collector:4318', serviceName: 'shop: alerts #1'},
      image: {pullSecrets: ['1e3']}, priorityClassName: 'null', serviceAccount: {name: 'true'}}";
    let objects = template_as("2026.1", "1234", values);
    let (name, namespaces) = ("fanfare-2026-1-fanfare-operator", ["1234", "2024", "on"]);
    for object in &objects {
        assert!(object["metadata"]["name"].is_string(), "{object}");
        let namespace = &object["metadata"]["namespace"];
        assert!(namespace.is_null() || namespaces.iter().any(|it| namespace == it), "{object}");
        assert!(object["subjects"].is_null() || object["subjects"][0]["namespace"] == "1234", "{object}");
    }
    let pod = &find(&objects, "Deployment", name)["spec"]["template"]["spec"];
    let args: Vec<String> = serde_json::from_value(pod["containers"][0]["args"].clone()).unwrap();
    for arg in ["--watch=2024", "--watch=on", "--trace-service-name=shop: alerts #1", "--pull-secret=1e3"] {
        assert!(args.iter().any(|it| it == arg), "{arg} of {args:?}");
    }
    let pod = (&pod["serviceAccountName"], &pod["priorityClassName"], &pod["imagePullSecrets"][0]["name"]);
    assert_eq!(pod, (&json!("true"), &json!("null"), &json!("1e3")));
    let test = find(&objects, "Pod", "fanfare-2026-1-fanfare-test");
    let instance = &test["metadata"]["labels"]["app.kubernetes.io/instance"];
    assert_eq!(
        (instance, &test["spec"]["containers"][0]["args"][2]),
        (&json!("2026.1"), &json!("--own-namespace=1234"))
    );
}

/// YAML with a key twice is refused by some readers, and others take either.
#[test]
fn a_label_that_is_given_twice_stands_once() {
    let ours = "app.kubernetes.io/component: mine, app.kubernetes.io/version: '7'";
    let values = format!(
        "{{labels: {{{ours}, team: a}}, podLabels: {{{ours}, team: c}},
          monitoring: {{operator: true, rules: true, dashboard: true, labels: {{team: b, {ours}}}}}}}"
    );
    let objects = template(&values);
    let operator = find(&objects, "Deployment", "fanfare-operator");
    let pod = &operator["spec"]["template"]["metadata"]["labels"];
    let labels = |kind: &str, name: &str| &find(&objects, kind, name)["metadata"]["labels"];
    for (labels, team, component) in [
        (&operator["metadata"]["labels"], "a", "operator"),
        (pod, "c", "operator"),
        (labels("ServiceMonitor", "fanfare-operator"), "b", "operator"),
        (labels("ConfigMap", "fanfare-dashboard"), "b", "operator"),
        (labels("Pod", "fanfare-test"), "a", "test"),
        (labels("ClusterRole", "fanfare-view"), "a", "operator"),
    ] {
        assert_eq!((&labels["team"], &labels["app.kubernetes.io/version"]), (&json!(team), &json!("7")));
        assert_eq!(labels["app.kubernetes.io/component"], component, "objects are found by it");
    }
    let selector = &operator["spec"]["selector"]["matchLabels"];
    assert!(selector.as_object().unwrap().iter().all(|(name, value)| pod[name] == *value), "{pod}");
}

#[test]
fn alerts_and_dashboard_are_rendered_if_the_chart_has_them() {
    let monitored = template(CORPUS[4]);
    for (file, kind, name) in [
        ("alerts.yaml", "PrometheusRule", "fanfare-alerts"),
        ("dashboard.json", "ConfigMap", "fanfare-dashboard"),
    ] {
        let there = std::path::Path::new(&crate::cluster::file("charts/fanfare/files")).join(file).exists();
        assert_eq!(kinds(&monitored).contains(&kind), there, "{file}");
        if there {
            find(&monitored, kind, name);
        }
    }
    let rules = &find(&monitored, "PrometheusRule", "fanfare-alerts")["spec"]["groups"];
    let own = r#"or absent(fanfare_operator_leader{namespace="fanfare-system", lease="fanfare-operator"})"#;
    let mut rules = rules.as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    let leader = rules.find(|rule| rule["alert"] == "FanfareNoLeader").unwrap();
    assert!(leader["expr"].as_str().unwrap().ends_with(own), "{leader}");
}

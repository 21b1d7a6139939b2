//! What a declaration is made into.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::database::Database;
use super::shape::Shape;
use super::store_ready;
use crate::api::RuntimeSpec;
use crate::domain::replica_report::ReplicaReport;
use crate::operator::conditions::Standing;
use crate::operator::namespace::WrittenByPages;
use crate::operator::programmed::Replica;
use crate::operator::settings::{EgressRules, OperatorSettings, Ports, Resources, Tracing};

const FILES: &str = "storage: {sqlite: {size: 1Gi}}";
const POSTGRES: &str = "storage: {postgres: {secretRef: {name: database}}}";

fn settings() -> OperatorSettings {
    OperatorSettings {
        namespaces: Vec::new(),
        own_namespace: "fanfare-system".into(),
        identity: "one".into(),
        pod_uid: None,
        lease_name: "fanfare-operator".into(),
        elects_leader: false,
        admin: "127.0.0.1:0".parse().unwrap(),
        image: "fanfare:test".into(),
        pull_secrets: Vec::new(),
        cluster_domain: "cluster.local".into(),
        resources: Resources { cpu_request: "100m".into(), memory: "512Mi".into() },
        egress: EgressRules::default(),
        admin_port: 8082,
        ports: Ports::default(),
        tracing: None,
    }
}

/// The objects of a Runtime with this spec.
fn objects(spec: &str, settings: &OperatorSettings, database: Option<Database>) -> Vec<Value> {
    let spec = serde_yaml_ng::from_str(spec).unwrap();
    super::objects(&Shape { database, ..shape(&spec, settings) })
}

/// A Runtime with this spec, on a volume of 1Gi where it has one.
fn shape<'a>(spec: &'a RuntimeSpec, settings: &'a OperatorSettings) -> Shape<'a> {
    Shape {
        pages: WrittenByPages::default(),
        take_over_from: None,
        account_uid: None,
        name: "main",
        namespace: "shop",
        spec,
        settings,
        cluster_id: "c",
        secrets: BTreeSet::new(),
        database: None,
        replicas: Some(1),
        volume_size: "1Gi".into(),
    }
}

fn database(ports: &[u16]) -> Option<Database> {
    Some(Database { digest: "1".into(), ports: ports.iter().copied().collect(), has_authority: false })
}

fn find<'a>(objects: &'a [Value], kind: &str) -> Option<&'a Value> {
    objects.iter().find(|object| object["kind"] == kind)
}

#[test]
fn runtimes_are_told_where_traces_go_and_may_reach_it() {
    let tracing = Tracing {
        endpoint: "http://collector.observability:4318".into(),
        sampler: "parentbased_traceidratio".into(),
        sampler_argument: Some("0.05".into()),
        service: "fanfare".into(),
    };
    let made =
        json!(objects(FILES, &OperatorSettings { tracing: Some(tracing), ..settings() }, None)).to_string();
    for variable in [
        r#"{"name":"OTEL_EXPORTER_OTLP_ENDPOINT","value":"http://collector.observability:4318"}"#,
        r#"{"name":"OTEL_TRACES_SAMPLER_ARG","value":"0.05"}"#,
        r#"{"name":"OTEL_RESOURCE_ATTRIBUTES","value":"k8s.namespace.name=shop,fanfare.runtime=main"}"#,
        r#"{"port":4318,"protocol":"TCP"}"#,
    ] {
        assert!(made.contains(variable), "{variable}: {made}");
    }
    assert!(!json!(objects(FILES, &settings(), None)).to_string().contains("OTEL_"));
}

/// The rules of a NetworkPolicy that let out to ports wherever they are.
fn ports_out(objects: &[Value]) -> Vec<Vec<String>> {
    let rules = find(objects, "NetworkPolicy").unwrap()["spec"]["egress"].as_array().unwrap();
    let ports =
        rules.iter().filter(|rule| rule["to"].is_null()).map(|rule| rule["ports"].as_array().unwrap());
    let text = |port: &Value| format!("{}/{}", port["port"], port["protocol"].as_str().unwrap());
    ports.map(|ports| ports.iter().map(text).collect()).collect()
}

#[test]
fn the_api_server_and_dns_are_reached_at_the_ports_behind_their_services() {
    let dns = ["53/UDP", "53/TCP", "5353/UDP", "5353/TCP"];
    let api_server = ["443/TCP", "6443/TCP", "8443/TCP", "16443/TCP"];
    assert_eq!(ports_out(&objects(FILES, &settings(), None)), [&dns, &api_server]);
    let ports = Ports { api_server: vec![7443], dns: vec![1053] };
    let made = objects(FILES, &OperatorSettings { ports, ..settings() }, None);
    assert_eq!(ports_out(&made), [vec!["1053/UDP", "1053/TCP"], vec!["7443/TCP"]]);
}

#[test]
fn the_database_is_reached_where_its_address_says() {
    let ports = |database| ports_out(&objects(POSTGRES, &settings(), database)).pop().unwrap();
    assert_eq!(ports(database(&[25060])), ["25060/TCP"]);
    assert_eq!(ports(database(&[5432, 5433])), ["5432/TCP", "5433/TCP"]);
    // What cannot be read may be at any usual one.
    assert_eq!(ports(database(&[])), ["5432/TCP", "6432/TCP"]);
}

/// While the Secret may not be used nobody knows where the database is: what runs already must go on reaching it.
#[test]
fn without_its_secret_what_runs_on_a_database_is_left_as_it_is() {
    let made = objects(POSTGRES, &settings(), None);
    for kind in ["NetworkPolicy", "Deployment", "PodDisruptionBudget"] {
        assert!(find(&made, kind).is_none(), "{kind}");
    }
    assert!(find(&made, "Service").is_some());
}

#[test]
fn the_authority_of_a_database_is_mounted_and_trusted_if_the_secret_has_one() {
    let pod = |has_authority| {
        let database = database(&[5432]).map(|it| Database { has_authority, ..it });
        let made = objects(POSTGRES, &settings(), database);
        find(&made, "Deployment").unwrap()["spec"]["template"]["spec"].clone()
    };
    let items = |pod: &Value| {
        let volumes = pod["volumes"].as_array().unwrap();
        volumes.iter().find(|volume| volume["name"] == "database").unwrap()["secret"]["items"].clone()
    };
    let (without, with) = (pod(false), pod(true));
    let uri = json!({"key": "uri", "path": "uri"});
    assert_eq!(items(&without), json!([uri]));
    assert_eq!(items(&with), json!([uri, {"key": "ca.crt", "path": "ca.crt"}]));
    let args = |pod: &Value| pod["containers"][0]["args"].to_string();
    assert!(
        args(&with).contains(r#""--database-ca-file","/etc/fanfare/database/ca.crt""#),
        "{}",
        args(&with)
    );
    assert!(!args(&without).contains("ca.crt"));
}

#[test]
fn a_store_that_hides_what_promises_rest_on_is_ready_with_a_word() {
    let of = |caution: Option<&str>| {
        let report = ReplicaReport { store_caution: caution.map(str::to_owned), ..ReplicaReport::default() };
        Replica { pod: "a".into(), report: Ok(Arc::new(report)) }
    };
    let plain = store_ready(&[of(None)]);
    let cautious = store_ready(&[of(None), of(Some("it hides its timeline"))]);
    assert_eq!((plain.standing, cautious.standing), (Standing::Good, Standing::Good));
    assert_ne!(plain.reason, cautious.reason);
    assert!(cautious.message.ends_with("but it hides its timeline"), "{}", cautious.message);
    let kept = Some("calls for 30d (since 2026-11-01), events for ever".to_owned());
    let report = ReplicaReport { kept, ..ReplicaReport::default() };
    let keeping = store_ready(&[of(None), Replica { pod: "b".into(), report: Ok(Arc::new(report)) }]);
    assert!(keeping.message.ends_with(", and keeps calls for 30d (since 2026-11-01), events for ever"));
}

/// The paths that a Runtime publishes, with the methods where they count.
fn published(exposure: &str, pages: WrittenByPages) -> Vec<String> {
    let (settings, spec) = (settings(), serde_yaml_ng::from_str(&format!("{FILES}\n{exposure}")).unwrap());
    let shape = Shape { pages, ..shape(&spec, &settings) };
    let objects = super::objects(&shape);
    let route = find(&objects, "HTTPRoute").map(|it| it["spec"]["rules"][0]["matches"].clone());
    let ingress = find(&objects, "Ingress").map(|it| it["spec"]["rules"][0]["http"]["paths"].clone());
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let of_route = route.iter().flat_map(|it| it.as_array().unwrap()).map(|it| {
        format!("{} {} {}", text(&it["path"]["type"]), text(&it["path"]["value"]), text(&it["method"]))
    });
    let of_ingress = ingress.iter().flat_map(|it| it.as_array().unwrap());
    let of_ingress = of_ingress.map(|it| format!("{} {} ", text(&it["pathType"]), text(&it["path"])));
    of_route.chain(of_ingress).map(|it| it.trim_end().to_owned()).collect()
}

#[test]
fn what_public_keys_may_write_to_is_published_and_nothing_else() {
    let route = "exposure: {route: {parentRefs: [{name: public}]}}";
    let ingress = "exposure: {ingress: {host: a.example}}";
    let none = WrittenByPages::default();
    assert_eq!(published(route, none), ["PathPrefix /in/shop/"]);
    assert_eq!(published(ingress, none), ["Prefix /in/shop/"]);
    let events = WrittenByPages { events: true, ..none };
    let both = ["Exact /api/v1/events POST", "Exact /api/v1/events OPTIONS"];
    assert_eq!(published(route, events)[1..], both);
    let all = WrittenByPages { events: true, customers: true };
    assert_eq!(published(ingress, all)[1..], ["Exact /api/v1/customers", "Exact /api/v1/events"]);
    assert_eq!(published(route, all).len(), 5);
    assert!(published("", all).is_empty());
}

#[test]
fn what_cannot_be_made_for_now_is_nothing_that_was_left_over() {
    let spec = format!("{POSTGRES}\nautoscaling: {{minReplicas: 2, maxReplicas: 4, cpuPercent: 60}}");
    let (settings, spec) = (settings(), serde_yaml_ng::from_str(&spec).unwrap());
    let shape = shape(&spec, &settings);
    let unwanted = super::unwanted(&shape);
    let kinds: Vec<&str> = unwanted.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["HTTPRoute", "Ingress"]);
}

#[test]
fn processes_are_made_anew_for_another_database_and_for_nothing_else() {
    let digest = |uri: &str, label: &str, revision: &str| {
        let secret = json!({"metadata": {"uid": "u", "resourceVersion": revision, "labels": {"touched": label}},
            "data": {"uri": uri}});
        Database::of(&serde_json::from_value(secret).unwrap()).digest
    };
    let before = digest("YQ==", "no", "1");
    assert_eq!(digest("YQ==", "yes", "2"), before);
    assert_ne!(digest("Yg==", "no", "1"), before);
}

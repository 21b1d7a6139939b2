//! The Pod of a runtime's processes: one container that may do nothing but serve.

use serde_json::{Value, json};

use super::shape::Shape;

/// Where calls come in: the only port that is ever exposed.
pub(super) const CALLS_PORT: u16 = 8080;
/// Where the API is.
pub(super) const API_PORT: u16 = 8081;
/// Where SQLite's files are.
const DATA: &str = "/var/lib/fanfare";
/// Where the database's address is.
const DATABASE: &str = "/etc/fanfare/database";
/// A user that owns nothing on any node.
const USER: i64 = 65_532;
/// How long a process that is to end is unready first, so that callers are sent elsewhere.
const UNREADY_FOR: &str = "5s";
/// How long it may take for what is under way, once it takes nothing more: calls, then messages.
const DRAIN_FOR: &str = "15s";
/// More than both of these, twice the drain included.
const GRACE_SECONDS: i64 = 60;

/// The template of the Pods.
pub(super) fn template(shape: &Shape<'_>) -> Value {
    let mut annotations = json!({});
    if let Some(revision) = &shape.database_revision {
        // Where the database is, is read at the start only.
        annotations["fanfare.dev/database-revision"] = json!(revision);
    }
    json!({
        "metadata": { "labels": shape.labels(), "annotations": annotations },
        "spec": {
            "serviceAccountName": shape.child(),
            "automountServiceAccountToken": true,
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "imagePullSecrets": shape.settings.pull_secrets.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "topologySpreadConstraints": spread(shape),
            "containers": [container(shape)],
            "volumes": volumes(shape),
        },
    })
}

/// Over nodes and zones as far as it goes; never at the price of not running.
fn spread(shape: &Shape<'_>) -> Value {
    let by = |key: &str| {
        json!({
            "topologyKey": key, "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": { "matchLabels": shape.selector() },
        })
    };
    json!([by("topology.kubernetes.io/zone"), by("kubernetes.io/hostname")])
}

fn container(shape: &Shape<'_>) -> Value {
    let resources = &shape.settings.resources;
    let admin = shape.settings.admin_port;
    let probe = |path: &str, every: u32, failures: u32| {
        json!({
            "httpGet": { "path": path, "port": "admin" },
            "periodSeconds": every, "timeoutSeconds": 5, "failureThreshold": failures,
        })
    };
    json!({
        "name": "runtime",
        "image": shape.settings.image,
        "imagePullPolicy": "IfNotPresent",
        "args": args(shape),
        // The last words of a process that cannot run are what the Runtime's status says.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "env": environment(shape),
        "ports": [
            { "name": "calls", "containerPort": CALLS_PORT, "protocol": "TCP" },
            { "name": "api", "containerPort": API_PORT, "protocol": "TCP" },
            { "name": "admin", "containerPort": admin, "protocol": "TCP" },
        ],
        "startupProbe": probe("/livez", 1, 120),
        "livenessProbe": probe("/livez", 10, 6),
        "readinessProbe": probe("/readyz", 2, 2),
        "resources": {
            "requests": { "cpu": resources.cpu_request, "memory": resources.memory },
            "limits": { "memory": resources.memory },
        },
        "securityContext": {
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
        "volumeMounts": mounts(shape),
    })
}

fn environment(shape: &Shape<'_>) -> Value {
    let tracing = shape.settings.tracing.iter();
    let variables = tracing.flat_map(|tracing| tracing.variables(shape.namespace, shape.name));
    let all = [("FANFARE_CLUSTER_ID", shape.cluster_id.to_owned())].into_iter().chain(variables);
    all.map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

fn args(shape: &Shape<'_>) -> Vec<String> {
    let everywhere = |port: u16| format!("0.0.0.0:{port}");
    let mut args: Vec<String> =
        ["runtime", "--namespace", shape.namespace, "--name", shape.name].map(str::to_owned).into();
    let mut add = |name: &str, value: String| args.extend([format!("--{name}"), value]);
    add("tenant", shape.spec.tenant.clone().unwrap_or_else(|| shape.namespace.to_owned()));
    match shape.spec.storage.postgres {
        Some(_) => add("database-file", format!("{DATABASE}/uri")),
        None => add("data", DATA.to_owned()),
    }
    add("listen-calls", everywhere(CALLS_PORT));
    add("listen-api", everywhere(API_PORT));
    add("listen-admin", everywhere(shape.settings.admin_port));
    add("unready-for", UNREADY_FOR.to_owned());
    add("drain-for", DRAIN_FOR.to_owned());
    let egress = &shape.settings.egress;
    add("same-namespace-egress", egress.same_namespace.to_string());
    add("cluster-domain", shape.settings.cluster_domain.clone());
    egress.allow.iter().for_each(|target| add("egress-allow", target.to_string()));
    egress.deny.iter().for_each(|net| add("egress-deny", net.to_string()));
    args
}

fn mounts(shape: &Shape<'_>) -> Value {
    match shape.spec.storage.postgres {
        Some(_) => {
            json!([{ "name": "database", "mountPath": DATABASE, "readOnly": true }, { "name": "tmp", "mountPath": "/tmp" }])
        }
        None => json!([{ "name": "data", "mountPath": DATA }, { "name": "tmp", "mountPath": "/tmp" }]),
    }
}

fn volumes(shape: &Shape<'_>) -> Value {
    let mut volumes = vec![json!({ "name": "tmp", "emptyDir": { "sizeLimit": "64Mi" } })];
    if let Some(postgres) = &shape.spec.storage.postgres {
        let items = json!([{ "key": "uri", "path": "uri" }]);
        let secret = json!({ "secretName": postgres.secret_ref.name, "items": items, "defaultMode": 0o440 });
        volumes.push(json!({ "name": "database", "secret": secret }));
    }
    json!(volumes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::operator::settings::{EgressRules, Resources, Settings, Tracing};

    fn settings(tracing: Option<Tracing>) -> Settings {
        Settings {
            namespaces: Vec::new(),
            own_namespace: "fanfare-system".into(),
            identity: "one".into(),
            lease_name: "fanfare-operator".into(),
            elects_leader: false,
            admin: "127.0.0.1:0".parse().unwrap(),
            image: "fanfare:test".into(),
            pull_secrets: Vec::new(),
            cluster_domain: "cluster.local".into(),
            resources: Resources { cpu_request: "100m".into(), memory: "512Mi".into() },
            egress: EgressRules::default(),
            admin_port: 8082,
            tracing,
        }
    }

    fn objects(tracing: Option<Tracing>) -> String {
        let (settings, spec) =
            (settings(tracing), serde_yaml_ng::from_str("storage: {sqlite: {size: 1Gi}}").unwrap());
        let shape = Shape {
            name: "main",
            namespace: "shop",
            spec: &spec,
            settings: &settings,
            cluster_id: "c",
            secrets: BTreeSet::new(),
            database_revision: None,
            volume_size: "1Gi".into(),
        };
        json!(shape.objects()).to_string()
    }

    #[test]
    fn runtimes_are_told_where_traces_go_and_may_reach_it() {
        let tracing = Tracing {
            endpoint: "http://collector.observability:4318".into(),
            sampler: "parentbased_traceidratio".into(),
            sampler_argument: Some("0.05".into()),
            service: "fanfare".into(),
        };
        let made = objects(Some(tracing));
        for variable in [
            r#"{"name":"OTEL_EXPORTER_OTLP_ENDPOINT","value":"http://collector.observability:4318"}"#,
            r#"{"name":"OTEL_TRACES_SAMPLER_ARG","value":"0.05"}"#,
            r#"{"name":"OTEL_RESOURCE_ATTRIBUTES","value":"k8s.namespace.name=shop,fanfare.runtime=main"}"#,
            r#"{"port":4318,"protocol":"TCP"}"#,
        ] {
            assert!(made.contains(variable), "{variable}: {made}");
        }
        assert!(!objects(None).contains("OTEL_"));
    }
}

//! The Pod of a runtime's processes: one container that may do nothing but serve.

use serde_json::{Value, json};

use super::database::{AUTHORITY, URI};
use super::shape::Shape;

/// Where calls come in: the only port that is ever exposed.
pub(super) const CALLS_PORT: u16 = 8080;
/// Where the API is.
pub(super) const API_PORT: u16 = 8081;
/// Where SQLite's files are.
const DATA: &str = "/var/lib/fanfare";
/// Where the database's address is, and the authority of its server.
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
    if let Some(database) = &shape.database {
        // Where the database is, is read at the start only.
        annotations["fanfare.dev/database"] = json!(database.digest);
    }
    if let Some(account) = &shape.account_uid {
        // A token is refused once its account is gone, though there is another one of its name: Pods are made anew with it.
        annotations["fanfare.dev/account"] = json!(account);
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
    // By IPv4 and by IPv6, whatever addresses the cluster gives.
    let everywhere = |port: u16| format!("[::]:{port}");
    let mut args: Vec<String> =
        ["runtime", "--namespace", shape.namespace, "--name", shape.name].map(str::to_owned).into();
    let mut add = |name: &str, value: String| args.extend([format!("--{name}"), value]);
    add("tenant", shape.spec.tenant.clone().unwrap_or_else(|| shape.namespace.to_owned()));
    match shape.spec.storage.postgres {
        Some(_) => add("database-file", format!("{DATABASE}/{URI}")),
        None => add("data", DATA.to_owned()),
    }
    if has_authority(shape) {
        add("database-ca-file", format!("{DATABASE}/{AUTHORITY}"));
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
    shape.take_over_from.iter().for_each(|holder| add("take-over-from", holder.clone()));
    args
}

/// Whether the database's Secret brings the authority of its server.
fn has_authority(shape: &Shape<'_>) -> bool {
    shape.database.as_ref().is_some_and(|database| database.has_authority)
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
        let keys = [URI].into_iter().chain(has_authority(shape).then_some(AUTHORITY));
        let items: Vec<Value> = keys.map(|key| json!({ "key": key, "path": key })).collect();
        let secret = json!({ "secretName": postgres.secret_ref.name, "items": items, "defaultMode": 0o440 });
        volumes.push(json!({ "name": "database", "secret": secret }));
    }
    json!(volumes)
}

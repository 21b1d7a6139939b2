//! What others put into an object of ours, and the object without it.
//!
//! Server-side apply leaves what others add to maps and lists where it is: a second selector of a Service, a port range
//! of a NetworkPolicy, a command of a container. Here whatever is neither wanted nor filled in by the API server is
//! found, so that it can be taken out. Labels and annotations of others are theirs, and so is status.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::domain::quantity::same_quantity;

/// What the API server, or a part of the cluster that is meant to, fills in where nothing is declared: where, and with
/// which value; `None` stands for any. From the defaults in kubernetes/kubernetes `pkg/apis/*/v1/defaults.go`.
const FILLED_IN: [(&str, Option<&str>); 27] = [
    // Services are given addresses.
    ("spec.clusterIP", None),
    ("spec.clusterIPs", None),
    ("spec.ipFamilies", None),
    ("spec.ipFamilyPolicy", None),
    ("spec.internalTrafficPolicy", Some(r#""Cluster""#)),
    ("spec.sessionAffinity", Some(r#""None""#)),
    // Accounts are given tokens and what pulls images, on OpenShift and in older clusters.
    ("secrets", None),
    ("imagePullSecrets", None),
    ("subjects.apiGroup", Some(r#""""#)),
    // How many there are, an autoscaler says.
    ("spec.replicas", None),
    ("spec.progressDeadlineSeconds", Some("600")),
    ("spec.podManagementPolicy", Some(r#""OrderedReady""#)),
    ("spec.updateStrategy", Some(r#"{"rollingUpdate":{"partition":0},"type":"RollingUpdate"}"#)),
    ("spec.template.metadata.creationTimestamp", Some("null")),
    ("spec.template.spec.restartPolicy", Some(r#""Always""#)),
    ("spec.template.spec.dnsPolicy", Some(r#""ClusterFirst""#)),
    ("spec.template.spec.schedulerName", Some(r#""default-scheduler""#)),
    // A copy of serviceAccountName, which the API server keeps.
    ("spec.template.spec.serviceAccount", None),
    ("spec.template.spec.containers.terminationMessagePath", Some(r#""/dev/termination-log""#)),
    ("probe.httpGet.scheme", Some(r#""HTTP""#)),
    ("probe.successThreshold", Some("1")),
    // The cluster's class of Ingresses, if one is its default.
    ("spec.ingressClassName", None),
    ("spec.parentRefs.group", Some(r#""gateway.networking.k8s.io""#)),
    ("spec.parentRefs.kind", Some(r#""Gateway""#)),
    ("spec.rules.backendRefs.group", Some(r#""""#)),
    ("spec.rules.backendRefs.kind", Some(r#""Service""#)),
    ("spec.rules.backendRefs.weight", Some("1")),
];

/// What others may add to: a restart by `kubectl rollout restart` is an annotation of the template. And what never changes
/// once it is made.
const OF_OTHERS: [&str; 2] = ["spec.template.metadata.annotations", "spec.volumeClaimTemplates"];
/// Members that hold quantities.
const QUANTITIES: [&str; 2] = ["limits", "requests"];
/// Members of an object that hold no declaration.
const NOT_DECLARED: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];
/// The probes of a container have the same members.
const PROBES: [&str; 3] = ["startupProbe", "livenessProbe", "readinessProbe"];

/// An object without what others added, and what that was.
#[derive(Debug, PartialEq)]
pub(super) struct Stripped {
    /// The object as it should be, with what was filled in.
    pub object: Value,
    /// What others added, each as `path=value`.
    pub foreign: BTreeSet<String>,
}

/// Takes out of `observed` what is neither wanted nor filled in. `known` is what stood there right after this operator
/// wrote the object: what a default of a newer version or an admission webhook of the cluster put there.
pub(super) fn strip(observed: &Value, wanted: &Value, known: &BTreeSet<String>) -> Stripped {
    let mut object = observed.clone();
    let mut walk = Walk { known, foreign: BTreeSet::new() };
    if let (Value::Object(members), Value::Object(wanted)) = (&mut object, wanted) {
        walk.members("", members, wanted);
    }
    Stripped { object, foreign: walk.foreign }
}

struct Walk<'a> {
    known: &'a BTreeSet<String>,
    foreign: BTreeSet<String>,
}

impl Walk<'_> {
    fn members(&mut self, path: &str, observed: &mut Map<String, Value>, wanted: &Map<String, Value>) {
        observed.retain(|name, value| {
            let place = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let is_left = path.is_empty() && NOT_DECLARED.contains(&name.as_str());
            if is_left || OF_OTHERS.contains(&place.as_str()) {
                return true;
            }
            match wanted.get(name) {
                Some(wanted) if !wanted.is_null() => {
                    self.value(&place, value, wanted);
                    true
                }
                _ => is_empty(value) || self.stays(&place, value),
            }
        });
    }

    fn value(&mut self, path: &str, observed: &mut Value, wanted: &Value) {
        match (observed, wanted) {
            (Value::Object(observed), Value::Object(wanted)) => self.members(path, observed, wanted),
            (Value::Array(observed), Value::Array(wanted)) => self.items(path, observed, wanted),
            _ => {}
        }
    }

    fn items(&mut self, path: &str, observed: &mut Vec<Value>, wanted: &[Value]) {
        if !wanted.is_empty() && wanted.iter().all(|item| item["name"].is_string()) {
            return self.named_items(path, observed, wanted);
        }
        let is_as_wanted =
            observed.len() == wanted.len() && observed.iter().zip(wanted).all(|(o, w)| covers(o, w));
        if !is_as_wanted {
            if !self.stays(path, &json!(observed)) {
                *observed = wanted.to_vec();
            }
            return;
        }
        observed.iter_mut().zip(wanted).for_each(|(item, wanted)| self.value(path, item, wanted));
    }

    /// Each item that is wanted is there once; another one may have its name.
    fn named_items(&mut self, path: &str, observed: &mut Vec<Value>, wanted: &[Value]) {
        let mut awaited: Vec<&Value> = wanted.iter().collect();
        observed.retain_mut(|item| {
            let place =
                awaited.iter().position(|wanted| wanted["name"] == item["name"] && covers(item, wanted));
            match place {
                Some(place) => {
                    self.value(path, item, awaited.remove(place));
                    true
                }
                None => self.stays(path, item),
            }
        });
    }

    /// Whether something that is not wanted was filled in; else it is noted as foreign.
    fn stays(&mut self, path: &str, value: &Value) -> bool {
        let told = format!("{path}={value}");
        if is_filled_in(path, value) || self.known.contains(&told) {
            return true;
        }
        self.foreign.insert(told);
        false
    }
}

/// Whether the API server puts this there by itself.
fn is_filled_in(path: &str, value: &Value) -> bool {
    let probe = path
        .strip_prefix("spec.template.spec.containers.")
        .and_then(|rest| rest.split_once('.'))
        .filter(|(member, _)| PROBES.contains(member))
        .map(|(_, rest)| format!("probe.{rest}"));
    let path = probe.as_deref().unwrap_or(path);
    FILLED_IN.iter().any(|(place, usual)| {
        *place == path
            && usual.is_none_or(|usual| serde_json::from_str::<Value>(usual).is_ok_and(|it| it == *value))
    })
}

/// What the API server writes where nothing is, or leaves out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// The merge patch (RFC 7386) that makes `to` of `from`, at the revision that was read; lists are written whole.
pub(super) fn merge_patch(from: &Value, to: &Value) -> Value {
    let mut patch = difference(from, to).unwrap_or_else(|| json!({}));
    patch["metadata"]["resourceVersion"] = from["metadata"]["resourceVersion"].clone();
    patch
}

fn difference(from: &Value, to: &Value) -> Option<Value> {
    match (from, to) {
        (Value::Object(before), Value::Object(after)) => {
            let gone = before.keys().filter(|name| !after.contains_key(*name));
            let mut members: Map<String, Value> = gone.map(|name| (name.clone(), Value::Null)).collect();
            for (name, value) in after {
                let changed = match before.get(name) {
                    Some(before) => difference(before, value),
                    None => Some(value.clone()),
                };
                members.extend(changed.map(|changed| (name.clone(), changed)));
            }
            (!members.is_empty()).then_some(Value::Object(members))
        }
        _ => (from != to).then(|| to.clone()),
    }
}

/// Whether everything that is wanted is there. What is there beside it, [`strip`] judges.
pub(super) fn covers(observed: &Value, wanted: &Value) -> bool {
    match (observed, wanted) {
        (Value::Object(observed), Value::Object(wanted)) => {
            wanted.iter().all(|(name, wanted)| match observed.get(name) {
                Some(observed) if QUANTITIES.contains(&name.as_str()) => covers_quantities(observed, wanted),
                Some(observed) => covers(observed, wanted),
                None => is_left_out(wanted),
            })
        }
        (Value::Array(observed), Value::Array(wanted))
            if wanted.iter().all(|item| item["name"].is_string()) =>
        {
            wanted
                .iter()
                .all(|item| observed.iter().any(|other| other["name"] == item["name"] && covers(other, item)))
        }
        (Value::Array(observed), Value::Array(wanted)) => {
            observed.len() == wanted.len() && observed.iter().zip(wanted).all(|(o, w)| covers(o, w))
        }
        _ => observed == wanted,
    }
}

/// The same for quantities, each by its name: the API server writes them in its own way.
fn covers_quantities(observed: &Value, wanted: &Value) -> bool {
    let is_there = |(name, wanted): (&String, &Value)| match (observed[name].as_str(), wanted.as_str()) {
        (Some(observed), Some(wanted)) => observed == wanted || same_quantity(observed, wanted),
        _ => false,
    };
    wanted.as_object().is_some_and(|wanted| wanted.iter().all(is_there))
}

/// The API server leaves empty members out.
fn is_left_out(wanted: &Value) -> bool {
    match wanted {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(observed: &Value, wanted: &Value) -> Vec<String> {
        strip(observed, wanted, &BTreeSet::new()).foreign.into_iter().collect()
    }

    /// Adds `addition` to what is wanted at each place, and gives what is found.
    fn added(wanted: &Value, pointer: &str, name: &str, addition: Value) -> Vec<String> {
        let mut observed = wanted.clone();
        observed.pointer_mut(pointer).unwrap()[name] = addition;
        let stripped = strip(&observed, wanted, &BTreeSet::new());
        assert_eq!(stripped.object, *wanted, "{pointer} {name}");
        let patch = merge_patch(&observed, &stripped.object);
        assert_ne!(patch["spec"], Value::Null, "{pointer} {name}: {patch}");
        stripped.foreign.into_iter().collect()
    }

    #[test]
    fn what_narrows_or_widens_whom_an_object_concerns_is_foreign() {
        let service = json!({"kind": "Service", "spec": {"selector": {"a": "b"}, "ports": [{"name": "calls", "port": 80}]}});
        assert_eq!(added(&service, "/spec/selector", "c", json!("d")), [r#"spec.selector.c="d""#]);
        assert_eq!(added(&service, "/spec", "externalIPs", json!(["1.2.3.4"])).len(), 1);
        assert_eq!(added(&service, "/spec/ports/0", "nodePort", json!(30000)).len(), 1);
        let policy = json!({"kind": "NetworkPolicy", "spec": {
            "podSelector": {"matchLabels": {"a": "b"}},
            "ingress": [{"ports": [{"port": 80}], "from": [{"podSelector": {}}]}],
            "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}]}});
        for (pointer, name, addition) in [
            ("/spec/podSelector", "matchExpressions", json!([{"key": "x", "operator": "Exists"}])),
            ("/spec/podSelector/matchLabels", "c", json!("d")),
            ("/spec/ingress/0/from/0", "namespaceSelector", json!({})),
            ("/spec/ingress/0/from/0/podSelector", "matchLabels", json!({"c": "d"})),
            ("/spec/ingress/0/ports/0", "endPort", json!(65535)),
        ] {
            assert_eq!(added(&policy, pointer, name, addition).len(), 1, "{pointer} {name}");
        }
    }

    #[test]
    fn more_items_of_a_list_are_foreign() {
        let wanted = json!({"subjects": [{"kind": "ServiceAccount", "name": "a"}], "rules": [{"verbs": ["get"]}],
            "spec": {"ingress": [], "env": [{"name": "A"}]}});
        let mut observed = wanted.clone();
        for (pointer, item) in [
            ("/subjects", json!({"kind": "User", "name": "mallory"})),
            ("/rules", json!({"verbs": ["*"]})),
            ("/rules/1/verbs", json!("delete")),
            ("/spec/ingress", json!({})),
            ("/spec/env", json!({"name": "LD_PRELOAD", "value": "x"})),
        ] {
            observed.pointer_mut(pointer).unwrap().as_array_mut().unwrap().insert(0, item.clone());
        }
        let stripped = strip(&observed, &wanted, &BTreeSet::new());
        assert_eq!(stripped.object, wanted);
        let found: Vec<&str> = stripped.foreign.iter().filter_map(|it| Some(it.split_once('=')?.0)).collect();
        assert_eq!(found, ["rules", "spec.env", "spec.ingress", "subjects"]);
        // Somebody else of the same name.
        let namesake =
            json!({"subjects": [{"kind": "User", "name": "a"}, {"kind": "ServiceAccount", "name": "a"}]});
        let only = json!({"subjects": [{"kind": "ServiceAccount", "name": "a"}]});
        assert_eq!(strip(&namesake, &only, &BTreeSet::new()).object, only);
    }

    fn workload(template: Value) -> Value {
        json!({"kind": "Deployment", "spec": {"template": template}})
    }

    #[test]
    fn the_template_of_pods_is_exactly_what_is_wanted() {
        let container = json!({"name": "runtime", "image": "i", "resources": {"limits": {"memory": "1Gi"}}});
        let wanted = workload(json!({"metadata": {"labels": {"a": "b"}, "annotations": {}},
            "spec": {"containers": [container], "volumes": [{"name": "tmp", "emptyDir": {}}]}}));
        for (pointer, name, addition) in [
            ("/spec/template/spec/containers/0", "command", json!(["sh"])),
            (
                "/spec/template/spec/containers/0",
                "lifecycle",
                json!({"preStop": {"exec": {"command": ["x"]}}}),
            ),
            ("/spec/template/spec/containers/0/resources/limits", "cpu", json!("1m")),
            ("/spec/template/spec", "nodeSelector", json!({"disk": "none"})),
            ("/spec/template/spec", "hostNetwork", json!(true)),
            ("/spec/template/spec", "initContainers", json!([{"name": "x"}])),
            ("/spec/template/spec", "dnsPolicy", json!("Default")),
            ("/spec/template/metadata/labels", "c", json!("d")),
            ("/spec", "paused", json!(true)),
            ("/spec", "minReadySeconds", json!(3600)),
        ] {
            assert_eq!(added(&wanted, pointer, name, addition).len(), 1, "{pointer} {name}");
        }
        let mut sidecar = wanted.clone();
        let containers =
            sidecar.pointer_mut("/spec/template/spec/containers").unwrap().as_array_mut().unwrap();
        containers.push(json!({"name": "sidecar", "image": "x"}));
        assert_eq!(foreign(&sidecar, &wanted).len(), 1);
    }

    #[test]
    fn what_is_filled_in_and_what_is_others_is_none() {
        let wanted = workload(json!({"metadata": {"labels": {"a": "b"}, "annotations": {}},
            "spec": {"serviceAccountName": "s", "imagePullSecrets": [],
                "containers": [{"name": "runtime", "livenessProbe": {"httpGet": {"path": "/", "port": "admin"}}}]}}));
        let observed = json!({"kind": "Deployment", "metadata": {"labels": {"team": "x"}}, "status": {"replicas": 1},
            "spec": {"replicas": 3, "progressDeadlineSeconds": 600, "template": {
                "metadata": {"creationTimestamp": null, "labels": {"a": "b"},
                    "annotations": {"kubectl.kubernetes.io/restartedAt": "now"}},
                "spec": {"serviceAccountName": "s", "serviceAccount": "s", "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
                    "schedulerName": "default-scheduler", "containers": [{"name": "runtime",
                        "terminationMessagePath": "/dev/termination-log",
                        "livenessProbe": {"successThreshold": 1, "httpGet": {"path": "/", "port": "admin", "scheme": "HTTP"}}}]}}}});
        assert_eq!(foreign(&observed, &wanted), Vec::<String>::new());
    }

    #[test]
    fn what_stands_there_after_our_own_write_is_the_clusters() {
        let (wanted, observed) = (json!({"spec": {}}), json!({"spec": {"newDefault": "Fair"}}));
        let known = strip(&observed, &wanted, &BTreeSet::new()).foreign;
        assert_eq!(strip(&observed, &wanted, &known).foreign, BTreeSet::new());
        // Another value is not what was filled in.
        let other = json!({"spec": {"newDefault": "Unfair"}});
        assert_eq!(strip(&other, &wanted, &known).foreign.len(), 1);
    }

    #[test]
    fn a_patch_removes_what_is_gone_and_writes_lists_whole() {
        let from = json!({"metadata": {"resourceVersion": "7"}, "spec": {"a": {"x": 1, "y": 2}, "list": [1, 2], "same": 1}});
        let to =
            json!({"metadata": {"resourceVersion": "7"}, "spec": {"a": {"x": 1}, "list": [1], "same": 1}});
        let patch = json!({"metadata": {"resourceVersion": "7"}, "spec": {"a": {"y": null}, "list": [1]}});
        assert_eq!(merge_patch(&from, &to), patch);
    }

    #[test]
    fn what_was_filled_in_or_added_by_others_does_not_count() {
        let wanted =
            json!({"spec": {"ports": [{"name": "calls", "port": 80}], "selector": {"a": "b"}, "none": {}}});
        let observed = json!({"spec": {
            "ports": [{"name": "more", "port": 1}, {"name": "calls", "port": 80, "protocol": "TCP"}],
            "selector": {"a": "b"}, "clusterIP": "10.0.0.1"}});
        assert!(covers(&observed, &wanted));
    }

    #[test]
    fn quantities_are_the_same_however_they_are_written() {
        let container = |cpu: &str, memory: &str| json!({"resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}});
        let observed = container("500m", "1Gi");
        assert!(covers(&observed, &container("0.5", "1024Mi")));
        assert!(!covers(&observed, &container("0.5", "1G")));
        // What is no quantity is a text.
        let labels = |text: &str| json!({"labels": {"memory": text}});
        assert!(!covers(&labels("1Gi"), &labels("1024Mi")));
    }

    #[test]
    fn what_was_changed_or_removed_counts() {
        let wanted = json!({"spec": {"args": ["a", "b"], "ports": [{"name": "calls", "port": 80}]}});
        for observed in [
            json!({"spec": {"args": ["a"], "ports": [{"name": "calls", "port": 80}]}}),
            json!({"spec": {"args": ["a", "b"], "ports": []}}),
            json!({"spec": {"args": ["a", "b"], "ports": [{"name": "calls", "port": 81}]}}),
            json!({}),
        ] {
            assert!(!covers(&observed, &wanted), "{observed}");
        }
    }
}

//! What GitOps tools make of our manifests: kustomize finds the names within our kinds, and what it makes is accepted.

use std::path::Path;

use serde_json::Value;

use crate::cluster::{Cluster, file, stderr};

const KUSTOMIZATION: &str = "
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namePrefix: eu-
resources: [kinds.yaml]
components: [component]
configMapGenerator: [{name: texts, literals: ['body=Hello', 'html=<p>Hello</p>']}]
secretGenerator:
  - {name: twilio, literals: [token=t], options: {labels: {fanfare.dev/allow: channel}}}
  - {name: relay, literals: [username=u, password=p], options: {labels: {fanfare.dev/allow: channel}}}
  - {name: hook, literals: [key=k], options: {labels: {fanfare.dev/allow: channel}}}
  - {name: caller, literals: [username=u, password=p], options: {labels: {fanfare.dev/allow: trigger}}}
  - {name: database, literals: ['uri=postgres://db/x'], options: {labels: {fanfare.dev/allow: storage}}}
  - {name: certificate, type: kubernetes.io/tls, literals: [tls.crt=c, tls.key=k]}
";

const KINDS: &str = "
apiVersion: fanfare.dev/v1alpha1
kind: Runtime
metadata: {name: main}
spec:
  storage: {postgres: {secretRef: {name: database}}}
  exposure: {ingress: {host: a.example.com, className: public, tls: {secretRef: {name: certificate}}}}
---
apiVersion: fanfare.dev/v1alpha1
kind: Runtime
metadata: {name: routed}
spec:
  storage: {sqlite: {size: 1Gi, storageClassName: fast}}
  exposure: {route: {parentRefs: [{name: front}, {name: elsewhere, namespace: gateways}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: public}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast}
---
apiVersion: fanfare.dev/v1alpha1
kind: ApiTrigger
metadata: {name: storm}
spec: {auth: {basic: {generate: false, secretRef: {name: caller}}}}
---
apiVersion: fanfare.dev/v1alpha1
kind: ApiKey
metadata: {name: crm}
spec: {permissions: [Trigger], triggers: [{name: storm}]}
---
apiVersion: fanfare.dev/v1alpha1
kind: ApiKey
metadata: {name: page}
spec: {type: Public, permissions: [Track], track: {provenBy: {name: crm}, events: [view]}}
---
apiVersion: fanfare.dev/v1alpha1
kind: Channel
metadata: {name: mail}
spec: {smtp: {host: smtp.example.com, from: a@example.com, credentialsRef: {name: relay}}}
---
apiVersion: fanfare.dev/v1alpha1
kind: Channel
metadata: {name: sms}
spec: {twilio: {accountSid: AC00000000000000000000000000000000, from: '+4312345', authToken: {secretKeyRef: {name: twilio, key: token}}}}
---
apiVersion: fanfare.dev/v1alpha1
kind: Channel
metadata: {name: hook}
spec: {webhook: {url: 'https://hooks.example.com/x', signingSecret: {secretKeyRef: {name: hook, key: key}}, authorizationRef: {name: hook}}}
---
apiVersion: fanfare.dev/v1alpha1
kind: Channel
metadata: {name: log}
spec: {log: {}}
---
apiVersion: fanfare.dev/v1alpha1
kind: Scenario
metadata: {name: warn}
spec:
  triggers: [{triggerRef: {name: storm}}]
  audience: {everyone: {}}
  nodes:
    - name: mail
      message:
        channelRef: {name: mail}
        consent: None
        email:
          subject: Storm
          textFrom: {configMapKeyRef: {name: texts, key: body}}
          htmlFrom: {configMapKeyRef: {name: texts, key: html}}
    - name: sms
      message: {channelRef: {name: sms}, consent: None, sms: {bodyFrom: {configMapKeyRef: {name: texts, key: body}}}}
    - name: hook
      message: {channelRef: {name: hook}, consent: None, webhook: {bodyFrom: {configMapKeyRef: {name: texts, key: body}}}}
    - name: log
      message: {channelRef: {name: log}, consent: None, log: {textFrom: {configMapKeyRef: {name: texts, key: body}}}}
";

/// Every text under a key that ends with `Ref`, `Refs` or is a list of names, with its place.
fn names(value: &Value, place: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let below = format!("{place}/{key}");
                match member["name"].as_str().filter(|_| key.ends_with("Ref") || key == "provenBy") {
                    Some(name) => found.push((below, name.to_owned())),
                    None => names(member, &below, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, place, found)),
        _ => {}
    }
}

fn built(cluster: &Cluster, folder: &Path) -> Vec<Value> {
    let built = cluster.kubectl(&["kustomize", &folder.display().to_string()]);
    assert!(built.status.success(), "{}", stderr(&built));
    let text = String::from_utf8(built.stdout).unwrap();
    serde_yaml_ng::Deserializer::from_str(&text)
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .collect()
}

#[test]
fn kustomize_follows_every_name_within_our_kinds() {
    let cluster = Cluster::shared();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("component");
    std::fs::create_dir(&component).unwrap();
    for name in ["kustomization.yaml", "name-references.yaml"] {
        std::fs::copy(file(&format!("config/kustomize/{name}")), component.join(name)).unwrap();
    }
    std::fs::write(folder.path().join("kustomization.yaml"), KUSTOMIZATION).unwrap();
    std::fs::write(folder.path().join("kinds.yaml"), KINDS).unwrap();
    let objects = built(&cluster, folder.path());
    let made: Vec<&str> = objects.iter().map(|it| it["metadata"]["name"].as_str().unwrap()).collect();
    let ours = || objects.iter().filter(|it| it["apiVersion"] == "fanfare.dev/v1alpha1");
    let mut found = Vec::new();
    for object in ours() {
        names(&object["spec"], object["kind"].as_str().unwrap(), &mut found);
    }
    assert_eq!(found.len(), 18, "{found:#?}");
    for (place, name) in &found {
        assert!(name.starts_with("eu-") && made.contains(&name.as_str()), "{place} names {name}: {made:?}");
    }
    let key = ours().find(|it| it["kind"] == "ApiKey" && it["metadata"]["name"] == "eu-crm").unwrap();
    assert_eq!(key["spec"]["triggers"][0]["name"], "eu-storm");
    let of_runtime = |name: &str, field: &str| {
        let found = ours().find(|it| it["kind"] == "Runtime" && it["metadata"]["name"] == name).unwrap();
        found["spec"].pointer(field).unwrap().as_str().unwrap().to_owned()
    };
    assert_eq!(of_runtime("eu-routed", "/exposure/route/parentRefs/0/name"), "eu-front");
    assert_eq!(of_runtime("eu-routed", "/exposure/route/parentRefs/1/name"), "elsewhere", "others run it");
    assert_eq!(of_runtime("eu-routed", "/storage/sqlite/storageClassName"), "eu-fast");
    assert_eq!(of_runtime("eu-main", "/exposure/ingress/className"), "eu-public");
    // The schema knows all of it: no field of a reference is missing from this test.
    let text = std::fs::read_to_string(file("crds/fanfare.yaml")).unwrap();
    let references = text.lines().filter(|line| line.trim_start().ends_with("Ref:")).count();
    assert_eq!(references, 16, "a reference was added: let config/kustomize and this test know it");
}

#[test]
fn what_the_gitops_examples_declare_can_be_built() {
    let cluster = Cluster::shared();
    for (folder, kinds) in [
        ("examples/gitops/flux", vec!["GitRepository", "Kustomization", "GitRepository", "Kustomization"]),
        ("examples/gitops/flux/operator", vec!["HelmRelease"]),
        ("examples/gitops/argocd", vec!["ConfigMap"]),
    ] {
        let mut built: Vec<String> = built(&cluster, Path::new(&file(folder)))
            .iter()
            .map(|it| it["kind"].as_str().unwrap().to_owned())
            .collect();
        built.sort();
        let mut kinds = kinds;
        kinds.sort_unstable();
        assert_eq!(built, kinds, "{folder}");
    }
}

fn read(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(file(path)).unwrap();
    serde_yaml_ng::Deserializer::from_str(&text)
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .collect()
}

#[test]
fn with_flux_what_is_declared_waits_for_the_operator() {
    let cluster = Cluster::shared();
    let built = built(&cluster, Path::new(&file("examples/gitops/flux")));
    let find = |name: &str| {
        let of_name = |it: &&Value| it["kind"] == "Kustomization" && it["metadata"]["name"] == name;
        &built.iter().find(of_name).unwrap()["spec"]
    };
    let (operator, alerts) = (find("fanfare"), find("alerts"));
    assert_eq!(alerts["dependsOn"], serde_json::json!([{"name": "fanfare"}]));
    for spec in [operator, alerts] {
        // Flux ignores healthChecks where it waits for all.
        assert!(spec["wait"] == true && spec["healthChecks"].is_null(), "{spec:#}");
    }
    let path = operator["path"].as_str().unwrap();
    assert!(Path::new(&file(path)).join("kustomization.yaml").exists(), "{path}");
    let release = read(&format!("{path}/release.yaml")).remove(0);
    let patch = &operator["patches"][0];
    assert_eq!(patch["target"]["name"], release["metadata"]["name"]);
    let patch: Value = serde_yaml_ng::from_str(patch["patch"].as_str().unwrap()).unwrap();
    assert_eq!((&patch[0]["op"], &patch[0]["path"]), (&"add".into(), &"/spec/values".into()));
}

#[test]
fn with_argo_cd_waves_have_a_parent_and_a_health_to_wait_for() {
    let wave = |name: &str| {
        let application = read(&format!("examples/gitops/argocd/applications/{name}.yaml")).remove(0);
        assert!(application["spec"]["syncPolicy"]["retry"]["limit"].is_number(), "{name} is not tried again");
        let wave = &application["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"];
        wave.as_str().unwrap().parse::<i32>().unwrap()
    };
    assert!(wave("fanfare") < wave("alerts"));
    let parent = read("examples/gitops/argocd/parent.yaml").remove(0);
    assert_eq!(parent["spec"]["source"]["path"], "applications");
    assert!(parent["spec"]["syncPolicy"]["retry"]["limit"].is_number());
    let built = built(&Cluster::shared(), Path::new(&file("examples/gitops/argocd")));
    let health = &built[0]["data"]["resource.customizations.health.argoproj.io_Application"];
    assert!(health.as_str().unwrap().contains("obj.status.health"), "{health}");
}

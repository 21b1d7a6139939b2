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
  exposure: {ingress: {host: a.example.com, tls: {secretRef: {name: certificate}}}}
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
spec: {webhook: {url: 'https://hooks.example.com/x', signingSecret: {secretKeyRef: {name: hook, key: key}}}}
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
                match member["name"].as_str().filter(|_| key.ends_with("Ref")) {
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
    assert_eq!(found.len(), 16, "{found:#?}");
    for (place, name) in &found {
        assert!(name.starts_with("eu-") && made.contains(&name.as_str()), "{place} names {name}: {made:?}");
    }
    let key = ours().find(|it| it["kind"] == "ApiKey").unwrap();
    assert_eq!(key["spec"]["triggers"][0]["name"], "eu-storm");
    // The schema knows all of it: no field of a reference is missing from this test.
    let text = std::fs::read_to_string(file("crds/fanfare.yaml")).unwrap();
    let references = text.lines().filter(|line| line.trim_start().ends_with("Ref:")).count();
    assert_eq!(references, 15, "a reference was added: let config/kustomize and this test know it");
}

#[test]
fn what_the_gitops_examples_declare_can_be_built() {
    let cluster = Cluster::shared();
    for (folder, kinds) in [
        ("examples/gitops/flux", vec!["GitRepository", "HelmRelease", "GitRepository", "Kustomization"]),
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

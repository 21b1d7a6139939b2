//! Texts that use up all that writing one message may take: the process stays reachable, and people can stop it.

use std::fs;

use serde_json::json;

use crate::harness::{Dev, Request, Sandbox, wait_for};

const MANIFESTS: &str = "apiVersion: fanfare.dev/v1alpha1
kind: ApiTrigger
metadata: {name: first}
spec: {parameters: []}
---
apiVersion: fanfare.dev/v1alpha1
kind: Channel
metadata: {name: log}
spec: {log: {}}
---
apiVersion: fanfare.dev/v1alpha1
kind: Scenario
metadata: {name: greedy}
spec:
  triggers: [{triggerRef: {name: first}}]
  audience: {everyone: {}}
  nodes:
  - name: say
    message:
      channelRef: {name: log}
      consent: None
      log:
        text: >-
          {% for i in range(90000) %}{% if [customer.n, [i]] == [[i], customer.n] %}y{% endif %}{% endfor %}Hello
";

#[test]
fn greedy_texts_keep_nobody_from_looking_pausing_cancelling_and_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let (manifests, data) = (folder.path().join("manifests"), folder.path().join("data"));
    fs::create_dir_all(manifests.join("data")).unwrap();
    fs::write(manifests.join("all.yaml"), MANIFESTS).unwrap();
    let customer =
        |n: u32| format!("{{\"ids\": {{\"registered\": \"c{n}\"}}, \"attributes\": {{\"n\": {n}}}}}\n");
    fs::write(manifests.join("data/customers.ndjson"), (0..20_000).map(customer).collect::<String>())
        .unwrap();
    let sandbox = Sandbox::start(folder.path(), &[]);
    let mut dev = Dev::start(&manifests, &data, &sandbox);

    let call = || {
        let answer = dev.call("first", &json!({})).must().expect(202).json();
        answer["id"].as_str().unwrap().to_owned()
    };
    let calls: Vec<String> = (0..4).map(|_| call()).collect();
    let state = |id: &str| {
        let shown = dev.get(&format!("/api/v1/calls/{id}"));
        shown["runs"][0]["state"].as_str().map(str::to_owned)
    };
    let skipped = |id: &str| {
        let shown = dev.get(&format!("/api/v1/calls/{id}/deliveries?state=skipped&limit=1"));
        shown["items"][0]["reason"].as_str().map(str::to_owned)
    };
    let reason = wait_for("a customer to be skipped", || skipped(&calls[0]));
    assert!(reason.contains("more steps") || reason.contains("more time"), "{reason}");
    for _ in 0..20 {
        Request::get(format!("{}/livez", dev.server)).must().expect(200);
    }
    dev.post(&format!("/api/v1/calls/{}/pause", calls[1]), &json!({"reason": "greedy"})).expect(200);
    dev.post(&format!("/api/v1/calls/{}/cancel", calls[2]), &json!({})).expect(200);
    wait_for("the call to be cancelled", || (state(&calls[2])? == "cancelled").then_some(()));
    let later = call();
    wait_for("a customer of the later call to be skipped", || skipped(&later));
    assert!(dev.process.terminate().success());
}

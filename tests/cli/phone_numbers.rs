//! Telephone numbers on the whole way: from a customer's attribute by the Runtime's region to what the provider gets.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Dev, Sandbox, wait_for};

const MANIFESTS: &str = r#"
apiVersion: fanfare.dev/v1alpha1
kind: Runtime
metadata: {name: main}
spec:
  storage: {sqlite: {size: 1Gi}}
  region: AT
  timeZone: Europe/Vienna
  locale: de-AT
  smsAddresses: E164
---
apiVersion: fanfare.dev/v1alpha1
kind: ApiTrigger
metadata: {name: hook}
spec:
  parameters:
  - {name: to, type: string, from: body.to | phone, required: false}
---
apiVersion: fanfare.dev/v1alpha1
kind: Channel
metadata: {name: sms}
spec:
  twilio:
    accountSid: AC00000000000000000000000000000000
    from: "+4312345"
    authToken: {secretKeyRef: {name: twilio, key: token}}
    baseUrl: http://sandbox:8080
---
apiVersion: v1
kind: Secret
metadata: {name: twilio, labels: {fanfare.dev/allow: channel}}
stringData: {token: t}
---
apiVersion: fanfare.dev/v1alpha1
kind: Scenario
metadata: {name: hello}
spec:
  triggers: [{triggerRef: {name: hook}}]
  audience: {where: customer.written | phone == "+436641234567" or customer.all}
  nodes:
  - name: text
    message:
      channelRef: {name: sms}
      consent: None
      sms:
        body: >-
          {{ customer.since | datetime("short") }}, {{ 1234.5 | number }}, {{ params.to }},
          {% macro own(x) %}{{ x | phone }}{% endmacro %}{{ own("01 5555555") }}{{ customer.more }}
"#;

fn write(folder: &Path) {
    fs::write(folder.join("all.yaml"), MANIFESTS).unwrap();
    let since = "2026-07-01T12:00:00Z";
    let customers = [
        json!({"written": "0664/123 45 67", "phone": "0664/123 45 67"}),
        json!({"written": "n/a", "phone": "(0043) 664 1234568", "all": true}),
        json!({"phone": "+49 (0)151 23456789", "all": true}),
        json!({"phone": 436_641_234_569_i64, "all": true, "more": "x".repeat(200)}),
        json!({"phone": "0664 12", "all": true}),
        json!({"phone": "call me", "all": true}),
        json!({"written": "0664 12", "phone": "0664 7777777"}),
    ];
    fs::create_dir(folder.join("data")).unwrap();
    let mut lines = String::new();
    for (number, mut attributes) in customers.into_iter().enumerate() {
        attributes["since"] = json!(since);
        attributes["more"] = attributes.get("more").cloned().unwrap_or_else(|| json!(""));
        let line = json!({"ids": {"registered": format!("C-{number}")}, "attributes": attributes});
        lines.push_str(&format!("{line}\n"));
    }
    fs::write(folder.join("data/customers.ndjson"), lines).unwrap();
}

#[test]
fn the_provider_gets_e164_and_what_is_no_number_is_skipped_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let manifests = folder.path().join("manifests");
    fs::create_dir(&manifests).unwrap();
    write(&manifests);
    let sandbox = Sandbox::start(folder.path(), &[]);
    let dev = Dev::start(&manifests, &folder.path().join("data"), &sandbox);
    let answer = dev.call("hook", &json!({"to": "0664 9999999"})).must().expect(202).json();
    let call = answer["id"].as_str().unwrap().to_owned();
    wait_for("the call to be done", || dev.is_done(&call).then_some(()));
    // The sandbox answers before it has written a message down.
    let messages = wait_for("four messages to be written down", || {
        let messages = sandbox.messages();
        (messages.len() >= 4).then_some(messages)
    });
    let texts: BTreeMap<String, String> = messages
        .into_iter()
        .map(|message| (message.content.to.join(","), message.content.text.unwrap_or_default()))
        .collect();
    let numbers: Vec<&str> = texts.keys().map(String::as_str).collect();
    assert_eq!(numbers, ["+436641234567", "+436641234568", "+436641234569", "+4915123456789"]);
    // Vienna's time and Austria's signs, in a macro and by the trigger's mapping, too.
    let text = &texts["+436641234567"];
    assert!(text.starts_with("01.07.26, 14:00, 1"), "{text}");
    assert!(text.contains("234,5, +436649999999,") && text.ends_with("+4315555555"), "{text}");
    let page = dev.get(&format!("/api/v1/calls/{call}/deliveries?limit=50"));
    let of = |customer: &str| {
        let items = page["items"].as_array().unwrap();
        items.iter().find(|it| it["customer"] == customer).cloned().unwrap_or(Value::Null)
    };
    for (customer, reason) in
        [("C-4", "`0664 12` is no phone number: +43 has no such numbers"), ("C-5", "`c` does not")]
    {
        let delivery = of(customer);
        assert_eq!(delivery["state"], "skipped", "{delivery}");
        assert!(delivery["reason"].as_str().unwrap().contains(reason), "{delivery}");
    }
    assert_eq!(of("C-6"), Value::Null, "a condition over what is no number selects nobody");
    assert_eq!((&of("C-0")["segments"], &of("C-3")["segments"]), (&json!(1), &json!(2)), "{page}");
    assert_eq!(of("C-5")["segments"], Value::Null);
}

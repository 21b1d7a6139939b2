//! Users' Secrets: what a label allows decides what the runtime may read, and for each use by itself.

use crate::serving::Served;
use crate::stage::Stage;

fn named_in_role(stage: &Stage, secret: &str) -> bool {
    let rules = stage.get("role", "main-runtime")["rules"].clone();
    let names = rules.as_array().unwrap().iter().filter(|rule| rule["resources"][0] == "secrets");
    names.flat_map(|rule| rule["resourceNames"].as_array().unwrap()).any(|name| name == secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_names_what_a_label_allows_and_a_label_is_all_that_is_needed() {
    let served = Served::new("labels").await;
    let stage = &served.stage;
    let label = |label: &str| stage.kubectl(&["label", "secret", "hook", "-n", &stage.namespace, label]);
    stage.kubectl(&["create", "secret", "generic", "hook", "-n", &stage.namespace, "--from-literal=key=x"]);
    stage.apply(
        "apiVersion: fanfare.dev/v1alpha1\nkind: Channel\nmetadata: {name: hook}\n\
         spec: {webhook: {url: 'https://example.com/', signingSecret: {secretKeyRef: {name: hook, key: key}}}}\n\
         ---\napiVersion: fanfare.dev/v1alpha1\nkind: ApiTrigger\nmetadata: {name: later}\nspec: {}\n",
    );
    stage.until_reason("channel", "hook", "Ready", "SecretNotAllowed").await;
    // The Role was looked at since.
    stage.until("the Role names a later one", async || named_in_role(stage, "later-trigger")).await;
    assert!(!named_in_role(stage, "hook"), "nobody allowed it");
    label("fanfare.dev/allow=channel");
    stage.until_ready("channel", "hook").await;
    assert!(named_in_role(stage, "hook"));
    label("fanfare.dev/allow-");
    stage.until_reason("channel", "hook", "Ready", "SecretNotAllowed").await;
    stage.until("the Role names it no more", async || !named_in_role(stage, "hook")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_misuses_a_secret_keeps_nobody_from_using_it() {
    let served = Served::new("misuse").await;
    let stage = &served.stage;
    let pair = ["--from-literal=username=u", "--from-literal=password=p"];
    let create = ["create", "secret", "generic", "shared", "-n", stage.namespace.as_str()];
    stage.kubectl(&[create.as_slice(), &pair].concat());
    stage.kubectl(&["label", "secret", "shared", "-n", &stage.namespace, "fanfare.dev/allow=channel"]);
    stage.apply(
        "apiVersion: fanfare.dev/v1alpha1\nkind: ApiTrigger\nmetadata: {name: thief}\n\
         spec: {auth: {basic: {secretRef: {name: shared}}}}\n",
    );
    stage.until_reason("apitrigger", "thief", "Ready", "SecretNotAllowed").await;
    stage.apply(
        "apiVersion: fanfare.dev/v1alpha1\nkind: Channel\nmetadata: {name: mail}\n\
         spec: {smtp: {host: mail.example.com, from: a@example.com, credentialsRef: {name: shared}}}\n",
    );
    stage.until_ready("channel", "mail").await;
    stage.until_reason("apitrigger", "thief", "Ready", "SecretNotAllowed").await;
}

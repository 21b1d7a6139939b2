//! Users' Secrets: what a label allows decides what the runtime may read, and for each use by itself. Generated ones:
//! whom they belong to decides, whatever becomes of their labels.

use crate::scene::API_KEY;
use crate::serving::Served;
use crate::stage::Stage;

/// Whether a runtime may read it.
pub fn named_in_role(stage: &Stage, secret: &str) -> bool {
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

#[tokio::test(flavor = "multi_thread")]
async fn labels_that_others_take_off_generated_credentials_come_back_and_the_credentials_stay() {
    let served = Served::new("relabelled").await;
    let stage = &served.stage;
    stage.apply(API_KEY);
    stage.until_ready("apikey", "crm").await;
    let own = [("storm-trigger", "fanfare.dev/trigger=storm"), ("crm-apikey", "fanfare.dev/api-key=crm")];
    for (secret, own) in own {
        let before = stage.get("secret", secret);
        let (key, _) = own.split_once('=').unwrap();
        let (gone, other) = (format!("{key}-"), format!("{key}=another"));
        let changes: [&[&str]; 4] = [
            &["app.kubernetes.io/managed-by=argocd"],
            &["app.kubernetes.io/managed-by-", &gone],
            &[&other],
            &[&gone],
        ];
        for change in changes {
            let label = ["label", "secret", secret, "-n", &stage.namespace, "--overwrite"];
            stage.kubectl(&[&label, change].concat());
            let restored = async || {
                let labels = stage.get("secret", secret)["metadata"]["labels"].clone();
                labels == before["metadata"]["labels"]
            };
            stage.until(&format!("{secret} is labelled again after {change:?}"), restored).await;
            assert_eq!(stage.get("secret", secret)["data"], before["data"]);
        }
    }
    served.all_ready().await;
    stage.until_ready("apikey", "crm").await;
    assert_eq!(served.call(&served.credentials()).await, 202);
}

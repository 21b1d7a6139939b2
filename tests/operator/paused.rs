//! What people stop is seen where it is declared, and no reconciliation starts it again.

use serde_json::{Value, json};

use crate::harness::Request;
use crate::serving::Served;
use crate::stories::SCENARIO;

pub const KEY: &str = "
apiVersion: fanfare.dev/v1alpha1
kind: ApiKey
metadata: {name: desk}
spec: {permissions: [Control, ReadLog, Track]}
";

impl Served {
    /// Asks the API of the replica as the key `desk`; gives the status.
    pub async fn ask(&self, path: &str, body: &Value) -> u16 {
        let (username, password) = self.stage.pair("desk-apikey");
        let url = format!("{}/api/v1/{path}", self.calls().replace(":8080", ":8081"));
        let asked = Request::post(url).basic(&username, &password).json(body).sent().await;
        asked.map_or(0, |answer| answer.status)
    }

    fn state(&self) -> String {
        self.stage.get("scenario", "warning")["status"]["state"].as_str().unwrap_or_default().to_owned()
    }

    /// The message of the condition `Paused`, if it is there.
    fn paused(&self, kind: &str, name: &str) -> Option<String> {
        let found = self.stage.get(kind, name);
        let conditions = found["status"]["conditions"].as_array()?;
        let paused = conditions.iter().find(|it| it["type"] == "Paused" && it["status"] == "True")?;
        Some(paused["message"].as_str()?.to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_is_seen_where_it_is_declared_and_outranks_it() {
    let served = Served::new("paused").await;
    served.stage.apply(KEY);
    served.stage.until_ready("apikey", "desk").await;
    assert_eq!(served.ask("scenarios/warning/pause", &json!({"reason": "wrong link"})).await, 200);
    assert_eq!(served.ask("channels/out/pause", &json!({})).await, 200);
    served
        .stage
        .until("both say so", async || {
            served
                .paused("scenario", "warning")
                .is_some_and(|it| it.contains("by key/desk") && it.contains(": wrong link."))
                && served.paused("channel", "out").is_some()
        })
        .await;
    assert_eq!(served.paused("runtime", "main"), None);
    let listed = served.stage.kubectl(&["get", "ffs", "warning", "-n", &served.stage.namespace]);
    assert!(listed.contains("PAUSED"), "{listed}");
    let told = async |reason: &str| {
        let events = ["get", "events.v1.events.k8s.io", "-n", &served.stage.namespace, "-o", "json"];
        let events: Value = serde_json::from_str(&served.stage.kubectl(&events)).unwrap();
        let about = |it: &Value| it["reason"] == reason && it["regarding"]["name"] == "warning";
        events["items"].as_array().unwrap().iter().any(about)
    };
    served.stage.until("an Event says that it was paused", async || told("Paused").await).await;
    // It is a fact beside readiness, and an edit does not end it.
    served.stage.apply(&SCENARIO.replace("A storm is coming", "A heavy storm is coming"));
    let edited = served.stage.until_ready("scenario", "warning").await;
    assert_eq!(edited["metadata"]["generation"], 2);
    assert!(served.paused("scenario", "warning").is_some());
    assert_eq!(served.ask("scenarios/warning/resume", &json!({})).await, 200);
    assert_eq!(served.ask("channels/out/resume", &json!({})).await, 200);
    served
        .stage
        .until("nothing says so any more", async || {
            served.paused("scenario", "warning").is_none() && served.paused("channel", "out").is_none()
        })
        .await;
    served.stage.until("an Event says that it was resumed", async || told("Resumed").await).await;
    assert_eq!(served.ask("runtime/pause", &json!({})).await, 200);
    served
        .stage
        .until("all say so", async || {
            let all = [("runtime", "main"), ("scenario", "warning"), ("channel", "out")];
            all.iter().all(|(kind, name)| served.paused(kind, name).is_some())
        })
        .await;
    served.all_ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_that_is_made_inactive_finishes_what_it_began() {
    let served = Served::new("finishing").await;
    served.stage.apply(KEY);
    served.stage.until_ready("apikey", "desk").await;
    let customer =
        json!([{"ids": {"registered": "c1"}, "attributes": {"city": "Vienna", "phone": "+4312345"}}]);
    assert_eq!(served.ask("customers", &customer).await, 200);
    assert_eq!(served.ask("runtime/pause", &json!({})).await, 200);
    assert_eq!(served.call(&served.credentials()).await, 202);
    served.stage.apply(&SCENARIO.replace("spec:", "spec:\n  state: Inactive"));
    served.stage.until("it finishes", async || served.state() == "Finishing").await;
    assert_eq!(served.ask("runtime/resume", &json!({})).await, 200);
    served.stage.until("it has finished", async || served.state() == "Inactive").await;
}

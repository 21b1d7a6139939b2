//! Customers whom a run left out are told of where the scenario is declared.

use serde_json::{Value, json};

use crate::paused::KEY;
use crate::serving::Served;
use crate::stories::SCENARIO;

impl Served {
    /// The condition `CustomersReached`, if it is there.
    fn reached(&self) -> Option<Value> {
        let found = self.stage.get("scenario", "warning");
        let conditions = found["status"]["conditions"].as_array()?;
        conditions.iter().find(|it| it["type"] == "CustomersReached").cloned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_left_out_are_a_condition_and_an_event_until_a_run_reaches_some() {
    let served = Served::new("leftout").await;
    served.stage.apply(KEY);
    served.stage.until_ready("apikey", "desk").await;
    served.stage.apply(&SCENARIO.replace("consent: None", "consent: news"));
    served.stage.until_ready("scenario", "warning").await;
    let customer = |consents: Value| json!([{"ids": {"registered": "c1"}, "attributes": {"city": "Vienna"}, "consents": consents}]);
    assert_eq!(served.ask("customers", &customer(json!({}))).await, 200);
    assert_eq!(served.call(&served.credentials()).await, 202);
    served.stage.until("the condition is there", async || served.reached().is_some()).await;
    let told = served.reached().unwrap();
    assert_eq!((&told["status"], &told["reason"]), (&json!("False"), &json!("CustomersSkipped")));
    let message = told["message"].as_str().unwrap();
    assert!(message.starts_with("the only customer was skipped: no consent: news (call "), "{message}");
    served
        .stage
        .until("an Event warns of it", async || {
            let events = ["get", "events.v1.events.k8s.io", "-n", &served.stage.namespace, "-o", "json"];
            let events: Value = serde_json::from_str(&served.stage.kubectl(&events)).unwrap();
            events["items"].as_array().unwrap().iter().any(|it| {
                it["type"] == "Warning" && it["reason"] == "CustomersSkipped" && it["note"] == message
            })
        })
        .await;
    // It is in force all the same.
    served.all_ready().await;
    assert_eq!(served.ask("customers", &customer(json!({"news": true}))).await, 200);
    assert_eq!(served.call(&served.credentials()).await, 202);
    served.stage.until("the condition is gone", async || served.reached().is_none()).await;
}

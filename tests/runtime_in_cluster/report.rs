//! The report: what is in force, known by digests, given when it changes.

use fanfare::compile::{spec_digest, texts_digest};
use serde_json::{Value, json};

use crate::harness::Request;
use crate::space::{Space, kind, scenario, trigger};

fn ask(admin: &str, unless: &str, wait: u64) -> (u16, String, String) {
    let answer = Request::get(format!("{admin}/report?unless={unless}&wait={wait}")).must();
    let tag = answer.header("etag").unwrap_or_default().trim_matches('"').to_owned();
    (answer.status, tag, answer.body)
}

#[test]
fn it_is_what_is_declared_and_comes_when_it_changes() {
    let space = Space::new();
    space.story();
    space.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "texts"}, "data": {"a": "{\"text\": \"hello\"}"},
    }));
    let mut with_text = scenario("text", "storm", "hook", "x");
    let source = json!({"configMapKeyRef": {"name": "texts", "key": "a"}});
    with_text["spec"]["nodes"][0]["message"]["webhook"] = json!({"bodyFrom": source});
    let where_ = json!({"where": "customer.city == params.alert"});
    with_text["spec"]["audience"] = where_;
    space.apply(&with_text);
    let runtime = space.start();
    let report = runtime.until_reported("everything", |report| {
        report["audiences"]["text"] == "complete" && !report["secrets"]["crm-apikey"]["read"].is_null()
    });
    let spec = |kind: &str, name: &str| -> Value {
        let object = space.kubectl(&["get", kind, name, "-o", "json"]).stdout;
        serde_json::from_slice::<Value>(&object).unwrap()["spec"].clone()
    };
    let declared: fanfare::api::ScenarioSpec = serde_json::from_value(spec("scenario", "text")).unwrap();
    assert_eq!(report["objects"]["Scenario/text"], spec_digest(&declared));
    let declared: fanfare::api::RuntimeSpec = serde_json::from_value(spec("runtime", "main")).unwrap();
    assert_eq!(report["objects"]["Runtime/main"], spec_digest(&declared));
    let texts = [("a".to_owned(), "{\"text\": \"hello\"}".to_owned())].into();
    assert_eq!(report["configMaps"], json!({"texts": texts_digest(&texts)}));
    assert_eq!(report["channels"]["hook"], "untried");
    assert_eq!(report["storeProblem"], Value::Null);

    let (status, tag, body) = ask(&runtime.admin, "", 0);
    assert_eq!((status, ask(&runtime.admin, &tag, 0).0), (200, 304));
    assert!(!body.contains(crate::space::PASSWORD), "a secret is in the report");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ask(&runtime.admin, &tag, 50));
        space.apply(&trigger("another"));
        let (status, other, body) = waiting.join().unwrap();
        assert_eq!(status, 200);
        assert_ne!(other, tag);
        assert!(body.contains("ApiTrigger/another"));
    });
}

#[test]
fn a_provider_that_fails_is_reported_with_its_last_error() {
    let space = Space::new();
    space.story();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}/hooks/gone");
    space.apply(&kind("Channel", "hook", json!({"webhook": {"url": url}, "retry": {"attempts": 10}})));
    let runtime = space.start();
    runtime.until_answered("storm", "storm-1", 202);
    runtime.until_story();
    (0..4).for_each(|n| runtime.customer(&format!("c{n}")));
    assert_eq!(runtime.call("storm", "storm-1", crate::space::PASSWORD).status, 202);
    let report =
        runtime.until_reported("that it is down", |report| !report["channels"]["hook"]["down"].is_null());
    assert!(report["channels"]["hook"]["down"].to_string().contains(&closed.to_string()), "{report}");
}

//! What is wrong with a scenario is said once, at its place, with a remedy; what is right runs.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::compile::{
    Before, Compilation, ObjectKind, ObjectName, Severity, Sources, compile, compile_after,
};
use crate::domain::flow::{FlowNodeKind, NextNode};
use crate::domain::name::{NodeIndex, ScenarioName};
use crate::domain::render::AttributeSeen;
use crate::domain::value::Kind;

/// The sources of the product's story, with one scenario.
fn sources(scenario: Json) -> Sources {
    let mut sources = Sources { namespace: "default".into(), ..Sources::default() };
    let trigger = json!({"parameters": [
        {"name": "alert", "type": "string"},
        {"name": "postcodes", "type": "list"},
        {"name": "valid-until", "type": "timestamp", "required": false},
    ]});
    let other =
        json!({"parameters": [{"name": "alert", "type": "string"}, {"name": "level", "type": "integer"}]});
    sources.triggers.insert("weather-alert".into(), serde_json::from_value(trigger).unwrap());
    sources.triggers.insert("flood-alert".into(), serde_json::from_value(other).unwrap());
    let mail = json!({"smtp": {"host": "h", "from": "a@example.com"}});
    let sms = json!({"twilio": {
        "accountSid": "AC00000000000000000000000000000000", "from": "x",
        "authToken": {"secretKeyRef": {"name": "s", "key": "k"}},
    }});
    sources.channels.insert("mail".into(), serde_json::from_value(mail).unwrap());
    sources.channels.insert("sms".into(), serde_json::from_value(sms).unwrap());
    let mails = sources.texts.entry("mails".into()).or_default();
    mails.insert("snow.txt".into(), "Dear {{ customer.name }}, {% include 'footer' %}".into());
    mails.insert("footer".into(), "until {{ params.valid-until | default('further notice') }}".into());
    mails.insert("broken".into(), "Dear {{ custmer.name }}".into());
    let runtime = json!({"storage": {"sqlite": {"size": "1Gi"}}, "consents": [{"category": "mail", "unlessSaid": "Given"}]});
    sources.runtime = Some(serde_json::from_value(runtime).unwrap());
    sources.scenarios.insert("s".into(), serde_json::from_value(scenario).unwrap());
    sources
}

fn story() -> Json {
    json!({
        "triggers": [{"triggerRef": {"name": "weather-alert"}, "where": "params.alert == 'snowstorm'"}],
        "audience": {"where": "customer.postcode in params.postcodes and events('policy').count() > 0"},
        "nodes": [
            {"name": "reach", "condition": {"if": "customer.phone is defined and consents.sms", "else": "by-mail"}},
            {"name": "by-sms", "next": "End", "message":
                {"channelRef": {"name": "sms"}, "consent": "sms", "sms": {"body": "Hello {{ customer.name }}"}}},
            {"name": "by-mail", "message": {"channelRef": {"name": "mail"}, "consent": "None", "email":
                {"subject": "Snow", "textFrom": {"configMapKeyRef": {"name": "mails", "key": "snow.txt"}}}}},
        ],
    })
}

fn compiled(scenario: Json) -> Compilation {
    compile(&sources(scenario))
}

/// The story with one field replaced; `what` is a JSON pointer.
fn with(what: &str, value: Json) -> Json {
    let mut story = story();
    *story.pointer_mut(what).unwrap_or_else(|| panic!("no {what}")) = value;
    story
}

/// The first error about the scenario: its path, the text it points at, its message.
fn error(scenario: Json) -> (String, String) {
    let compilation = compiled(scenario);
    assert!(compilation.snapshot.scenarios.is_empty(), "it must be left out");
    let found = compilation.problems.iter().find(|problem| problem.severity == Severity::Error).unwrap();
    (found.path.clone(), found.message.clone())
}

#[test]
fn the_story_compiles() {
    let compilation = compiled(story());
    assert_eq!(compilation.problems, []);
    let scenario = &compilation.snapshot.scenarios[&ScenarioName::new("s")];
    let flow = &scenario.flow;
    assert_eq!(flow.nodes.len(), 3);
    let FlowNodeKind::Condition { otherwise, .. } = &flow.nodes[0].kind else { panic!("a condition") };
    assert_eq!(
        (*otherwise, flow.nodes[0].next),
        (NextNode::Node(NodeIndex(2)), NextNode::Node(NodeIndex(1)))
    );
    assert_eq!((flow.nodes[1].next, flow.nodes[2].next), (NextNode::End, NextNode::End));
    assert_eq!(scenario.consent_defaults.get("mail"), Some(&true));
    assert!(scenario.fires() && !scenario.audience_events.is_empty() && scenario.flow_events.is_empty());
    assert_eq!(flow.message(NodeIndex(1)).unwrap().consent.as_deref(), Some("sms"));
    assert_eq!(flow.message(NodeIndex(2)).unwrap().consent, None);
}

/// A field replaced by a JSON pointer, where the error stands, and a part of what it says.
type Case = (&'static str, Json, &'static str, &'static str);

fn named_with_a_remedy(cases: Vec<Case>) {
    for (pointer, value, path, part) in cases {
        let (found, message) = error(with(pointer, value));
        assert_eq!(found, path, "{message}");
        assert!(message.contains(part), "{path}: {message}");
    }
}

/// The findings about a story whose SMS says something: their paths and what they say.
fn found(body: &str) -> Vec<(Severity, String)> {
    let problems = compiled(with("/nodes/1/message/sms/body", json!(body))).problems;
    problems
        .into_iter()
        .map(|problem| (problem.severity, format!("{}: {}", problem.path, problem.message)))
        .collect()
}

#[test]
fn a_text_is_tried_with_samples_of_its_parameters() {
    assert_eq!(found("{{ customer.name.strip() }} {{ params.postcodes | join(', ') }}"), []);
    let [(severity, message)] = found("{{ params.postcodes | round }}").try_into().unwrap();
    assert_eq!(severity, Severity::Error);
    assert!(
        message.starts_with("spec.nodes[1].message.sms.body: this cannot be written for any customer"),
        "{message}"
    );
    let [(severity, message)] = found("until {{ params.valid-until }}").try_into().unwrap();
    assert_eq!(severity, Severity::Warning);
    assert!(message.contains("without `params.valid-until` this cannot be written"), "{message}");
    // Without it the scenario does not fire.
    for condition in ["params.valid-until > now and params.alert == 'x'", "params.valid-until is defined"] {
        let mut story = with("/triggers/0/where", json!(condition));
        *story.pointer_mut("/nodes/1/message/sms/body").unwrap() = json!("until {{ params.valid-until }}");
        assert_eq!(compiled(story).problems, [], "{condition}");
    }
}

#[test]
fn a_text_is_tried_with_what_the_store_has_seen() {
    let mut sources = sources(story());
    let seen = AttributeSeen { kinds: [Kind::Text].into(), missing: true };
    sources.attributes = Arc::new([("name".to_owned(), seen)].into());
    let problems = compile(&sources).problems;
    let said: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said.iter().all(|said| said.starts_with("without `customer.name` this cannot be written")),
        "{said:?}"
    );
    assert!(!compile(&sources).snapshot.scenarios.is_empty());
}

#[test]
fn the_body_of_a_webhook_is_json() {
    let mut sources = sources(with(
        "/nodes/1/message",
        json!({"channelRef": {"name": "hook"}, "consent": "None", "webhook": {"body": "{\"text\": \"{{ customer.name }}\"}"}}),
    ));
    let hook = json!({"webhook": {"url": "https://example.com/"}});
    sources.channels.insert("hook".into(), serde_json::from_value(hook).unwrap());
    assert_eq!(compile(&sources).problems, []);
    let scenario = sources.scenarios.get_mut("s").unwrap();
    scenario.nodes[1].message.as_mut().unwrap().webhook.as_mut().unwrap().body =
        Some("{\"text\": 1,}".into());
    let [problem] = compile(&sources).problems.try_into().unwrap();
    assert!(problem.message.contains("the body is not JSON"), "{}", problem.message);
}

#[test]
fn wrong_triggers_and_audiences_are_named_with_a_remedy() {
    let (trigger, condition) = ("/triggers/0/triggerRef/name", "/triggers/0/where");
    named_with_a_remedy(vec![
        (trigger, json!("wether-alert"), "spec.triggers[0].triggerRef.name", "did you mean weather-alert?"),
        (condition, json!("params.alrt == 'x'"), "spec.triggers[0].where", "did you mean `params.alert`?"),
        (condition, json!("customer.age > 1"), "spec.triggers[0].where", "sees no customer"),
        ("/audience/where", json!("customer.age == none"), "spec.audience.where", "is defined"),
        ("/audience", json!({}), "spec.audience", "exactly one of where and everyone"),
    ]);
}

#[test]
fn wrong_targets_and_names_are_named_with_a_remedy() {
    named_with_a_remedy(vec![
        (
            "/nodes/0/condition/else",
            json!("by-mial"),
            "spec.nodes[0].condition.else",
            "did you mean by-mail?",
        ),
        ("/nodes/1/next", json!("reach"), "spec.nodes[1].next", "edges only run forward"),
        ("/nodes/1/next", json!("by-sms"), "spec.nodes[1].next", "edges only run forward"),
        ("/nodes/2/name", json!("reach"), "spec.nodes[2].name", "another node"),
    ]);
}

#[test]
fn wrong_messages_are_named_with_a_remedy() {
    let channel = "/nodes/1/message/channelRef/name";
    let channel_path = "spec.nodes[1].message.channelRef.name";
    let key = "/nodes/2/message/email/textFrom/configMapKeyRef/key";
    let name = "/nodes/2/message/email/textFrom/configMapKeyRef/name";
    let key_path = "spec.nodes[2].message.email.textFrom.configMapKeyRef.key";
    let name_path = "spec.nodes[2].message.email.textFrom.configMapKeyRef.name";
    let body = "/nodes/1/message/sms/body";
    named_with_a_remedy(vec![
        (channel, json!("mail"), channel_path, "carries email, but the message is sms"),
        (channel, json!("smss"), channel_path, "did you mean sms?"),
        (body, json!("{{ params.nope }}"), "spec.nodes[1].message.sms.body", "no parameter `nope`"),
        (key, json!("snow.tx"), key_path, "did you mean snow.txt?"),
        (name, json!("mail"), name_path, "did you mean mails?"),
        (
            "/nodes/2/message/email",
            json!({"subject": "x"}),
            "spec.nodes[2].message.email",
            "a mail needs text",
        ),
    ]);
}

#[test]
fn a_broken_text_is_told_of_its_config_map_and_of_the_scenario() {
    let scenario = with("/nodes/2/message/email/textFrom/configMapKeyRef/key", json!("broken"));
    let problems = compiled(scenario).problems;
    let of = |kind| problems.iter().find(|problem| problem.object.kind == kind).unwrap();
    let text = of(ObjectKind::ConfigMap);
    assert_eq!((text.path.as_str(), text.span.clone()), ("data[broken]", Some(8..15)));
    assert!(of(ObjectKind::Scenario).message.contains("the text broken of the ConfigMap mails"));
}

#[test]
fn all_problems_are_said_at_once() {
    let mut scenario = with("/audience/where", json!("customer.a < none and customer.b == none or nope"));
    scenario["nodes"][1]["next"] = json!("nowhere");
    scenario["nodes"][0]["condition"]["if"] = json!("a and b");
    let problems = compiled(scenario).problems;
    assert_eq!(problems.len(), 6, "{problems:#?}");
}

#[test]
fn params_of_several_triggers_are_shared_or_guarded() {
    let several = |source: &str| {
        let mut scenario = with("/audience", json!({"where": format!("customer.vip and ({source})")}));
        scenario["triggers"] =
            json!([{"triggerRef": {"name": "weather-alert"}}, {"triggerRef": {"name": "flood-alert"}}]);
        scenario["nodes"] = json!([scenario["nodes"][1]]);
        compiled(scenario).problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>()
    };
    for source in [
        "params.alert == 'x'",
        "call.trigger == 'flood-alert' and params.level > 3",
        "params.level > 3 and call.trigger == 'flood-alert'",
        "params.level is defined and params.level > 3",
        "params.level | default(0) > 3",
        "params.level > 3 if call.trigger == 'flood-alert' else customer.postcode in params.postcodes",
        "params.level is undefined",
    ] {
        assert_eq!(several(source), Vec::<String>::new(), "{source}");
    }
    for (source, part) in [
        ("params.level > 3", "`weather-alert` does not declare the parameter `level`"),
        ("call.trigger == 'flood-alert' or params.level > 3", "does not declare"),
        ("not call.trigger == 'flood-alert' and params.level > 3", "does not declare"),
        ("call.trigger == 'weather-alert' and params.level > 3", "no parameter `level`"),
        ("call.trigger == 'flod-alert'", "did you mean `flood-alert`?"),
    ] {
        let messages = several(source);
        assert!(messages.first().is_some_and(|message| message.contains(part)), "{source}: {messages:?}");
    }
}

#[test]
fn an_audience_that_asks_nothing_of_the_customer_is_warned_of() {
    let problems = compiled(with("/audience", json!({"where": "params.alert == 'x'"}))).problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!((problems[0].severity, problems[0].path.as_str()), (Severity::Warning, "spec.audience.where"));
    assert!(problems[0].message.contains("`everyone: {}`"), "{problems:?}");
}

#[test]
fn a_parameters_type_is_edited_and_what_compares_it_no_longer_compiles() {
    let level = |kind: &str| {
        let mut sources = sources(with("/triggers/0/where", json!("params.level > 3")));
        let trigger = json!({"parameters": [
            {"name": "alert", "type": "string"}, {"name": "postcodes", "type": "list"}, {"name": "level", "type": kind},
            {"name": "valid-until", "type": "timestamp", "required": false},
        ]});
        sources.triggers.insert("weather-alert".into(), serde_json::from_value(trigger).unwrap());
        sources
    };
    let former = level("integer");
    let Compilation { snapshot, problems } = compile(&former);
    assert_eq!(problems, []);
    let before = Before::new(former, Arc::new(snapshot), &problems);
    let Compilation { snapshot, problems } = compile_after(&level("string"), &before);
    assert!(snapshot.scenarios.is_empty());
    assert_eq!(problems[0].path, "spec.triggers[0].where", "{problems:?}");
    assert!(problems[0].message.contains("declare `params.level` as a number"), "{problems:?}");
}

#[test]
fn nodes_nobody_comes_to_are_a_warning() {
    let problems = compiled(with("/nodes/0/condition/else", json!("End"))).problems;
    assert_eq!(problems.len(), 1);
    assert_eq!((problems[0].severity, problems[0].path.as_str()), (Severity::Warning, "spec.nodes[2]"));
}

#[test]
fn a_draft_compiles_and_does_not_fire() {
    let mut scenario = story();
    scenario["state"] = json!("Draft");
    assert!(!compiled(scenario).snapshot.scenarios[&ScenarioName::new("s")].fires());
}

#[test]
fn of_what_a_missing_trigger_would_declare_nothing_is_said() {
    let mut sources =
        sources(with("/audience/where", json!("customer.line == params.line and params.a-b == 1")));
    sources.triggers.remove("weather-alert");
    let words = |sources: &Sources| {
        let said = compile(sources).problems.into_iter();
        said.map(|problem| format!("{}: {}", problem.path, problem.message)).collect::<Vec<_>>()
    };
    let field = "spec.triggers[0].triggerRef.name";
    assert_eq!(
        words(&sources),
        [format!("{field}: there is no ApiTrigger weather-alert; apply it, or correct the name")]
    );
    sources.wrong.insert(ObjectName { kind: ObjectKind::ApiTrigger, name: "weather-alert".into() });
    assert_eq!(
        words(&sources),
        [format!("{field}: ApiTrigger weather-alert is there, but wrong itself; correct that first")]
    );
}

fn waiting(wait: Json) -> Json {
    let mut story = story();
    story["nodes"].as_array_mut().unwrap().insert(0, json!({"name": "later", "wait": wait}));
    story
}

#[test]
fn a_wait_says_how_long_or_until_when() {
    for right in [
        json!({"for": "2h"}),
        json!({"until": "params.valid-until"}),
        json!({"until": "customer.birthday", "before": "1d"}),
        json!({"untilTime": {"at": "09:00"}}),
        json!({"untilTime": {"at": "00:30", "zone": "Customer"}}),
        json!({"untilTime": {"at": "23:59", "zone": "Asia/Tokyo"}}),
    ] {
        let compilation = compiled(waiting(right.clone()));
        assert_eq!(compilation.problems, [], "{right}");
        assert!(compilation.snapshot.scenarios[&ScenarioName::new("s")].flow.waits());
    }
    let wrong = [
        (json!({}), "", "exactly one of for, until and untilTime"),
        (json!({"for": "2h", "until": "params.valid-until"}), "", "exactly one of for, until and untilTime"),
        (json!({"for": "2h", "before": "1h"}), ".before", "before goes with until"),
        (json!({"for": "0s"}), ".for", "longer than nothing"),
        (json!({"for": "9999d"}), ".for", "longer than 5 years"),
        (json!({"for": "2 hours"}), ".for", "expected a length of time"),
        (json!({"until": "params.nope"}), ".until", "no parameter `nope`"),
        (json!({"untilTime": {"at": "9:00"}}), ".untilTime.at", "such as 09:00"),
        (json!({"untilTime": {"at": "25:00"}}), ".untilTime.at", "such as 09:00"),
        (
            json!({"untilTime": {"at": "09:00", "zone": "Europe/Viena"}}),
            ".untilTime.zone",
            "no time zone `Europe/Viena`",
        ),
    ];
    for (wait, path, part) in wrong {
        let (found, message) = error(waiting(wait.clone()));
        assert_eq!(found, format!("spec.nodes[0].wait{path}"), "{wait}");
        assert!(message.contains(part), "{wait}: {message}");
    }
}

#[test]
fn a_wait_that_outlasts_the_calls_is_warned_of() {
    let mut sources = sources(waiting(json!({"for": "2h"})));
    let warned = |sources: &Sources| {
        let problems = compile(sources).problems;
        problems.iter().map(|problem| (problem.path.clone(), problem.message.clone())).collect::<Vec<_>>()
    };
    let trigger = sources.triggers.get_mut("weather-alert").unwrap();
    trigger.expires = Some(serde_json::from_value(json!({"after": "3h"})).unwrap());
    assert_eq!(warned(&sources), []);
    let trigger = sources.triggers.get_mut("weather-alert").unwrap();
    trigger.expires = Some(serde_json::from_value(json!({"after": "2h"})).unwrap());
    let [(path, message)] = warned(&sources).try_into().unwrap();
    assert_eq!(path, "spec.nodes[0].wait.for");
    assert!(message.starts_with("calls of weather-alert expire before 2h are over"), "{message}");
}

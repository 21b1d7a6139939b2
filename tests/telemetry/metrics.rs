//! Numbers: those of a runtime are the documented ones, say what happened, and are all that alerts and dashboard name.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Value, json};

use crate::harness::{Dev, Process, wait_for as until};
use crate::reference::{compare, documented, shown};
use crate::traces::{Scene, call};

/// The value of a series, written as it is shown.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
}

#[test]
fn a_runtime_shows_what_is_documented_and_what_happened() {
    let scene = Scene::new(None);
    scene.hook.answer("503 Service Unavailable\r\nRetry-After: 1\r\n");
    let dev = scene.start(&mut scene.command());
    let id = call(&dev, None);
    dev.call("storm", &json!({"city": 5})).must().expect(422);
    until("a first attempt", || scene.hook.received().pop());
    let text = || dev.api("GET", "/metrics").must().expect(200).body;
    until("the delivery waits", || {
        let waiting = r#"fanfare_deliveries_waiting{channel="hook",state="retrying"}"#;
        value(&text(), waiting).filter(|count| *count >= 1.0)
    });
    assert!(value(&text(), "fanfare_calls_oldest_open_age_seconds").unwrap() > 0.0);
    scene.hook.answer("200 OK\r\n");
    until("the call is done", || dev.is_done(&id).then_some(()));
    let text = until("the outcome is counted", || {
        let text = text();
        let sent = value(&text, r#"fanfare_deliveries_total{channel="hook",outcome="sent"}"#);
        (sent == Some(1.0)).then_some(text)
    });
    for (series, at_least) in [
        (r#"fanfare_calls_total{trigger="storm",status="202"}"#, 1.0),
        (r#"fanfare_refusals_total{reason="wrong_parameters"}"#, 1.0),
        (r#"fanfare_attempts_total{channel="hook",outcome="not_taken"}"#, 1.0),
        (r#"fanfare_deliveries_total{channel="hook",outcome="retrying"}"#, 1.0),
        (r#"fanfare_delivery_latency_seconds_count{channel="hook"}"#, 1.0),
        (r#"fanfare_attempt_duration_seconds_count{channel="hook"}"#, 2.0),
        (r#"fanfare_channel_window{channel="hook"}"#, 256.0),
        (r#"fanfare_channel_window_usable{channel="hook"}"#, 1.0),
        (r#"fanfare_channel_concurrency_limit{channel="hook"}"#, 1.0),
        (r#"fanfare_ledger_commit_duration_seconds_count{work="calls"}"#, 1.0),
        (r#"fanfare_ledger_commit_duration_seconds_count{work="deliveries"}"#, 2.0),
        (r#"fanfare_snapshot_objects{kind="Scenario"}"#, 1.0),
        ("fanfare_snapshot_timestamp_seconds", 1e9),
        ("fanfare_lease_renewed_timestamp_seconds", 1e9),
    ] {
        let found = value(&text, series);
        assert!(found.is_some_and(|found| found >= at_least), "{series} is {found:?}: {text}");
    }
    for series in ["fanfare_channel_window_open", "fanfare_channel_attempts_under_way"] {
        assert_eq!(value(&text, &format!(r#"{series}{{channel="hook"}}"#)), Some(0.0), "{text}");
    }
    compare(&documented("Runtime"), &shown(&text));
}

/// Nobody consents to the newsletter.
pub fn leave_customers_out(dev: &Dev) -> String {
    let called = dev.call("issue", &json!({"city": "Vienna"})).must().expect(202);
    let id = called.json()["id"].as_str().unwrap().to_owned();
    until("the call is done", || dev.is_done(&id).then_some(()));
    id
}

#[test]
fn customers_left_out_are_told_of_in_the_log_by_the_process_and_in_a_number() {
    let scene = Scene::new(None);
    let dev = scene.start(&mut scene.command());
    let series = r#"fanfare_scenario_left_out_timestamp_seconds{scenario="newsletter"}"#;
    let number = || value(&dev.api("GET", "/metrics").must().expect(200).body, series);
    assert_eq!(number(), Some(0.0));
    let id = leave_customers_out(&dev);
    let words = "the only customer was skipped: no consent: news";
    let run = dev.get(&format!("/api/v1/calls/{id}"))["runs"][0].clone();
    assert_eq!(run["leftOut"][0]["inWords"], words, "{run}");
    assert_eq!((&run["leftOut"][0]["customers"], &run["leftOut"][0]["of"]), (&json!(1), &json!(1)));
    for arguments in [&["log", &id][..], &["log"]] {
        let shown = Process::command(arguments).envs(dev.environment()).output().unwrap();
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.contains("newsletter") && shown.contains(words), "{shown}");
    }
    until("the process says it", || {
        scene
            .log()
            .lines()
            .find(|line| line.contains("WARN") && line.contains(words) && line.contains(&id))
            .map(drop)
    });
    assert!(number().is_some_and(|at| at > 1e9), "{:?}", number());
}

#[test]
fn what_waits_is_counted_and_its_reason_said_from_its_first_moment() {
    let scene = Scene::new(None);
    scene.hook.answer("404 Not Found\r\n");
    let dev = scene.start(&mut scene.command());
    let mut calls = vec![call(&dev, None)];
    let text = || dev.api("GET", "/metrics").must().expect(200).body;
    until("the provider is known to be down", || {
        let down = r#"fanfare_channel_provider_down{channel="hook"}"#;
        value(&text(), down).filter(|down| *down == 1.0)
    });
    calls.extend((0..6).map(|_| call(&dev, None)));
    let waiting = |text: &str| {
        let of_channel = |state| {
            value(text, &format!(r#"fanfare_deliveries_waiting{{channel="hook",state="{state}"}}"#))
                .unwrap_or(0.0)
        };
        let without = value(text, r#"fanfare_customers_waiting{scenario="warning"}"#).unwrap_or(0.0);
        (of_channel("queued") + of_channel("retrying"), without)
    };
    // One of them may be trying just now.
    let (_, without) = until("all are counted", || {
        let (with, without) = waiting(&text());
        (with + without >= 6.0).then_some((with, without))
    });
    assert!(without >= 5.0, "those of later calls have no delivery: {without}");
    let last = calls.last().unwrap();
    let said = "waits for channel hook: down since ";
    let run = until("the log says why", || {
        let run = dev.get(&format!("/api/v1/calls/{last}"))["runs"].get(0)?.clone();
        run["waitsFor"].get(0)?.as_str()?.starts_with(said).then_some(run)
    });
    assert_eq!((&run["audience"], &run["waiting"]), (&json!(1), &json!(1)), "{run}");
    for (arguments, words) in [
        (&["log", last][..], said),
        (&["log", "--status", "running"], "1 without a delivery yet (waits for channel hook: down since "),
        (
            &["deliveries", "--call", last],
            "warning: 1 without a delivery yet (waits for channel hook: down since ",
        ),
        (&["deliveries", "--call", last, "--state", "queued"], "warning: 1 without a delivery yet"),
    ] {
        let shown = Process::command(arguments).envs(dev.environment()).output().unwrap();
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.contains(words), "{arguments:?}: {shown}");
    }
    scene.hook.answer("200 OK\r\n");
    for id in &calls {
        until("the call is done", || dev.is_done(id).then_some(()));
    }
    assert_eq!(waiting(&text()), (0.0, 0.0));
    dev.post("/api/v1/scenarios/warning/pause", &json!({"reason": "wrong link"})).expect(200);
    let id = call(&dev, None);
    until("the log says that it is paused", || {
        let run = dev.get(&format!("/api/v1/calls/{id}"))["runs"].get(0)?.clone();
        let why = run["waitsFor"].get(0)?.as_str()?.to_owned();
        assert!(why.starts_with("scenario warning was paused by ") && why.ends_with(": wrong link"), "{why}");
        Some(())
    });
}

fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/charts/fanfare/files/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Every metric that an expression names.
fn named(expressions: &[String]) -> BTreeSet<String> {
    let pattern = Regex::new(r"\bfanfare_[a-z0-9_]+").unwrap();
    let names =
        expressions.iter().flat_map(|it| pattern.find_iter(it)).map(|found| found.as_str().to_owned());
    names.collect()
}

#[track_caller]
fn are_documented(expressions: &[String]) {
    let foreign = Regex::new(r"\b(?:controller_runtime|leader_election|workqueue|rest_client)_").unwrap();
    let of_others = expressions.iter().find(|it| foreign.is_match(it));
    assert_eq!(of_others, None, "every controller of a cluster has numbers of that name");
    let known = [documented("Runtime"), documented("Operator")];
    for name in named(expressions) {
        let is_known = known.iter().any(|metrics| {
            metrics.iter().any(|(metric, (kind, _))| match kind.as_str() {
                "histogram" => {
                    ["_bucket", "_sum", "_count"].iter().any(|part| name == format!("{metric}{part}"))
                }
                _ => name == *metric,
            })
        });
        assert!(is_known, "{name} is not in docs/reference/metrics.md");
    }
}

#[test]
fn every_alert_rests_on_numbers_that_there_are_and_says_what_to_do() {
    let alerts: Value = serde_yaml_ng::from_str(&file("alerts.yaml")).unwrap();
    let groups = alerts["groups"].as_array().unwrap();
    let rules: Vec<&Value> = groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert!(rules.len() >= 10);
    let mut names = BTreeSet::new();
    for rule in &rules {
        let name = rule["alert"].as_str().unwrap();
        assert!(names.insert(name), "{name} is there twice");
        assert!(
            ["critical", "warning", "info"].contains(&rule["labels"]["severity"].as_str().unwrap()),
            "{name}"
        );
        for annotation in ["summary", "description"] {
            assert!(
                rule["annotations"][annotation].as_str().is_some_and(|text| text.len() > 20),
                "{name}: {annotation}"
            );
        }
        assert!(rule["for"].is_string(), "{name} would ring for a single scrape");
    }
    let expressions: Vec<String> =
        rules.iter().map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect();
    assert!(expressions.iter().all(|expression| !named(std::slice::from_ref(expression)).is_empty()));
    are_documented(&expressions);
}

#[test]
fn the_dashboard_shows_numbers_that_there_are() {
    let dashboard: Value = serde_json::from_str(&file("dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let expressions: Vec<String> =
        targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect();
    assert!(expressions.iter().all(|expression| !named(std::slice::from_ref(expression)).is_empty()));
    are_documented(&expressions);
    let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
}

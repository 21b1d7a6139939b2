//! Numbers as Prometheus' own programs read them: its linter, and a server that collects them and evaluates our alerts.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::harness::{Request, wait_for};
use crate::metrics::leave_customers_out;
use crate::traces::{Scene, call};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0";

/// Ends a program with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(name: &str) -> Command {
    let found = Command::new(name).arg("--version").output();
    assert!(found.is_ok(), "{name} is missing; `make packages` installs Debian's prometheus, which has it");
    Command::new(name)
}

#[test]
fn the_linter_of_prometheus_finds_nothing() {
    let scene = Scene::new(None);
    scene.hook.answer("200 OK\r\n");
    let dev = scene.start(&mut scene.command());
    let id = call(&dev, None);
    wait_for("the call is done", || dev.is_done(&id).then_some(()));
    let answer = dev.api("GET", "/metrics").must().expect(200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(answer.body.contains("# TYPE fanfare_calls_total counter"), "{}", answer.body);
    let mut linter = program("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    linter.stdin.take().unwrap().write_all(answer.body.as_bytes()).unwrap();
    let said = linter.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    assert!(said.status.success() && text.is_empty(), "{text}");
    let asked = dev.api("GET", "/metrics").header("Accept", OPEN_METRICS).must().expect(200);
    assert!(asked.header("content-type").unwrap().starts_with(OPEN_METRICS));
    assert!(asked.body.ends_with("# EOF\n") && asked.body.contains("# TYPE fanfare_calls counter"));
}

/// Prometheus with these settings, and where it answers.
fn started(folder: &Path, settings: &Path) -> (Ended, String) {
    let log = folder.join("log");
    let output = std::fs::File::create(&log).unwrap();
    let prometheus = Ended(
        program("prometheus")
            .arg(format!("--config.file={}", settings.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap(),
    );
    let listens = regex::Regex::new(r"Listening on.* address=(127\.0\.0\.1:\d+)").unwrap();
    let url = wait_for("Prometheus listens", || {
        let text = std::fs::read_to_string(&log).unwrap();
        listens.captures(&text).map(|found| format!("http://{}", &found[1]))
    });
    (prometheus, url)
}

#[test]
fn prometheus_collects_the_numbers_and_evaluates_our_alerts() {
    let scene = Scene::new(None);
    scene.hook.answer("200 OK\r\n");
    let dev = scene.start(&mut scene.command());
    let folder = tempfile::tempdir().unwrap();
    let alerts = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/fanfare/files/alerts.yaml");
    let server = dev.environment()[0].1.clone();
    let address = server.strip_prefix("http://").unwrap();
    let settings = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [\"{alerts}\"]\n\
         scrape_configs: [{{job_name: fanfare, static_configs: [{{targets: [\"{address}\"]}}]}}]\n"
    );
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, settings).unwrap();
    let checked = program("promtool").args(["check", "config"]).arg(&file).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let (_prometheus, url) = started(folder.path(), &file);
    let ask = |path: &str| -> Option<Value> {
        let answer = Request::get(format!("{url}{path}")).send().ok()?;
        serde_json::from_str(&answer.body).ok()
    };
    wait_for("the numbers are collected", || {
        let found = ask("/api/v1/query?query=fanfare_build_info")?;
        (!found["data"]["result"].as_array()?.is_empty()).then_some(())
    });
    let target = ask("/api/v1/targets").unwrap()["data"]["activeTargets"][0].clone();
    assert_eq!((target["health"].as_str(), target["lastError"].as_str()), (Some("up"), Some("")), "{target}");
    let rules = wait_for("every alert is evaluated", || {
        let rules = ask("/api/v1/rules")?;
        let groups = rules["data"]["groups"].as_array()?;
        let rules: Vec<Value> =
            groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect();
        (!rules.is_empty() && rules.iter().all(|rule| rule["health"] != "unknown")).then_some(rules)
    });
    for rule in rules {
        assert_eq!((rule["health"].as_str(), rule["lastError"].as_str()), (Some("ok"), None), "{rule}");
    }
    leave_customers_out(&dev);
    wait_for("the alert about customers left out is due", || {
        let alerts = ask("/api/v1/alerts")?["data"]["alerts"].as_array()?.clone();
        let fires = alerts.iter().find(|alert| alert["labels"]["alertname"] == "FanfareCustomersLeftOut")?;
        assert_eq!(fires["labels"]["scenario"], "newsletter", "{fires}");
        // It rings once it has been so for a minute.
        ["pending", "firing"].contains(&fires["state"].as_str()?).then_some(())
    });
}

//! A call's trace, from the caller through the ledger to the provider, also over a crash; and that none of it is in the way.

use std::path::Path;
use std::process::Command;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::{Value, json};

use crate::harness::{Dev, Postgres, Process, wait_for as until};
use crate::stub::Stub;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

const MANIFESTS: &str = r#"
apiVersion: fanfare.dev/v1alpha1
kind: ApiTrigger
metadata: {name: storm}
spec: {parameters: [{name: city, type: string, example: Vienna}]}
---
apiVersion: fanfare.dev/v1alpha1
kind: Channel
metadata: {name: hook}
spec: {webhook: {url: 'http://hook.test/storm'}}
---
apiVersion: fanfare.dev/v1alpha1
kind: Scenario
metadata: {name: warning}
spec:
  triggers: [{triggerRef: {name: storm}}]
  audience: {everyone: {}}
  nodes:
  - name: tell
    message: {channelRef: {name: hook}, consent: None, webhook: {body: '{"city": {{ params.city | tojson }}}'}}
---
apiVersion: fanfare.dev/v1alpha1
kind: ApiTrigger
metadata: {name: issue}
spec: {parameters: [{name: city, type: string, example: Vienna}]}
---
apiVersion: fanfare.dev/v1alpha1
kind: Scenario
metadata: {name: newsletter}
spec:
  triggers: [{triggerRef: {name: issue}}]
  audience: {everyone: {}}
  nodes:
  - name: tell
    message: {channelRef: {name: hook}, consent: news, webhook: {body: '{"city": {{ params.city | tojson }}}'}}
"#;

/// A folder of manifests, a provider and a collector.
pub struct Scene {
    folder: tempfile::TempDir,
    pub hook: Stub,
    collector: Stub,
    database: Option<String>,
}

impl Scene {
    pub fn new(database: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("manifests/data");
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(folder.path().join("manifests/all.yaml"), MANIFESTS).unwrap();
        std::fs::write(data.join("customers.csv"), "registered,city\nann,Vienna\n").unwrap();
        Scene { folder, hook: Stub::start(), collector: Stub::start(), database }
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("kept")
    }

    /// What `fanfare dev` has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("kept.log")).unwrap()
    }

    pub fn command(&self) -> Command {
        let beside = |name: &str| self.folder.path().join(name);
        let mut command = Process::command(["dev"]);
        command.arg(beside("manifests")).args(["--listen", "127.0.0.1:0"]).arg("--data").arg(self.data());
        command.arg("--ready-file").arg(beside("kept.ready.json"));
        command.args(["--host", &format!("hook.test={}", self.hook.address)]);
        command.args(self.database.iter().flat_map(|url| ["--database", url]));
        for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"] {
            command.env_remove(name);
        }
        command
    }

    /// `fanfare dev` that traces to the collector with this sampler, and at once.
    fn traced(&self, sampler: &str, argument: &str) -> Dev {
        let mut command = self.command();
        command
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", self.collector.address))
            .env("OTEL_TRACES_SAMPLER", sampler)
            .env("OTEL_TRACES_SAMPLER_ARG", argument)
            .env("OTEL_BSP_SCHEDULE_DELAY", "50");
        self.start(&mut command)
    }

    pub fn start(&self, command: &mut Command) -> Dev {
        Dev::start_by(command, Path::new(&self.data()))
    }

    /// Every span that has come, with the service it came from.
    fn spans(&self) -> Vec<(String, Span)> {
        let requests = self.collector.received();
        let batches = requests.iter().flat_map(|request| {
            assert_eq!(request.path, "/v1/traces");
            assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
            ExportTraceServiceRequest::decode(&request.body[..]).unwrap().resource_spans
        });
        let of_batch = batches.flat_map(|batch| {
            let attributes = batch.resource.unwrap().attributes;
            let service =
                attributes.iter().find(|it| it.key == "service.name").map(|it| format!("{:?}", it.value));
            let spans = batch.scope_spans.into_iter().flat_map(|scope| scope.spans);
            spans.map(move |span| (service.clone().unwrap(), span)).collect::<Vec<_>>()
        });
        of_batch.collect()
    }

    fn span(&self, name: &str) -> Span {
        until(&format!("the span {name}"), || {
            self.spans().into_iter().find(|(_, span)| span.name == name).map(|it| it.1)
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn call(dev: &Dev, parent: Option<&str>) -> String {
    let mut request = dev.call("storm", &json!({"city": "Vienna"}));
    if let Some(parent) = parent {
        request = request.header("traceparent", parent);
    }
    request.must().expect(202).json()["id"].as_str().unwrap().to_owned()
}

fn a_callers_trace_goes_on_to_the_provider_over_a_crash(database: Option<String>) {
    let scene = Scene::new(database);
    scene.hook.answer("503 Service Unavailable\r\nRetry-After: 1\r\n");
    let mut dev = scene.traced("parentbased_traceidratio", "0");
    let id = call(&dev, Some(&format!("00-{TRACE}-{CALLER}-01")));
    until("a first attempt", || scene.hook.received().pop());
    let served = scene.span("call storm");
    assert_eq!((hex(&served.trace_id), hex(&served.parent_span_id)), (TRACE.to_owned(), CALLER.to_owned()));
    assert!(
        served
            .attributes
            .iter()
            .any(|it| it.key == "fanfare.call" && format!("{:?}", it.value).contains(&id))
    );
    let matched = scene.span("match storm");
    assert_eq!(hex(&matched.parent_span_id), hex(&served.span_id));
    // Another process, which knows of the call only what the ledger says, sends the message.
    dev.process.kill();
    let before = scene.hook.received().len();
    scene.hook.answer("200 OK\r\n");
    let dev = scene.traced("parentbased_traceidratio", "0");
    until("the call is done", || dev.is_done(&id).then_some(()));
    let sent = until("an attempt of the second process", || scene.hook.received().get(before).cloned());
    let parent = sent.header("traceparent").unwrap().to_owned();
    let span = until("its span", || {
        let spans = scene.spans().into_iter().map(|it| it.1);
        spans.filter(|span| span.name == "send hook").find(|span| parent.contains(&hex(&span.span_id)))
    });
    assert_eq!((hex(&span.trace_id), hex(&span.parent_span_id)), (TRACE.to_owned(), hex(&served.span_id)));
    assert!(scene.spans().iter().all(|(service, _)| service.contains("fanfare")));
    // Of a call that nobody traces, and of ratio 0, nothing is known.
    call(&dev, None);
    until("a message without a trace", || {
        scene.hook.received().pop().filter(|it| it.header("traceparent").is_none())
    });
}

#[test]
fn a_callers_trace_goes_on_to_the_provider_over_a_crash_on_sqlite() {
    a_callers_trace_goes_on_to_the_provider_over_a_crash(None);
}

#[test]
fn a_callers_trace_goes_on_to_the_provider_over_a_crash_on_postgres() {
    a_callers_trace_goes_on_to_the_provider_over_a_crash(Some(Postgres::shared().database()));
}

#[test]
fn what_waits_is_sent_before_the_process_ends() {
    let scene = Scene::new(None);
    let mut command = scene.command();
    let endpoint = format!("http://{}", scene.collector.address);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env("OTEL_BSP_SCHEDULE_DELAY", "600000");
    let mut dev = scene.start(&mut command);
    let id = call(&dev, None);
    until("the call is done", || dev.is_done(&id).then_some(()));
    assert!(scene.spans().is_empty());
    dev.process.terminate();
    assert!(scene.spans().iter().any(|(_, span)| span.name == "send hook"));
    // Who has the id of a call finds every line about it.
    let lines: Vec<Value> =
        dev.process.printed().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(lines.iter().filter(|line| line["call"] == id.as_str()).count() >= 3, "{lines:#?}");
    let is_about_a_call =
        |line: &&Value| ["run", "scenario", "delivery"].iter().any(|key| !line[key].is_null());
    assert!(lines.iter().filter(is_about_a_call).all(|line| !line["call"].is_null()), "{lines:#?}");
}

#[test]
fn a_collector_that_is_away_or_silent_is_in_nobodys_way() {
    let scene = Scene::new(None);
    // It takes connections and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = scene.command();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env("OTEL_BSP_SCHEDULE_DELAY", "20");
    command.env("OTEL_BSP_MAX_QUEUE_SIZE", "8").env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8");
    let mut dev = scene.start(&mut command);
    let begun = std::time::Instant::now();
    let ids: Vec<String> = (0..100).map(|_| call(&dev, None)).collect();
    until("all are done", || ids.iter().all(|id| dev.is_done(id)).then_some(()));
    assert_eq!(scene.hook.received().len(), 100);
    // The exporter alone would wait for 5 s a batch.
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
    dev.process.terminate();
    assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn without_a_collector_a_callers_trace_is_not_taken_up() {
    let scene = Scene::new(None);
    let dev = scene.start(&mut scene.command());
    call(&dev, Some(&format!("00-{TRACE}-{CALLER}-01")));
    let sent = until("a message", || scene.hook.received().pop());
    assert_eq!(sent.header("traceparent"), None);
}

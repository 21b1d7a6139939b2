//! Traces by OpenTelemetry, off unless `OTEL_EXPORTER_OTLP_ENDPOINT` says where they go.
//!
//! The standard variables say the rest: `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`, `OTEL_SERVICE_NAME`. Spans wait in
//! a bounded queue; what does not fit is dropped, and no request waits for the collector.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, Key, KeyValue, Value};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use super::collector::Collector;
use crate::domain::trace::TraceParent;

/// How long spans that wait may take to be sent when the process ends.
const FLUSH_MAX: Duration = Duration::from_secs(2);
const SERVICE: &str = "fanfare";

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Keeps spans going out; ends them with [`Traces::stop`].
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to trace if the environment says where to; must be called on a tokio runtime. `None` if it does not, or
    /// if what it says cannot be used, which is logged.
    pub fn start() -> Option<Self> {
        if !is_wanted(|name| std::env::var(name).ok()) {
            return None;
        }
        let client = Collector::new(tokio::runtime::Handle::current())?;
        let built =
            SpanExporter::builder().with_http().with_http_client(client).with_protocol(Protocol::HttpBinary);
        let exporter = match built.build() {
            Ok(exporter) => exporter,
            Err(error) => {
                tracing::error!(%error, "nothing is traced: OTEL_EXPORTER_OTLP_* cannot be used");
                return None;
            }
        };
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build();
        // A second start in one process, as in tests, leaves the first one's tracer.
        drop(TRACER.set(provider.tracer(SERVICE)));
        Some(Traces(provider))
    }

    /// Sends what waits, as far as it goes within two seconds.
    pub async fn stop(self) {
        let stopped = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(FLUSH_MAX)).await;
        if let Ok(Err(error)) = stopped {
            tracing::debug!(%error, "the last spans are lost");
        }
    }
}

/// Whether the environment asks for traces.
fn is_wanted(variable: impl Fn(&str) -> Option<String>) -> bool {
    let is = |name: &str, value: &str| variable(name).is_some_and(|it| it.eq_ignore_ascii_case(value));
    let is_set = |name: &str| variable(name).is_some_and(|it| !it.is_empty());
    let has_endpoint = is_set("OTEL_EXPORTER_OTLP_ENDPOINT") || is_set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    has_endpoint && !is("OTEL_SDK_DISABLED", "true") && !is("OTEL_TRACES_EXPORTER", "none")
}

fn resource() -> Resource {
    // What the environment says wins; without it the SDK would call us `unknown_service`.
    let named = Resource::builder().build();
    let name = named.get(&Key::new("service.name")).map(|name| name.to_string()).unwrap_or_default();
    match name.is_empty() || name.starts_with("unknown_service") {
        true => Resource::builder().with_service_name(SERVICE).build(),
        false => named,
    }
}

/// What a span is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A request that came in.
    Served,
    /// Something done within.
    Internal,
    /// A request that goes out.
    Asked,
}

/// A piece of work while it is done; it ends when it is dropped.
#[derive(Debug)]
pub struct Span(opentelemetry_sdk::trace::Span);

impl Span {
    /// Begins a span. `None` when nothing is traced.
    pub fn begin(
        work: Work,
        name: impl Into<Cow<'static, str>>,
        parent: Option<TraceParent>,
        began: SystemTime,
    ) -> Option<Self> {
        let tracer = TRACER.get()?;
        let kind = match work {
            Work::Served => SpanKind::Server,
            Work::Internal => SpanKind::Internal,
            Work::Asked => SpanKind::Client,
        };
        let builder = tracer.span_builder(name).with_kind(kind).with_start_time(began);
        let parent = parent
            .map_or_else(Context::new, |parent| Context::new().with_remote_span_context(remote(parent)));
        Some(Span(tracer.build_with_context(builder, &parent)))
    }

    /// Its place in the trace.
    pub fn place(&self) -> TraceParent {
        let context = self.0.span_context();
        TraceParent {
            trace: u128::from_be_bytes(context.trace_id().to_bytes()),
            span: u64::from_be_bytes(context.span_id().to_bytes()),
            sampled: context.is_sampled(),
        }
    }

    /// Names it anew, once more is known.
    pub fn rename(&mut self, name: impl Into<Cow<'static, str>>) {
        self.0.update_name(name);
    }

    /// Notes something about it. Never a secret, and nothing of a customer's.
    pub fn note(&mut self, key: &'static str, value: impl Into<Value>) {
        if self.0.is_recording() {
            self.0.set_attribute(KeyValue::new(key, value));
        }
    }

    /// Says that it failed.
    pub fn fail(&mut self, reason: &str) {
        self.0.set_status(Status::error(reason.to_owned()));
    }
}

fn remote(parent: TraceParent) -> SpanContext {
    let flags = if parent.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let (trace, span) = (TraceId::from(parent.trace), SpanId::from(parent.span));
    SpanContext::new(trace, span, flags, true, TraceState::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_traced_unless_somebody_says_where_to() {
        let with = |set: &'static [(&str, &str)]| {
            is_wanted(move |name| set.iter().find(|it| it.0 == name).map(|it| it.1.to_owned()))
        };
        assert!(!with(&[]) && !with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]));
        assert!(with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")]));
        assert!(with(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318/v1/traces")]));
        assert!(!with(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
            ("OTEL_SDK_DISABLED", "TRUE")
        ]));
        assert!(Span::begin(Work::Internal, "x", None, SystemTime::now()).is_none());
    }
}

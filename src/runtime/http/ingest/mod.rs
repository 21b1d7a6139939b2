//! A trigger's endpoint: `POST /in/<namespace>/<trigger>`, from the request's first byte to its answer.
//!
//! Admission has one order: method and size, authentication, parse, map and check, idempotency key, deduplication,
//! expiry, rate window, queue. A 202 is answered only when the call is on disk, and only a 202 occupies a key.

mod answer;
mod body;
mod elements;
mod ids;
mod key_purge;
mod mapping;
mod request;
mod room;
mod settle;
mod submit;

pub use answer::IngestResponse;
pub use key_purge::forget_expired_keys;
pub(super) use request::origin;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;

use crate::compile::{Snapshot, Trigger};
use crate::domain::admission::{Answer, Refusal};
use crate::domain::name::TriggerName;
use crate::domain::trace::TraceParent;
use crate::runtime::http::app::App;
use crate::runtime::http::traces::CallSpan;

/// Every trigger's path begins with this.
pub const PATH_PREFIX: &str = "/in/";

/// Answers one request.
pub async fn answer<B>(app: &App, request: Request<B>) -> IngestResponse
where
    B: hyper::body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (received_at, began) = (now(), Instant::now());
    let span = CallSpan::begin(request.headers());
    let trace = span.as_ref().and_then(CallSpan::place);
    let mut visit = Visit { trigger: None, credential: None, trace };
    let admitted = admit(app, request, received_at, &mut visit).await.map_err(Refusal::cut);
    let status = admitted.as_ref().map_or_else(Refusal::status, |_| 202);
    let declared = visit.trigger.as_ref().filter(|_| status != 404);
    app.metrics.answered(declared, status, began.elapsed());
    if let Some(span) = span {
        span.end(declared, &admitted);
    }
    match admitted {
        Ok(answer) => answer::accepted(&answer),
        Err(refusal) => {
            app.metrics.refused(&refusal);
            let trigger = visit.trigger.unwrap_or_else(|| TriggerName::new(""));
            let id = ids::new_call_id(received_at);
            app.refusals.log(id, &trigger, visit.credential, &refusal, received_at);
            answer::refused(&refusal)
        }
    }
}

/// What is known of a request so far, for the log of those that are refused.
struct Visit {
    trigger: Option<TriggerName>,
    credential: Option<Arc<str>>,
    /// The request's span, if it belongs to a trace.
    trace: Option<TraceParent>,
}

async fn admit<B>(
    app: &App,
    request: Request<B>,
    received_at: Timestamp,
    visit: &mut Visit,
) -> Result<Answer, Refusal>
where
    B: hyper::body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let snapshot = app.snapshot.load_full();
    let trigger = find(&snapshot, parts.uri.path(), visit)?;
    if parts.method != http::Method::POST {
        return Err(Refusal::Method);
    }
    body::check_declared_length(&parts.headers, trigger.body_bytes_max)?;
    let caller = request::authenticate(app, &trigger.name, &parts, received_at).await?;
    app.outdated.note(&caller, received_at);
    visit.credential = Some(Arc::clone(&caller.credential));
    let _room = room::room(&parts.headers, trigger.body_bytes_max).await?;
    let body = body::read(body, trigger.body_bytes_max).await?;
    let body = body::unpacked(&parts.headers, body, trigger.body_bytes_max).await?;
    let content_type = body::content_type(&parts.headers, &body)?;
    let idempotency_key = request::idempotency_key(&parts.headers)?;
    let elements = room::where_it_fits(body.len(), || {
        let (parsed, media) = elements::parse(&body, content_type)?;
        let facts = mapping::facts(trigger, &parts, &parsed)?;
        elements::elements(trigger, &parsed, media, facts, received_at)
    })?;
    let submission = submit::Submission {
        trigger,
        version: &snapshot.version,
        credential: caller.credential,
        received_at,
        body: &body,
        idempotency_key,
        request: trigger.for_each.is_some().then(|| ids::new_call_id(received_at)),
        elements,
        trace: visit.trace,
    };
    submit::submit(app, submission).await
}

/// The trigger a path names. Names are DNS labels, so nothing in a path needs decoding.
fn find<'a>(snapshot: &'a Snapshot, path: &str, visit: &mut Visit) -> Result<&'a Arc<Trigger>, Refusal> {
    let rest = path.strip_prefix(PATH_PREFIX).ok_or(Refusal::NoSuchTrigger)?;
    let (namespace, name) = rest.split_once('/').ok_or(Refusal::NoSuchTrigger)?;
    // Programs that put URLs together write one more slash.
    let name = name.strip_suffix('/').unwrap_or(name);
    let known = snapshot.triggers.get(name).filter(|_| namespace == snapshot.namespace.as_ref());
    match known {
        Some(trigger) => {
            visit.trigger = Some(trigger.name.clone());
            Ok(trigger)
        }
        None => {
            // What was asked for helps to find a typing error; more than a name's length does not.
            let asked: String = name.chars().filter(|c| !c.is_control()).take(63).collect();
            visit.trigger = Some(TriggerName::new(asked));
            Err(Refusal::NoSuchTrigger)
        }
    }
}

/// The time, as the store keeps it.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

//! The spans of the engine: matching a call, and each attempt at a provider.

use super::clock::Clock;
use super::dispatch::Job;
use crate::channels::Attempt;
use crate::store::calls::AcceptedCall;
use crate::telemetry::traces::{Span, Work};

/// The span of matching a call with the scenarios of its version.
pub(super) fn matching(call: &AcceptedCall, clock: &Clock) -> Option<Span> {
    let parent = call.trace?;
    let mut span =
        Span::begin(Work::Internal, format!("match {}", call.trigger), Some(parent), clock.now().into())?;
    span.note("fanfare.call", call.id.as_str().to_owned());
    Some(span)
}

/// The span of one attempt at a provider.
pub(super) fn attempt(channel: &str, job: &Job, clock: &Clock) -> Option<Span> {
    let run = &job.chunk.run;
    let parent = run.next_traced_attempt()?;
    let mut span = Span::begin(Work::Asked, format!("send {channel}"), Some(parent), clock.now().into())?;
    span.note("fanfare.call", run.call.as_str().to_owned());
    span.note("fanfare.scenario", run.scenario.as_str().to_owned());
    span.note("fanfare.channel", channel.to_owned());
    span.note("fanfare.delivery", job.id.to_string());
    span.note("fanfare.attempt", i64::from(job.attempt));
    Some(span)
}

/// Ends it with what came of it. What a provider said stays in the log: it may repeat what the message said.
pub(super) fn end_attempt(mut span: Span, attempt: &Attempt) {
    let (outcome, failed) = match attempt {
        Attempt::Sent { .. } => ("sent", None),
        Attempt::Refused { .. } => ("refused", Some("the provider refused the message")),
        Attempt::NotTaken { .. } | Attempt::Throttled { .. } => ("not taken", Some("nothing was taken")),
        Attempt::Unknown { .. } => ("unknown", Some("it may have been taken")),
    };
    span.note("fanfare.outcome", outcome);
    if let Some(failed) = failed {
        span.fail(failed);
    }
}

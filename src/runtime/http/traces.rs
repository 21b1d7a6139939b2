//! The span of a request at a trigger's endpoint.
//!
//! The call's own place in its trace is in the ledger, so that what is sent after a restart belongs to it all the same.

use std::time::SystemTime;

use http::HeaderMap;

use crate::domain::admission::{Answer, Refusal};
use crate::domain::name::TriggerName;
use crate::domain::trace::TraceParent;
use crate::telemetry::traces::{Span, Work};

/// The span of a request at a trigger's endpoint, in the caller's trace if it names one.
pub(super) struct CallSpan {
    span: Span,
    has_caller: bool,
}

impl CallSpan {
    /// Begins it; `None` when nothing is traced.
    pub(super) fn begin(headers: &HeaderMap) -> Option<Self> {
        let parent = headers.get("traceparent").and_then(|value| value.to_str().ok()?.parse().ok());
        let span = Span::begin(Work::Served, "call", parent, SystemTime::now())?;
        Some(CallSpan { span, has_caller: parent.is_some() })
    }

    /// What the ledger keeps: nothing of a trace that is neither recorded nor known to the caller.
    pub(super) fn place(&self) -> Option<TraceParent> {
        Some(self.span.place()).filter(|place| place.sampled || self.has_caller)
    }

    /// Ends it with what was answered. `declared` is a trigger of a manifest.
    pub(super) fn end(mut self, declared: Option<&TriggerName>, answered: &Result<Answer, Refusal>) {
        if let Some(trigger) = declared {
            self.span.rename(format!("call {trigger}"));
            self.span.note("fanfare.trigger", trigger.as_str().to_owned());
        }
        match answered {
            Ok(answer) => {
                self.span.note("http.response.status_code", 202);
                self.span.note("fanfare.call", answer.id.as_str().to_owned());
            }
            Err(refusal) => {
                self.span.note("http.response.status_code", i64::from(refusal.status()));
                if refusal.status() >= 500 {
                    self.span.fail("the call could not be kept");
                }
            }
        }
    }
}

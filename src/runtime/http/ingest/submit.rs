//! The last steps of admission, those that look at what came before: keys, expiry, rate window, queue.
//!
//! Keys are settled by the store within the transaction that writes the calls. Expiry and rate come after them, so
//! where there are keys both are asked as the transaction's gate; without keys they are asked before the queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::elements::Element;
use crate::compile::Trigger;
use crate::domain::admission::{Answer, Refusal};
use crate::domain::credentials::Digest;
use crate::domain::name::{CallId, TriggerName, VersionId};
use crate::domain::params::params_to_json;
use crate::domain::trace::TraceParent;
use crate::runtime::http::app::App;
use crate::runtime::http::rates::Rate;
use crate::runtime::metrics::LedgerWork;
use crate::store::StoreError;
use crate::store::calls::{Admitted, Gate, NewCall, NewKey, NewRequest};
use crate::telemetry::Sampled;

/// For how long an idempotency key is remembered: a provider that retries has long given up by then.
const IDEMPOTENCY_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// A request that passed every check of its own.
pub(super) struct Submission<'a> {
    pub trigger: &'a Trigger,
    pub version: &'a VersionId,
    pub credential: Arc<str>,
    pub received_at: Timestamp,
    pub body: &'a [u8],
    pub idempotency_key: Option<String>,
    /// The request's id, where it makes a call of each of several elements.
    pub request: Option<CallId>,
    pub elements: Vec<Element>,
    /// The request's span, if it belongs to a trace.
    pub trace: Option<TraceParent>,
}

/// Puts a request before the store and answers once its calls are on disk.
pub(super) async fn submit(app: &App, submission: Submission<'_>) -> Result<Answer, Refusal> {
    let shared_rate = submission.trigger.rate.filter(|_| app.calls.keeps_rates());
    let keyed = submission.idempotency_key.is_some()
        || submission.trigger.deduplicate.is_some()
        || shared_rate.is_some();
    let gate = Limits {
        rate: if shared_rate.is_some() { None } else { app.rates.of(submission.trigger) },
        now: submission.received_at,
        expires_at: submission.elements.iter().map(|element| element.expires_at).collect(),
        is_batch: submission.request.is_some(),
        taken: Arc::default(),
    };
    let (rate, taken) = (gate.rate.clone(), Arc::clone(&gate.taken));
    let mut request = new_request(submission, keyed);
    request.rate = shared_rate;
    if keyed {
        request.gate = Some(Box::new(move |new: &[usize]| gate.check(new)) as Gate);
    } else {
        gate.check(&(0..request.calls.len()).collect::<Vec<_>>())?;
    }
    let (call, trigger) = (request.calls.first().map(|call| call.id.clone()), request.trigger.clone());
    let began = Instant::now();
    let admitted = app.calls.accept(request).await;
    app.metrics.ledger.committed(LedgerWork::Calls, 1, began.elapsed(), admitted.is_ok());
    match admitted {
        Ok(Admitted::Accepted(answer) | Admitted::Again(answer)) => Ok(answer),
        Ok(Admitted::Refused(refusal)) => Err(refusal),
        Err(error) => {
            if let Some(rate) = rate {
                rate.give_back(taken.load(Ordering::Relaxed));
            }
            Err(unkept(&error, &trigger, call.as_ref()))
        }
    }
}

/// What is checked of the calls that are new.
struct Limits {
    rate: Option<Rate>,
    now: Timestamp,
    expires_at: Vec<Option<Timestamp>>,
    is_batch: bool,
    /// Places taken in the rate window, to be given back should the commit fail.
    taken: Arc<AtomicU32>,
}

impl Limits {
    fn check(&self, new: &[usize]) -> Result<(), Refusal> {
        let expired = new.iter().find(|index| self.expires_at[**index].is_some_and(|at| at <= self.now));
        if let Some(index) = expired {
            return Err(Refusal::Expired { index: self.is_batch.then_some(*index) });
        }
        if let Some(rate) = &self.rate {
            let count = u32::try_from(new.len()).unwrap_or(u32::MAX);
            rate.take(count, self.now)?;
            self.taken.store(count, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn new_request(submission: Submission<'_>, keyed: bool) -> NewRequest {
    let Submission { trigger, version, credential, received_at, body, trace, .. } = submission;
    let kept_until = |length| received_at.checked_add(length).unwrap_or(Timestamp::MAX);
    let idempotency = submission.idempotency_key.map(|key| NewKey {
        scope: format!("{}/{credential}", trigger.name),
        key,
        expires_at: kept_until(IDEMPOTENCY_KEPT),
    });
    let happening =
        |key, within| NewKey { scope: trigger.name.to_string(), key, expires_at: kept_until(within) };
    let calls = submission.elements.into_iter().map(|element| NewCall {
        id: element.id,
        expires_at: element.expires_at,
        params: params_to_json(&element.params),
        deduplication: element
            .deduplication
            .zip(trigger.deduplicate.as_ref())
            .map(|(key, deduplicate)| happening(key, deduplicate.within)),
    });
    NewRequest {
        trigger: trigger.name.clone(),
        received_at,
        version: version.clone(),
        // Nothing compares the body of a request that has no key.
        body_digest: if keyed { *Digest::of_bytes(body).as_bytes() } else { [0; 32] },
        request: submission.request,
        idempotency,
        calls: calls.collect(),
        gate: None,
        rate: None,
        trace,
        credential,
    }
}

/// A store that fails, fails every call.
static NOT_KEPT: Sampled = Sampled::every(Duration::from_secs(10));

/// `call` is the id that the first call of the request would have had; the trigger log knows the refusal by another.
fn unkept(error: &StoreError, trigger: &TriggerName, call: Option<&CallId>) -> Refusal {
    let call = call.map_or("none", CallId::as_str);
    match error {
        StoreError::Refused(_) => {
            tracing::error!(call, %trigger, %error, "a call cannot be kept");
            Refusal::WrongBody("the call cannot be kept as it is; sending it again does not help".into())
        }
        StoreError::Busy => Refusal::Unavailable,
        StoreError::Unavailable(_) | StoreError::Barred(_) | StoreError::Closed => {
            if let Some(held_back) = NOT_KEPT.pass(&error.to_string()) {
                tracing::error!(call, %trigger, %error, held_back, "a call could not be kept");
            }
            Refusal::Unavailable
        }
    }
}

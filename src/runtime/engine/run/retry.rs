//! Whether a delivery that waited may be sent again as it was, or must be closed or held for a person.

use std::sync::Arc;

use super::{ComposedMessage, Halt, LiveChunk};
use crate::domain::customer::Customer;
use crate::domain::state::DeliveryState;
use crate::runtime::engine::dispatch::{Job, OnUnknown, digest};
use crate::store::deliveries::{Decided, Delivery};

/// What becomes of it.
pub(super) enum RetryDecision {
    /// It is sent again.
    Send(Box<Job>),
    /// It is closed.
    Close(Decided),
    /// It does not wait any more.
    NotWaiting,
}

/// Decides about a waiting delivery, rendered from the customer as it is now.
pub(super) fn decide_retry(
    chunk: &Arc<LiveChunk>,
    row: &Delivery,
    customer: Option<&Arc<Customer>>,
    on_unknown: Option<OnUnknown>,
) -> RetryDecision {
    if !matches!(row.state, DeliveryState::Queued | DeliveryState::Retrying) {
        return RetryDecision::NotWaiting;
    }
    let is_terminal = row.advanced || chunk.run.bound.after(row.id.node).is_none();
    let close = |state, reason: String| RetryDecision::Close(closed(chunk, row, state, reason, is_terminal));
    if row.maybe_sent && on_unknown == Some(OnUnknown::Hold) {
        let reason = row.reason.clone().unwrap_or_else(|| "it may have been taken".into());
        return close(DeliveryState::Held, reason);
    }
    let composed = match customer {
        Some(customer) => chunk.run.bound.compose(customer, row.id.node, chunk.now()),
        None => Err("the customer no longer exists".to_owned()),
    };
    match composed {
        Err(reason) if row.maybe_sent => {
            close(DeliveryState::Held, format!("it may have been taken, and now: {reason}"))
        }
        Err(reason) => close(DeliveryState::Skipped, reason),
        Ok(composed) => match difference(row, &composed) {
            Some(reason) => close(DeliveryState::Held, reason.to_owned()),
            None => RetryDecision::Send(Box::new(next_job(chunk, row, composed, is_terminal))),
        },
    }
}

/// The end of a waiting delivery whose run was halted; `None` if it does not wait.
pub(super) fn withdrawn(chunk: &LiveChunk, row: &Delivery, halt: Halt) -> Option<Decided> {
    // One that is being sent comes to its outcome, which is then the truth.
    if !matches!(row.state, DeliveryState::Queued | DeliveryState::Retrying) {
        return None;
    }
    let (state, reason) = match halt {
        Halt::Expired => (DeliveryState::Expired, "it expired before it was sent"),
        Halt::Cancelled => (DeliveryState::Cancelled, "the run was cancelled"),
        Halt::Failed => (DeliveryState::Cancelled, "the run failed"),
    };
    let state = if row.maybe_sent { DeliveryState::Unknown } else { state };
    Some(closed(chunk, row, state, reason.into(), row.advanced))
}

fn closed(
    chunk: &LiveChunk,
    row: &Delivery,
    state: DeliveryState,
    reason: String,
    advanced: bool,
) -> Decided {
    Decided {
        id: row.id,
        channel: row.channel.clone(),
        chunk: chunk.id.n,
        fence: chunk.fence,
        state,
        maybe_sent: false,
        reason: Some(reason),
        retry_at: None,
        advanced,
        predecessor: None,
    }
}

/// What differs from the first attempt, where there was one.
fn difference(row: &Delivery, composed: &ComposedMessage) -> Option<&'static str> {
    let (Some(address), Some(first)) = (&row.address, row.digest) else { return None };
    // One that was tried and waits by itself is `Retrying`, whether or not the attempt counts.
    if row.attempt == 0 && !row.maybe_sent && row.state == DeliveryState::Queued {
        return None;
    }
    if *address != composed.address {
        return Some("the address has changed since the first attempt");
    }
    (digest(&composed.address, &composed.content) != first)
        .then_some("the message has changed since the first attempt")
}

fn next_job(chunk: &Arc<LiveChunk>, row: &Delivery, composed: ComposedMessage, is_terminal: bool) -> Job {
    Job {
        attempt: row.attempt + 1,
        is_retry: true,
        maybe_sent: row.maybe_sent,
        first_at: row.first_at,
        ..Job::first(chunk, row.id, composed, is_terminal)
    }
}

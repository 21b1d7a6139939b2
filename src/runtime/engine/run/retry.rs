//! Whether a delivery that waited may be sent again as it was, or must be closed or held for a person.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use super::{ComposedMessage, LiveChunk};
use crate::domain::customer::Customer;
use crate::domain::permit::{Permit, PermitFacts, SkipReason, Unsent, permit};
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

/// Decides about a waiting delivery, rendered from the customer, if there still is one, as it was at that time just now.
pub(super) fn decide_retry(
    chunk: &Arc<LiveChunk>,
    row: &Delivery,
    customer: Option<(&Arc<Customer>, Instant)>,
    on_unknown: Option<OnUnknown>,
    now: Timestamp,
) -> RetryDecision {
    if !row.state.is_waiting() {
        return RetryDecision::NotWaiting;
    }
    let is_terminal = row.advanced || chunk.run.bound.after(row.id.node).is_none();
    let close = |unsent| RetryDecision::Close(closed(chunk, row, unsent, is_terminal));
    let held = |reason| close(Unsent { state: DeliveryState::Held, reason });
    if row.maybe_sent && on_unknown == Some(OnUnknown::Hold) {
        return held(row.reason.clone().unwrap_or_else(|| "it may have been taken".into()));
    }
    let facts = PermitFacts { is_customer_gone: customer.is_none(), ..chunk.permit_facts(now) };
    if let Permit::Skip(reason) = permit(&facts) {
        return close(reason.end(row.maybe_sent));
    }
    // Whose customer is gone is never sent.
    let Some((customer, read_at)) = customer else { return RetryDecision::NotWaiting };
    match chunk.run.bound.compose(customer, row.id.node, chunk.now()) {
        Err(reason) => close(Unsent::skipped(reason, row.maybe_sent)),
        Ok(composed) => match difference(row, &composed) {
            Some(reason) => held(reason.to_owned()),
            None => {
                let first = Job::first(chunk, row.id, composed, is_terminal, read_at);
                RetryDecision::Send(Box::new(next_job(row, first)))
            }
        },
    }
}

/// The end of a waiting delivery that is not sent again, as nothing more of its run is; `None` if it does not wait.
pub(super) fn withdrawn(chunk: &LiveChunk, row: &Delivery, skipped: &SkipReason) -> Option<Decided> {
    // One that is being sent comes to its outcome, which is then the truth.
    if !row.state.is_waiting() {
        return None;
    }
    Some(closed(chunk, row, skipped.end(row.maybe_sent), row.advanced))
}

fn closed(chunk: &LiveChunk, row: &Delivery, unsent: Unsent, advanced: bool) -> Decided {
    Decided {
        id: row.id,
        channel: row.channel.clone(),
        chunk: chunk.id.n,
        fence: chunk.fence,
        state: unsent.state,
        maybe_sent: false,
        reason: Some(unsent.reason),
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

/// The next attempt at a message, which would be the first without its row.
fn next_job(row: &Delivery, first: Job) -> Job {
    Job {
        attempt: row.attempt + 1,
        is_retry: true,
        maybe_sent: row.maybe_sent,
        first_at: row.first_at,
        ..first
    }
}

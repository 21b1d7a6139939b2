//! What a chunk's new owner makes of the deliveries it finds: who is decided, what waits, what is in doubt.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::{ChunkEvent, EngineContext, LiveChunk};
use crate::domain::customer::CustomerKey;
use crate::domain::state::DeliveryState;
use crate::runtime::engine::dispatch::PendingRetry;
use crate::store::StoreError;
use crate::store::deliveries::{Decided, Delivery, Step};
use crate::store::runs::TakenChunk;

/// What is left to do.
pub(super) struct Recovered {
    /// The customers that are not decided yet, each with its place in the chunk.
    pub undecided: Vec<(u32, CustomerKey)>,
}

/// Takes up what an earlier owner left. A customer with a delivery is never decided again: its journey goes on
/// behind it. Nor is one who has left the chunk to wait.
pub(super) async fn recover(
    context: &EngineContext,
    chunk: &Arc<LiveChunk>,
    taken: &TakenChunk,
    known: Vec<Delivery>,
) -> Result<Recovered, StoreError> {
    settle_doubts(context, chunk, &known).await?;
    let mut decided: HashSet<CustomerKey> = known.iter().map(|row| row.id.customer).collect();
    if taken.fence.0 > 1 && chunk.run.bound.waits() {
        decided.extend(context.deliveries.journeys_elsewhere(chunk.id).await?.left);
    }
    let places = (0_u32..).zip(taken.keys.iter().copied()).skip(taken.position);
    let (known_places, undecided): (Vec<_>, Vec<_>) = places.partition(|(_, key)| decided.contains(key));
    chunk.settle(known_places.into_iter().map(|(place, _)| place));
    take_up(context, chunk, &known);
    Ok(Recovered { undecided })
}

/// Deliveries in an open window without an outcome may have been taken: they wait as doubtful, to be sent again or
/// held as their channel says.
async fn settle_doubts(
    context: &EngineContext,
    chunk: &LiveChunk,
    known: &[Delivery],
) -> Result<(), StoreError> {
    let at = context.clock.now();
    let doubts = known.iter().filter(|row| row.state == DeliveryState::Sending).map(|row| Decided {
        id: row.id,
        channel: row.channel.clone(),
        chunk: chunk.id.n,
        fence: chunk.fence,
        state: DeliveryState::Retrying,
        maybe_sent: true,
        reason: Some("the process ended before the provider's answer was recorded".into()),
        retry_at: Some(at),
        advanced: false,
        predecessor: None,
    });
    let step = Step { at, decided: doubts.collect(), ..Step::default() };
    if !step.is_empty() {
        let committed = context.deliveries.commit(Arc::new(step)).await?;
        if committed.lost {
            chunk.lose();
        }
    }
    Ok(())
}

fn take_up(context: &EngineContext, chunk: &Arc<LiveChunk>, known: &[Delivery]) {
    let bound = &chunk.run.bound;
    for (place, row) in known.iter().enumerate() {
        let goes_on = bound.after(row.id.node).is_some() && !row.advanced;
        let is_last = known.get(place + 1).is_none_or(|next| next.id.customer != row.id.customer);
        if row.state.is_open() {
            chunk.begin(1);
            context.dispatchers.queue(&row.channel).wait([PendingRetry {
                at: row.retry_at.unwrap_or(Timestamp::UNIX_EPOCH),
                id: row.id,
                chunk: Arc::clone(chunk),
                maybe_sent: row.maybe_sent || row.state == DeliveryState::Sending,
                is_terminal: !goes_on,
                first_at: row.first_at,
            }]);
        } else if goes_on && is_last {
            chunk.begin(1);
            chunk.tell(ChunkEvent::Advance(row.id));
        }
    }
}

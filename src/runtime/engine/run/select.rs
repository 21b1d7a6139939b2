//! Reads a run's audience once: keys from the store, finished by the evaluator, cut into chunks, written at once.

use std::sync::Arc;

use super::{CrashMarkers, EngineContext, LiveRun};
use crate::domain::customer::{Customer, CustomerKey};
use crate::domain::permit::Permit;
use crate::store::StoreError;
use crate::store::runs::{OpenChunks, SelectionLease, TakenChunk};

/// The first chunk is small, so that its messages are soon under way.
const FIRST_CHUNK: usize = 128;
/// Chunks grow up to this.
const CHUNK_MAX: usize = 4096;
/// How many candidates are checked at once.
const CANDIDATES_AT_ONCE: usize = 1000;

/// Writes the audience. Returns its chunks, or `None` if another process selects it, or the run is paused or halted.
pub(super) async fn select_audience(
    context: &EngineContext,
    run: &Arc<LiveRun>,
) -> Result<Option<OpenChunks>, StoreError> {
    match context.runs.lease_selection(run.id, &context.owner).await? {
        SelectionLease::Here => {}
        SelectionLease::Elsewhere => return Ok(None),
        SelectionLease::Over => return context.runs.open_chunks(run.id, &context.owner).await.map(Some),
    }
    let selected = context.audiences.select(run.bound.selection()).await?;
    let keys = if run.bound.selection_is_exact() {
        selected.keys
    } else {
        match finish(context, run, selected.keys).await? {
            Some(members) => members,
            // Paused or halted: the scheduler decides what comes next.
            None => return Ok(None),
        }
    };
    let audience = keys.len();
    let chunks = Arc::new(cut(&keys));
    let count = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
    let access = selected.plan.words.clone();
    let fence = context.runs.set_audience(run.id, Arc::clone(&chunks), access, &context.owner).await?;
    if fence.is_none() && !chunks.is_empty() {
        return context.runs.open_chunks(run.id, &context.owner).await.map(Some);
    }
    if let (Some(fence), Some(first)) = (fence, chunks.first()) {
        run.hold_first(TakenChunk { fence, position: 0, keys: first.clone(), woken: None });
    }
    tracing::info!(
        call = %run.call, scenario = %run.scenario, run = run.id.0, audience, access = selected.plan.words,
        "audience read"
    );
    Ok(Some(OpenChunks { free: (0..count).collect(), elsewhere: 0 }))
}

/// Asks the evaluator about each candidate; `None` if the run was paused or halted meanwhile.
async fn finish(
    context: &EngineContext,
    run: &Arc<LiveRun>,
    candidates: Vec<CustomerKey>,
) -> Result<Option<Vec<CustomerKey>>, StoreError> {
    let mut members = Vec::new();
    for some in candidates.chunks(CANDIDATES_AT_ONCE) {
        let customers = context.customers.load(some, run.bound.audience_needs()).await?;
        let (markers, of) = (Arc::clone(&context.crash_markers), Arc::clone(run));
        members.extend(context.render_pool.run(move || chosen(&markers, &of, &customers)).await);
        if run.permit(context.clock.now()) != Permit::Send {
            return Ok(None);
        }
    }
    Ok(Some(members))
}

fn chosen(markers: &CrashMarkers, run: &LiveRun, customers: &[Customer]) -> Vec<CustomerKey> {
    let writing = markers.begin();
    let selects = |customer: &&Customer| {
        writing.is_for(run.id, customer.key);
        run.bound.selects(customer)
    };
    customers.iter().filter(selects).map(|customer| customer.key).collect()
}

/// Cuts ascending keys into chunks that double from the first.
fn cut(keys: &[CustomerKey]) -> Vec<Vec<CustomerKey>> {
    let mut chunks = Vec::new();
    let (mut rest, mut size) = (keys, FIRST_CHUNK);
    // An audience of a few hundred is one chunk: it is narrow, and goes first.
    if rest.len() <= CHUNK_MAX / 4 {
        size = CHUNK_MAX;
    }
    while !rest.is_empty() {
        let (chunk, others) = rest.split_at(size.min(rest.len()));
        chunks.push(chunk.to_vec());
        rest = others;
        size = (size * 2).min(CHUNK_MAX);
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_grow_and_lose_nobody() {
        for audience in [0, 1, 1024, 1025, 30_000] {
            let keys: Vec<CustomerKey> = (0..audience).map(CustomerKey).collect();
            let chunks = cut(&keys);
            assert_eq!(chunks.concat(), keys);
            assert!(chunks.iter().all(|chunk| (1..=CHUNK_MAX).contains(&chunk.len())));
            assert_eq!(chunks.len() <= 1, audience <= 1024);
        }
    }
}

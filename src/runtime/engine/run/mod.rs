//! Turns calls into runs, audiences into chunks and customers into messages, fairly between calls.
//!
//! Invariant: everything here can be dropped at any moment; what matters is in the ledger before the next step.

mod calls;
mod chunk_events;
mod chunk_limits;
mod chunk_worker;
mod control;
mod crash_markers;
mod crashes;
mod finish;
mod pauses;
mod recover;
mod render_pool;
mod renderer;
mod retry;
mod scheduler;
mod select;
mod step_builder;
mod stops;
mod waker;
mod work;

pub use control::Control;
pub use crash_markers::CrashMarkers;
pub use render_pool::RenderPool;
pub use scheduler::RunScheduler;

pub(super) use calls::{relay_retries, take_calls};
pub(super) use crashes::{count_crashes, watch_stalled_writing};
pub(super) use pauses::watch_pauses;
pub(super) use stops::watch_stops;
pub(super) use waker::wake_journeys;
pub(super) use work::work;

use std::sync::Arc;

use tokio::sync::Notify;

use super::live::{ChunkEvent, ComposedMessage, LiveChunk, LiveRun, Moment, VersionError, VersionSource};
use crate::runtime::engine::clock::Clock;
use crate::runtime::engine::dispatch::ChannelDispatchers;
use crate::store::audiences::Audiences;
use crate::store::customers::Customers;
use crate::store::deliveries::Deliveries;
use crate::store::runs::Runs;

/// What every part of the run engine works with.
#[derive(Clone)]
pub struct EngineContext {
    /// Runs and chunks.
    pub runs: Arc<dyn Runs>,
    /// Deliveries.
    pub deliveries: Arc<dyn Deliveries>,
    /// Customers by key.
    pub customers: Arc<dyn Customers>,
    /// Audiences by selection.
    pub audiences: Arc<dyn Audiences>,
    /// Versions, compiled.
    pub versions: Arc<dyn VersionSource>,
    /// The ways into the channels.
    pub dispatchers: Arc<ChannelDispatchers>,
    /// Whom this process writes for just now.
    pub crash_markers: Arc<CrashMarkers>,
    /// Where CPU-bound work runs.
    pub render_pool: RenderPool,
    /// This process, as the owner of chunks.
    pub owner: Arc<str>,
    /// What time it is.
    pub clock: Clock,
    /// Notified when journeys began to wait.
    pub waits_begun: Arc<Notify>,
}

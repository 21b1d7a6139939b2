//! Sends what runs have decided: windows on disk first, then attempts, then outcomes with the next windows.
//!
//! Invariant: no message is sent before a commit has opened it, and a channel delays only its own messages.

mod adaptive_limits;
mod batch;
mod channel_dispatchers;
mod channel_queue;
mod consequences;
mod dispatcher;
mod dispatcher_commit;
mod dispatcher_send;
mod fair_queue;
mod granted;
mod handle;
mod health;
mod job;
mod permission;
mod read_again;
mod ready_queue;
mod retry_policy;
mod retry_queue;
mod suspicion;
mod token_bucket;

pub use channel_dispatchers::{ChannelDispatchers, telling};
pub use channel_queue::ChannelQueue;
pub use dispatcher::DispatcherDependencies;
pub use handle::{ChannelHandle, ChannelHandles, ProviderHealth, SharedHealth};
pub use job::{Job, PendingRetry, digest};
pub use retry_policy::{OnUnknown, RetryPolicy};

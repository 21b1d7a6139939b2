//! Sends what runs have decided: windows on disk first, then attempts, then outcomes with the next windows.
//!
//! Invariant: nothing leaves that a commit has not opened, and nobody waits for a channel but its own messages.

mod batch;
mod bucket;
mod consequences;
mod dispatcher;
mod dispatcher_commit;
mod dispatcher_send;
mod granted;
mod handle;
mod health;
mod job;
mod lanes;
mod outbox;
mod patience;
mod post;
mod suspicion;
mod verdict;
mod waits;

pub use dispatcher::Counter;
pub use handle::{ChannelHandle, ChannelHandles, SharedStanding, Standing};
pub use job::{Job, Waiting, digest, texts_bytes};
pub use outbox::Outbox;
pub use post::{Post, telling};
pub use verdict::{OnUnknown, RetryPolicy};

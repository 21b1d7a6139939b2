//! Turns calls into runs, audiences into chunks and customers into messages, fairly between calls.
//!
//! Invariant: everything here can be dropped at any moment; what matters is in the ledger before the next step.

mod board;
mod calls;
mod control;
mod draft;
mod endings;
mod finish;
mod live_chunk;
mod live_run;
mod marks;
mod pauses;
mod places;
mod recover;
mod script;
mod select;
mod settled;
mod stops;
mod walk;
mod walk_again;
mod walk_news;
mod work;

pub use board::Board;
pub use control::Control;
pub use live_chunk::{HeldText, LiveChunk, News};
pub use live_run::{Halt, LiveRun};
pub use marks::Marks;
pub use script::{Composed, Playbook, PlaybookError, Playbooks, Script};

pub(super) use calls::{hear, take_calls};
pub(super) use endings::{count_endings, watch_marks};
pub(super) use pauses::watch_pauses;
pub(super) use stops::watch_stops;
pub(super) use work::work;

use std::sync::Arc;

use crate::runtime::dispatch::Post;
use crate::store::audiences::Audiences;
use crate::store::customers::Customers;
use crate::store::deliveries::Deliveries;
use crate::store::runs::Runs;

/// What every part of the run engine works with.
#[derive(Clone)]
pub struct Desk {
    /// Runs and chunks.
    pub runs: Arc<dyn Runs>,
    /// Deliveries.
    pub deliveries: Arc<dyn Deliveries>,
    /// Customers by key.
    pub customers: Arc<dyn Customers>,
    /// Audiences by selection.
    pub audiences: Arc<dyn Audiences>,
    /// Versions, compiled.
    pub playbooks: Arc<dyn Playbooks>,
    /// The ways into the channels.
    pub post: Arc<Post>,
    /// Whom this process writes for just now.
    pub marks: Arc<Marks>,
    /// This process, as the owner of chunks.
    pub owner: Arc<str>,
}

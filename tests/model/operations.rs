//! What is asked of a ledger, and what it answers.

use std::sync::Arc;

use fanfare::domain::delivery::DeliveryId;
use fanfare::domain::run_counts::{JourneyEnd, RunCounts};
use fanfare::domain::state::RunState;
use fanfare::store::deliveries::{Committed, Step};
use fanfare::store::runs::{ChunkId, Fence, OpenChunks, RunTotals, SelectionLease, Taken};
use jiff::Timestamp;

/// One thing that a process, a person or time does.
#[derive(Debug, Clone)]
pub enum Operation {
    Renew {
        owner: String,
    },
    /// The lease's time passes.
    RunOut {
        owner: String,
    },
    GiveBack {
        owner: String,
    },
    LeaseSelection {
        owner: String,
    },
    SetAudience {
        owner: String,
    },
    OpenChunks {
        owner: String,
    },
    Take {
        n: u32,
        owner: String,
    },
    Commit(Arc<Step>),
    Finish {
        n: u32,
        fence: Fence,
        position: usize,
        counts: RunCounts,
    },
    FinishUntouched {
        end: JourneyEnd,
    },
    Totals,
    End {
        state: RunState,
        at: Timestamp,
    },
    Stop,
    Resend {
        id: DeliveryId,
        at: Timestamp,
    },
    Close {
        id: DeliveryId,
        at: Timestamp,
    },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Nothing,
    /// What is still owned after a lease that had run out.
    Lease(Option<Vec<(ChunkId, Fence)>>),
    Selection(SelectionLease),
    Fence(Option<Fence>),
    Open(OpenChunks),
    Taken(Taken),
    Committed(Committed),
    Yes(bool),
    Count(u64),
    Totals(RunTotals),
    Reopened(Option<ChunkId>),
}

impl Answer {
    /// While a chunk is open deliveries need not be counted, and one store does not.
    pub fn forget_what_is_not_counted(&mut self) {
        if let Answer::Totals(totals) = self
            && totals.open_chunks > 0
        {
            totals.deliveries.clear();
        }
    }
}

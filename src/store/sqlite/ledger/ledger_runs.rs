//! The trait [`Runs`] on the ledger's file.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Ledger, chunks, runs, waiting};
use crate::domain::customer::CustomerKey;
use crate::domain::name::RunId;
use crate::domain::run_counts::{JourneyEnd, RunCounts};
use crate::store::StoreError;
use crate::store::runs::{
    ChunkId, Fence, Matched, OpenChunks, RunEnd, RunTotals, RunUnderWay, Runs, SelectionLease, Taken,
    UnfinishedRun, UnmatchedEnd, WokenChunks,
};

#[async_trait]
impl Runs for Ledger {
    async fn begin_runs(
        &self,
        call_seq: i64,
        matched: Matched,
        _owner: &str,
        now: Timestamp,
    ) -> Result<Vec<RunId>, StoreError> {
        self.database.write(move |c| runs::begin(c, call_seq, &matched, now)).await
    }

    async fn end_unmatched(
        &self,
        call_seq: i64,
        end: UnmatchedEnd,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.database.write(move |c| runs::end_unmatched(c, call_seq, &end, now)).await
    }

    async fn unfinished_runs(&self, known: &[RunId]) -> Result<Vec<UnfinishedRun>, StoreError> {
        let known = known.to_vec();
        self.database.read(move |c| runs::unfinished(c, &known)).await
    }

    async fn stopping_runs(&self) -> Result<Vec<RunId>, StoreError> {
        self.database.read(runs::stopping).await
    }

    /// One process holds a file: the caller is its only owner.
    async fn lease_selection(&self, _run: RunId, _owner: &str) -> Result<SelectionLease, StoreError> {
        Ok(SelectionLease::Here)
    }

    async fn set_audience(
        &self,
        run: RunId,
        chunks: Arc<Vec<Vec<CustomerKey>>>,
        access: String,
        owner: &str,
    ) -> Result<Option<Fence>, StoreError> {
        let owner = owner.to_owned();
        self.database.write(move |c| chunks::set_audience(c, run, &chunks, &access, &owner)).await
    }

    async fn open_chunks(&self, run: RunId, _owner: &str) -> Result<OpenChunks, StoreError> {
        let free = self.database.read(move |c| chunks::open(c, run)).await?;
        Ok(OpenChunks { free, elsewhere: 0 })
    }

    async fn take_chunk(&self, chunk: ChunkId, owner: &str) -> Result<Taken, StoreError> {
        let owner = owner.to_owned();
        let taken = self.database.write(move |c| chunks::take(c, chunk, &owner)).await?;
        Ok(taken.map_or(Taken::Done, Taken::Here))
    }

    async fn finish_chunk(
        &self,
        chunk: ChunkId,
        fence: Fence,
        position: usize,
        counts: &RunCounts,
    ) -> Result<bool, StoreError> {
        let counts = counts.clone();
        self.database.write(move |c| chunks::finish(c, chunk, fence, position, &counts)).await
    }

    async fn finish_untouched(&self, run: RunId, end: JourneyEnd) -> Result<u64, StoreError> {
        self.database.write(move |c| chunks::finish_untouched(c, run, end)).await
    }

    async fn run_totals(&self, run: RunId) -> Result<RunTotals, StoreError> {
        let totals = move |c: &rusqlite::Connection| {
            let snapshot = c.unchecked_transaction()?;
            runs::totals(&snapshot, run)
        };
        self.database.read(totals).await
    }

    async fn wake_due(&self, now: Timestamp, groups: u32) -> Result<WokenChunks, StoreError> {
        self.database.write(move |c| waiting::wake_due(c, now, groups)).await
    }

    async fn wake_run(&self, run: RunId, now: Timestamp) -> Result<u64, StoreError> {
        self.database.write(move |c| waiting::wake_run(c, run, now)).await
    }

    async fn rest_run(&self, run: RunId) -> Result<bool, StoreError> {
        self.database.write(move |c| waiting::rest(c, run)).await
    }

    async fn waiting_runs(&self) -> Result<Vec<RunUnderWay>, StoreError> {
        self.database.read(waiting::waiting_runs).await
    }

    async fn runs_under_way(&self) -> Result<Vec<RunUnderWay>, StoreError> {
        self.database.read(waiting::runs_under_way).await
    }

    async fn end_run_as(&self, run: RunId, end: RunEnd, now: Timestamp) -> Result<bool, StoreError> {
        self.database.write(move |c| runs::end(c, run, &end, now)).await
    }

    async fn stop_run(&self, run: RunId) -> Result<bool, StoreError> {
        self.database.write(move |c| runs::stop(c, run)).await
    }

    async fn count_crash(&self, run: RunId, customer: CustomerKey, process: &str) -> Result<u32, StoreError> {
        let process = process.to_owned();
        self.database.write(move |c| runs::count_crash(c, run, customer, &process)).await
    }

    async fn count_failure(&self, run: RunId, error: String) -> Result<u32, StoreError> {
        self.database.write(move |c| runs::count_failure(c, run, &error)).await
    }
}

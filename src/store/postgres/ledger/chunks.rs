//! Chunks: written once with the audience, leased with a fence, finished with their counts.

use std::sync::Arc;

use super::PostgresLedger;
use super::rows::{get, small, unreadable};
use super::waiting::woken;
use crate::domain::customer::CustomerKey;
use crate::domain::name::RunId;
use crate::domain::run_counts::{JourneyEnd, RunCounts};
use crate::store::StoreError;
use crate::store::chunk_keys;
use crate::store::runs::{ChunkId, Fence, OpenChunks, Taken, TakenChunk};

const SET_AUDIENCE: &str = sql!(
    "
    WITH selected AS (
        UPDATE run SET state = {run.running}, audience = $2, access = $3, owner = NULL
        WHERE id = $1 AND state = {run.selecting}
        RETURNING id),
    chunks AS (
        INSERT INTO chunk (run, n, first_key, last_key, size, owner, fence)
        SELECT s.id, c.n, c.first_key, c.last_key, c.size,
            CASE WHEN c.n = 0 THEN $4 END, CASE WHEN c.n = 0 THEN 1 ELSE 0 END
        FROM selected s, unnest($5::int[], $6::bigint[], $7::bigint[], $8::bigint[])
            AS c (n, first_key, last_key, size)),
    customers AS (
        INSERT INTO chunk_customers (run, n, customers)
        SELECT s.id, c.n, c.customers FROM selected s, unnest($5::int[], $9::bytea[]) AS c (n, customers))
    SELECT id FROM selected"
);

/// A chunk is free if it has no owner, if its owner gave it back, or if its owner's lease ran out.
macro_rules! is_free {
    ($owner:literal) => {
        concat!(
            "(c.owner IS NULL OR c.owner = ", $owner,
            " OR NOT EXISTS (SELECT 1 FROM replica p WHERE p.owner = c.owner AND p.lease_until > clock_timestamp()))"
        )
    };
}

const OPEN: &str = sql!(
    "SELECT c.n, ",
    is_free!("$2"),
    " FROM chunk c WHERE c.run = $1 AND c.state = {chunk.open} ORDER BY c.from_chunk IS NULL, c.n"
);

/// The lease that ran out is locked with the chunk: an owner that renews it just now is not waited for, and keeps the
/// chunk; one that renews it later learns that it had run out.
const TAKE: &str = sql!("
    WITH held AS (SELECT c.owner FROM chunk c WHERE c.run = $1 AND c.n = $2 AND c.state = {chunk.open}),
    gone AS (
        SELECT p.owner FROM replica p WHERE p.owner = (SELECT owner FROM held) AND p.lease_until <= clock_timestamp()
        FOR UPDATE SKIP LOCKED),
    free AS (
        SELECT c.run, c.n FROM chunk c
        WHERE c.run = $1 AND c.n = $2 AND c.state = {chunk.open}
            AND (c.owner IS NULL OR c.owner = $3 OR c.owner = (SELECT owner FROM gone)
                 OR NOT EXISTS (SELECT 1 FROM replica p WHERE p.owner = c.owner))
        FOR UPDATE SKIP LOCKED),
    taken AS (
        UPDATE chunk c SET owner = $3, fence = c.fence + 1 FROM free f WHERE c.run = $1 AND c.n = $2
        RETURNING c.run, c.n, c.fence, c.position, c.from_node, c.woken_at)
    SELECT t.fence, t.position, k.customers, t.from_node, t.woken_at FROM taken t
    JOIN chunk_customers k ON k.run = $1 AND k.n = $2");

/// A chunk may not be done while a delivery of it is open, whatever its owner believes.
const FINISH: &str = "SELECT finish_chunk_2($1, $2, $3, $4, $5, $6)";

/// Chunks that were never taken have no deliveries; `fence = 0` is the proof. Woken journeys have some of before.
const UNTOUCHED: &str = sql!(
    "SELECT c.n, c.size FROM chunk c WHERE c.run = $1 AND c.state = {chunk.open} AND c.fence = 0
    AND c.from_chunk IS NULL"
);
const FINISH_UNTOUCHED: &str = sql!(
    "
    WITH untouched AS (
        SELECT c.n, f.counts FROM unnest($2::int[], $3::text[]) AS f (n, counts)
        JOIN chunk c ON c.run = $1 AND c.n = f.n
        WHERE c.state = {chunk.open} AND c.fence = 0 FOR UPDATE OF c SKIP LOCKED)
    UPDATE chunk c SET state = {chunk.done}, counts = u.counts FROM untouched u
    WHERE c.run = $1 AND c.n = u.n RETURNING c.n"
);

impl PostgresLedger {
    pub(super) async fn write_audience(
        &self,
        run: RunId,
        chunks: Arc<Vec<Vec<CustomerKey>>>,
        access: &str,
        owner: &str,
    ) -> Result<Option<Fence>, StoreError> {
        let written = Written::of(&chunks);
        let mut session = self.database.ledger().await?;
        let Written { audience, n, first, last, size, customers } = &written;
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 9] =
            [&run.0, audience, &access, &owner, n, first, last, size, customers];
        if session.first(SET_AUDIENCE, &values).await?.is_none() {
            return Ok(None);
        }
        if n.len() > 1 {
            self.ring().await?;
        }
        Ok((!n.is_empty()).then_some(Fence::FIRST))
    }

    pub(super) async fn chunks_open(&self, run: RunId, owner: &str) -> Result<OpenChunks, StoreError> {
        let mut session = self.database.ledger().await?;
        let mut open = OpenChunks::default();
        for row in session.query(OPEN, &[&run.0, &owner]).await? {
            let n = small(get::<i32>(&row, 0)?.into())?;
            if get(&row, 1)? { open.free.push(n) } else { open.elsewhere += 1 }
        }
        Ok(open)
    }

    pub(super) async fn take(&self, chunk: ChunkId, owner: &str) -> Result<Taken, StoreError> {
        let mut session = self.database.ledger().await?;
        let n = place(chunk);
        if let Some(row) = session.first(TAKE, &[&chunk.run.0, &n, &owner]).await? {
            let keys = chunk_keys::decode(get(&row, 2)?).ok_or_else(|| unreadable("a chunk's customers"))?;
            let (fence, position) = (Fence(get(&row, 0)?), small(get(&row, 1)?)?);
            return Ok(Taken::Here(TakenChunk { fence, position, keys, woken: woken(&row, 3)? }));
        }
        let open = sql!("SELECT 1 FROM chunk WHERE run = $1 AND n = $2 AND state = {chunk.open}");
        let is_open = session.first(open, &[&chunk.run.0, &n]).await?.is_some();
        Ok(if is_open { Taken::Elsewhere } else { Taken::Done })
    }

    pub(super) async fn finish(
        &self,
        chunk: ChunkId,
        fence: Fence,
        position: usize,
        counts: &RunCounts,
    ) -> Result<bool, StoreError> {
        let accepted_at = self.accepted_at(chunk.run).await?;
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        let counts = counts.written();
        let mut session = self.database.ledger().await?;
        let row = session
            .one(FINISH, &[&chunk.run.0, &place(chunk), &fence.0, &position, &counts, &accepted_at])
            .await?;
        get(&row, 0)
    }

    pub(super) async fn finish_those_untouched(
        &self,
        run: RunId,
        end: JourneyEnd,
    ) -> Result<u64, StoreError> {
        let mut session = self.database.ledger().await?;
        let (mut n, mut counts) = (Vec::new(), Vec::new());
        for row in session.query(UNTOUCHED, &[&run.0]).await? {
            let run_counts = RunCounts::of_untouched(get::<i64>(&row, 1)?.unsigned_abs(), end);
            n.push(get::<i32>(&row, 0)?);
            counts.push(run_counts.written());
        }
        let finished = session.query(FINISH_UNTOUCHED, &[&run.0, &n, &counts]).await?;
        Ok(finished.len() as u64)
    }

    pub(super) async fn chunk_customers(&self, chunk: ChunkId) -> Result<Vec<CustomerKey>, StoreError> {
        let mut session = self.database.ledger().await?;
        let read = "SELECT customers FROM chunk_customers WHERE run = $1 AND n = $2";
        let row = session.one(read, &[&chunk.run.0, &place(chunk)]).await?;
        chunk_keys::decode(get(&row, 0)?).ok_or_else(|| unreadable("a chunk's customers"))
    }
}

/// A chunk's number as its column holds it.
pub(super) fn place(chunk: ChunkId) -> i32 {
    i32::try_from(chunk.n).unwrap_or(i32::MAX)
}

/// An audience in columns.
struct Written {
    audience: i64,
    n: Vec<i32>,
    first: Vec<i64>,
    last: Vec<i64>,
    size: Vec<i64>,
    customers: Vec<Vec<u8>>,
}

impl Written {
    fn of(chunks: &[Vec<CustomerKey>]) -> Self {
        let count = |members: usize| i64::try_from(members).unwrap_or(i64::MAX);
        let audience = count(chunks.iter().map(Vec::len).sum());
        let (mut n, mut first, mut last, mut size, mut customers) = (vec![], vec![], vec![], vec![], vec![]);
        for (number, members) in (0_i32..).zip(chunks) {
            let (Some(lowest), Some(highest)) = (members.first(), members.last()) else { continue };
            n.push(number);
            first.push(lowest.0);
            last.push(highest.0);
            size.push(count(members.len()));
            customers.push(chunk_keys::encode(members));
        }
        Written { audience, n, first, last, size, customers }
    }
}

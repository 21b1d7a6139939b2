//! The trait [`Deliveries`]: one step of a channel or a walk is one statement, so that nothing is locked between two.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_postgres::types::ToSql;

use super::PostgresLedger;
use super::rows::{code, delivery, delivery_columns, get, unreadable};
use super::runs_known::Accepted;
use crate::domain::delivery::DeliveryId;
use crate::domain::name::RunId;
use crate::domain::run_counts::JourneysElsewhere;
use crate::store::StoreError;
use crate::store::deliveries::{Advanced, Committed, Deliveries, Delivery, Opened, Step};
use crate::store::runs::ChunkId;

macro_rules! commit_step {
    () => {
        "commit_step_2($1, $2, $3, $4,
            $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
            $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27,
            $28, $29, $30, $31, $32,
            $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44,
            $45, $46, $47, $48, $49, $50)"
    };
}

const COMMIT: &str = concat!("SELECT ", commit_step!());

/// The same of a step with which journeys begin to wait: one statement, and one commit.
const COMMIT_WAITS: &str =
    concat!("SELECT ", commit_step!(), ", begin_waits_1($1, $51, $52, $53, $54, $55, $56)");

const OF_CHUNK: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    " FROM delivery d WHERE d.accepted_at = $1 AND d.run = $2
        AND d.customer >= (SELECT c.first_key FROM chunk c WHERE c.run = $2 AND c.n = $3)
        AND d.customer <= (SELECT c.last_key FROM chunk c WHERE c.run = $2 AND c.n = $3)
        AND ((SELECT c.from_chunk FROM chunk c WHERE c.run = $2 AND c.n = $3) IS NULL
            OR EXISTS (SELECT FROM waiting_journey w
                WHERE w.run = $2 AND w.chunk = (SELECT c.from_chunk FROM chunk c WHERE c.run = $2 AND c.n = $3)
                    AND w.customer = d.customer AND w.woken_into = $3 AND w.node < d.node))
        AND NOT EXISTS (SELECT FROM waiting_journey l
            WHERE l.run = $2 AND l.chunk = $3 AND l.customer = d.customer AND l.node < d.node)"
);

const GET: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    " FROM unnest($3::bigint[], $4::bigint[], $5::int[]) AS o (run, customer, node)
      JOIN delivery d ON d.run = o.run AND d.customer = o.customer AND d.node = o.node
      WHERE d.accepted_at BETWEEN $1 AND $2"
);

#[async_trait]
impl Deliveries for PostgresLedger {
    async fn commit(&self, step: Arc<Step>) -> Result<Committed, StoreError> {
        debug_assert!(step.is_within_the_table(), "{step:?}");
        let accepted = self.accepted(step.runs()).await?;
        let columns = Columns::of(&step, &accepted);
        let mut session = self.database.ledger().await?;
        let has_waits = !step.waits.is_empty();
        let row = session.one(if has_waits { COMMIT_WAITS } else { COMMIT }, &columns.params()).await?;
        let lost_waits = has_waits && !get::<bool>(&row, 1)?;
        let answers: Vec<i16> = get(&row, 0)?;
        let Some((openings, [told_of_held, lost])) = answers.split_last_chunk() else {
            return Err(unreadable("a step without an answer"));
        };
        if *told_of_held != 0 {
            drop(session);
            self.count_told(&step).await?;
        }
        let mut openings = openings.iter();
        let mut of = |is_first: bool| match is_first {
            true => opened(*openings.next().ok_or_else(|| unreadable("a step answered too shortly"))?),
            false => Ok(Opened::Lost),
        };
        let opened = step.first_openings().into_iter().map(&mut of).collect::<Result<_, _>>()?;
        Ok(Committed { opened, lost: *lost != 0 || lost_waits })
    }

    async fn of_chunk(&self, chunk: ChunkId) -> Result<Vec<Delivery>, StoreError> {
        let accepted_at = self.accepted_at(chunk.run).await?;
        let n = super::chunks::place(chunk);
        let mut session = self.database.ledger().await?;
        let rows = session.query(OF_CHUNK, &[&accepted_at, &chunk.run.0, &n]).await?;
        let mut found = rows.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
        found.sort_unstable_by_key(|row| (row.id.customer, row.id.node));
        Ok(found)
    }

    async fn journeys_elsewhere(&self, chunk: ChunkId) -> Result<JourneysElsewhere, StoreError> {
        self.elsewhere(chunk).await
    }

    async fn get(&self, ids: &[DeliveryId]) -> Result<Vec<Delivery>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (earliest, latest) = self.accepted(ids.iter().map(|id| id.run)).await?.bounds();
        let Ids { run, customer, node } = Ids::of(ids.iter().copied());
        let mut session = self.database.ledger().await?;
        let rows = session.query(GET, &[&earliest, &latest, &run, &customer, &node]).await?;
        let found = rows.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
        let by_id: std::collections::HashMap<DeliveryId, Delivery> =
            found.into_iter().map(|row| (row.id, row)).collect();
        Ok(ids.iter().filter_map(|id| by_id.get(id).cloned()).collect())
    }
}

fn opened(answer: i16) -> Result<Opened, StoreError> {
    match answer {
        0 => Ok(Opened::Yes),
        1 => Ok(Opened::Stopping),
        2 => Ok(Opened::Lost),
        other => Err(unreadable(format!("the answer {other}"))),
    }
}

impl Step {
    /// The runs it is about.
    fn runs(&self) -> impl Iterator<Item = RunId> + '_ {
        let outcomes = self.outcomes.iter().map(|one| one.id.run);
        let decided = self.decided.iter().map(|one| one.id.run);
        let openings = self.openings.iter().map(|one| one.id.run);
        outcomes.chain(decided).chain(self.advanced.iter().map(|one| one.id.run)).chain(openings)
    }
}

/// Ids in columns.
#[derive(Default)]
struct Ids {
    run: Vec<i64>,
    customer: Vec<i64>,
    node: Vec<i32>,
}

impl Ids {
    fn of(ids: impl Iterator<Item = DeliveryId>) -> Self {
        let mut columns = Ids::default();
        for id in ids {
            columns.run.push(id.run.0);
            columns.customer.push(id.customer.0);
            columns.node.push(id.node.0.into());
        }
        columns
    }
}

type Column<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// A step in columns, in the order of the function's arguments.
struct Columns<'a>(Vec<Column<'a>>);

fn column<'a, T: ToSql + Sync + Send + 'a>(values: impl Iterator<Item = T>) -> Column<'a> {
    Box::new(values.collect::<Vec<T>>())
}

fn microseconds(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::as_microsecond)
}

fn number(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

impl<'a> Columns<'a> {
    fn of(step: &'a Step, accepted: &Accepted) -> Self {
        let (earliest, latest) = accepted.bounds();
        let mut columns = Columns(vec![
            Box::new(step.at.as_microsecond()),
            Box::new(step.repeated),
            Box::new(earliest),
            Box::new(latest),
        ]);
        columns.outcomes(step);
        columns.decided(step, accepted);
        columns.advanced(step);
        columns.openings(step, accepted);
        columns.cursors(step);
        columns.0.push(column(step.first_outcomes().map(|one| one.fence.0)));
        columns.segments(step);
        if !step.waits.is_empty() {
            columns.waits(step);
        }
        columns
    }

    fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.0.iter().map(|column| &**column as &(dyn ToSql + Sync)).collect()
    }

    fn ids(&mut self, ids: impl Iterator<Item = DeliveryId>) {
        let Ids { run, customer, node } = Ids::of(ids);
        self.0.extend([Box::new(run) as Column<'a>, Box::new(customer), Box::new(node)]);
    }

    /// Of two outcomes of one attempt the first counts, which one statement about both would not know.
    fn outcomes(&mut self, step: &'a Step) {
        let first: Vec<_> = step.first_outcomes().collect();
        let all = || first.iter().copied();
        self.ids(all().map(|one| one.id));
        self.0.extend([
            column(all().map(|one| number(one.attempt))),
            column(all().map(|one| number(one.attempts_counted))),
            column(all().map(|one| code(one.state.code()))),
            column(all().map(|one| one.maybe_sent)),
            column(all().map(|one| one.provider_id.as_deref())),
            column(all().map(|one| one.reason.as_deref())),
            column(all().map(|one| microseconds(one.retry_at))),
            column(all().map(|one| one.advanced)),
        ]);
    }

    fn decided(&mut self, step: &'a Step, accepted: &Accepted) {
        let all = || step.first_decided();
        self.ids(all().map(|one| one.id));
        self.0.extend([
            column(all().map(|one| accepted.of(one.id.run))),
            column(all().map(|one| one.channel.as_str())),
            column(all().map(|one| code(one.state.code()))),
            column(all().map(|one| one.maybe_sent)),
            column(all().map(|one| one.reason.as_deref())),
            column(all().map(|one| microseconds(one.retry_at))),
            column(all().map(|one| one.advanced)),
            column(all().map(|one| number(one.chunk))),
            column(all().map(|one| one.fence.0)),
        ]);
    }

    /// A node that something decided leaves behind is passed with it.
    fn advanced(&mut self, step: &Step) {
        let predecessor = step.first_decided().filter_map(|one| {
            let id = DeliveryId { node: one.predecessor?, ..one.id };
            Some(Advanced { id, chunk: one.chunk, fence: one.fence })
        });
        let all: Vec<Advanced> = step.advanced.iter().copied().chain(predecessor).collect();
        self.ids(all.iter().map(|one| one.id));
        self.0.extend([
            column(all.iter().map(|one| number(one.chunk))),
            column(all.iter().map(|one| one.fence.0)),
        ]);
    }

    fn openings(&mut self, step: &'a Step, accepted: &Accepted) {
        let first = step.first_openings();
        let all = || step.openings.iter().zip(&first).filter_map(|(one, first)| first.then_some(one));
        self.ids(all().map(|one| one.id));
        self.0.extend([
            column(all().map(|one| accepted.of(one.id.run))),
            column(all().map(|one| one.channel.as_str())),
            column(all().map(|one| number(one.chunk))),
            column(all().map(|one| one.fence.0)),
            column(all().map(|one| number(one.attempt))),
            column(all().map(|one| one.is_retry)),
            column(all().map(|one| one.address.as_str())),
            column(all().map(|one| &one.digest.0[..])),
            column(all().map(|one| one.predecessor.map(|node| i32::from(node.0)))),
        ]);
    }

    fn segments(&mut self, step: &Step) {
        let first = step.first_openings();
        let all = step.openings.iter().zip(&first).filter_map(|(one, first)| first.then_some(one));
        self.0.push(column(all.map(|one| one.segments.map(i16::from))));
    }

    fn waits(&mut self, step: &Step) {
        let all = || step.waits.iter();
        self.0.extend([
            column(all().map(|one| one.chunk.run.0)),
            column(all().map(|one| super::chunks::place(one.chunk))),
            column(all().map(|one| one.fence.0)),
            column(all().map(|one| one.customer.0)),
            column(all().map(|one| i32::from(one.node.0))),
            column(all().map(|one| one.until.as_microsecond())),
        ]);
    }

    fn cursors(&mut self, step: &Step) {
        let all = || step.cursors.iter();
        self.0.extend([
            column(all().map(|one| one.chunk.run.0)),
            column(all().map(|one| super::chunks::place(one.chunk))),
            column(all().map(|one| one.fence.0)),
            column(all().map(|one| i64::try_from(one.position).unwrap_or(i64::MAX))),
        ]);
    }
}

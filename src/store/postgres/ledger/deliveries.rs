//! The trait [`Deliveries`]: one step of a channel or of a chunk's worker is one statement, so that nothing is locked between
//! two.

use std::collections::BTreeSet;
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
use crate::store::deliveries::{Advanced, Committed, Deliveries, Delivery, Opened, SendIntent, Step};
use crate::store::runs::{ChunkId, Fence};

/// The functions that write one kind of thing each, in the order in which a step is written. Its chunks are held first: the
/// right to decide and to open is that which is found then.
macro_rules! commit_step {
    ($($also:literal)?) => {
        concat!(
            "SELECT write_outcomes_2($1, $3, $4, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19),
                write_decided_2(h.held, $1, $3, $4, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32),
                pass_nodes_1(h.held, $3, $4, $33, $34, $35, $36, $37),
                open_first_2(h.held, $1, $2, $3, $4, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50),
                open_again_2(h.held, $1, $2, $3, $4, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61),
                move_cursors_1($62, $63, $64, $65)",
            $($also,)?
            " FROM hold_chunks_1($5, $6) AS h (held)"
        )
    };
}

const COMMIT: &str = commit_step!();

/// The same of a step with which journeys begin to wait: one statement, and one commit.
const COMMIT_WAITS: &str = commit_step!(", begin_waits_1($1, $66, $67, $68, $69, $70, $71)");

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
    " FROM unnest($3::bigint[], $4::bigint[], $5::int[], $6::int[]) AS o (run, customer, node, target)
      JOIN delivery d ON d.run = o.run AND d.customer = o.customer AND d.node = o.node AND d.target = o.target
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
        drop(session);
        let (told_of_held, decided, passed) = (get(&row, 0)?, get::<bool>(&row, 1)?, get::<bool>(&row, 2)?);
        let waits = !has_waits || get(&row, WAITS_BEGUN)?;
        if told_of_held {
            self.count_told(&step).await?;
        }
        Ok(Committed {
            opened: opened(&step, get(&row, 3)?, get(&row, 4)?)?,
            lost: !(decided && passed && waits),
        })
    }

    async fn of_chunk(&self, chunk: ChunkId) -> Result<Vec<Delivery>, StoreError> {
        let accepted_at = self.accepted_at(chunk.run).await?;
        let n = super::chunks::place(chunk);
        let mut session = self.database.ledger().await?;
        let rows = session.query(OF_CHUNK, &[&accepted_at, &chunk.run.0, &n]).await?;
        let mut found = rows.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
        found.sort_unstable_by_key(|row| row.id);
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
        let Ids { run, customer, node, target } = Ids::of(ids.iter().copied());
        let mut session = self.database.ledger().await?;
        let rows = session.query(GET, &[&earliest, &latest, &run, &customer, &node, &target]).await?;
        let found = rows.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
        let by_id: std::collections::HashMap<DeliveryId, Delivery> =
            found.into_iter().map(|row| (row.id, row)).collect();
        Ok(ids.iter().filter_map(|id| by_id.get(id).cloned()).collect())
    }
}

/// The column of a step that says whether all journeys wait that were to.
const WAITS_BEGUN: usize = 6;

/// The answers in the order of the openings, from those about first attempts and those about further ones.
fn opened(step: &Step, first: Vec<i16>, again: Vec<i16>) -> Result<Vec<Opened>, StoreError> {
    let (mut first, mut again) = (first.into_iter(), again.into_iter());
    let answers = step.openings.iter().zip(step.first_openings()).map(|(one, is_first_here)| {
        let of_its_kind = if one.is_retry { &mut again } else { &mut first };
        match is_first_here.then(|| of_its_kind.next()) {
            None => Ok(Opened::Lost),
            Some(Some(0)) => Ok(Opened::Yes),
            Some(Some(1)) => Ok(Opened::Stopping),
            Some(Some(2)) => Ok(Opened::Lost),
            Some(Some(other)) => Err(unreadable(format!("the answer {other}"))),
            Some(None) => Err(unreadable("a step that was answered too shortly")),
        }
    });
    answers.collect()
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
    target: Vec<i32>,
}

impl Ids {
    fn of(ids: impl Iterator<Item = DeliveryId>) -> Self {
        let mut columns = Ids::default();
        for id in ids {
            columns.run.push(id.run.0);
            columns.customer.push(id.customer.0);
            columns.node.push(id.node.0.into());
            columns.target.push(id.target.number());
        }
        columns
    }
}

type Column<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// A step in columns, in the order of the statement's values.
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
        let passed = passed(step);
        columns.held(step, &passed);
        columns.outcomes(step);
        columns.decided(step, accepted);
        columns.passed(&passed);
        let first = step.first_openings();
        let openings: Vec<_> =
            step.openings.iter().zip(first).filter_map(|(one, first)| first.then_some(one)).collect();
        columns.open_first(openings.iter().copied().filter(|one| !one.is_retry).collect(), accepted);
        columns.open_again(openings.iter().copied().filter(|one| one.is_retry).collect());
        columns.cursors(step);
        if !step.waits.is_empty() {
            columns.waits(step);
        }
        columns
    }

    fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.0.iter().map(|column| &**column as &(dyn ToSql + Sync)).collect()
    }

    fn ids(&mut self, ids: impl Iterator<Item = DeliveryId>) {
        let Ids { run, customer, node, target } = Ids::of(ids);
        self.0.extend([Box::new(run) as Column<'a>, Box::new(customer), Box::new(node), Box::new(target)]);
    }

    /// Nodes of journeys, whatever targets their messages go to.
    fn nodes(&mut self, ids: impl Iterator<Item = DeliveryId>) {
        let Ids { run, customer, node, .. } = Ids::of(ids);
        self.0.extend([Box::new(run) as Column<'a>, Box::new(customer), Box::new(node)]);
    }

    fn chunks(&mut self, rights: impl Iterator<Item = (u32, Fence)> + Clone) {
        self.0.extend([
            column(rights.clone().map(|(chunk, _)| number(chunk))),
            column(rights.map(|(_, fence)| fence.0)),
        ]);
    }

    /// The chunks of which something is decided or opened, each once.
    fn held(&mut self, step: &Step, passed: &[Advanced]) {
        let decided = step.decided.iter().map(|one| (one.id.run.0, number(one.chunk)));
        let passed = passed.iter().map(|one| (one.id.run.0, number(one.chunk)));
        let openings = step.openings.iter().map(|one| (one.id.run.0, number(one.chunk)));
        let chunks: BTreeSet<(i64, i32)> = decided.chain(passed).chain(openings).collect();
        self.0.extend([
            column(chunks.iter().map(|(run, _)| *run)),
            column(chunks.iter().map(|(_, chunk)| *chunk)),
        ]);
    }

    /// Of two outcomes of one attempt the first counts, which one statement about both would not know.
    fn outcomes(&mut self, step: &'a Step) {
        let first: Vec<_> = step.first_outcomes().collect();
        let all = || first.iter().copied();
        self.ids(all().map(|one| one.id));
        self.0.extend([
            column(all().map(|one| number(one.attempt))),
            column(all().map(|one| one.fence.0)),
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
        let first: Vec<_> = step.first_decided().collect();
        let all = || first.iter().copied();
        self.ids(all().map(|one| one.id));
        self.chunks(all().map(|one| (one.chunk, one.fence)));
        self.0.extend([
            column(all().map(|one| accepted.of(one.id.run))),
            column(all().map(|one| one.channel.as_str())),
            column(all().map(|one| code(one.state.code()))),
            column(all().map(|one| one.maybe_sent)),
            column(all().map(|one| one.reason.as_deref())),
            column(all().map(|one| microseconds(one.retry_at))),
            column(all().map(|one| one.advanced)),
        ]);
    }

    fn passed(&mut self, passed: &[Advanced]) {
        self.nodes(passed.iter().map(|one| one.id));
        self.chunks(passed.iter().map(|one| (one.chunk, one.fence)));
    }

    fn open_first(&mut self, openings: Vec<&'a SendIntent>, accepted: &Accepted) {
        let all = || openings.iter().copied();
        self.ids(all().map(|one| one.id));
        self.chunks(all().map(|one| (one.chunk, one.fence)));
        self.0.extend([
            column(all().map(|one| accepted.of(one.id.run))),
            column(all().map(|one| one.channel.as_str())),
        ]);
        self.attempts(&openings);
    }

    fn open_again(&mut self, openings: Vec<&'a SendIntent>) {
        let all = || openings.iter().copied();
        self.ids(all().map(|one| one.id));
        self.chunks(all().map(|one| (one.chunk, one.fence)));
        self.attempts(&openings);
    }

    /// What an attempt sends, and behind which node.
    fn attempts(&mut self, openings: &[&'a SendIntent]) {
        let all = || openings.iter().copied();
        self.0.extend([
            column(all().map(|one| number(one.attempt))),
            column(all().map(|one| one.address.as_str())),
            column(all().map(|one| &one.digest.0[..])),
            column(all().map(|one| one.segments.map(i16::from))),
            column(all().map(|one| one.predecessor.map(|node| i32::from(node.0)))),
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
}

/// What is passed: nodes behind which a journey ended, and those that something decided leaves behind.
fn passed(step: &Step) -> Vec<Advanced> {
    let behind_decided = step.first_decided().filter_map(|one| {
        let id = DeliveryId { node: one.predecessor?, ..one.id };
        Some(Advanced { id, chunk: one.chunk, fence: one.fence })
    });
    step.advanced.iter().copied().chain(behind_decided).collect()
}

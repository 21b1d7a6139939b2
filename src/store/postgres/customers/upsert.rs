//! Writes customers: read, decide, and write what was decided if its ground is still there; else all of it anew.
//!
//! The write is one statement, so that a process that is stopped anywhere holds no lock.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::batch::Batch;
use super::index::keep::AttributeRows;
use super::index::registry::numbers;
use super::read::{self, Named};
use crate::store::StoreError;
use crate::store::customers::{CustomerWrite, LineResult};
use crate::store::postgres::PostgresDatabase;
use crate::store::postgres::error::is_decide_anew;
use crate::store::postgres::session::{Failed, Params, Session};

const WRITE: &str =
    "SELECT write_customers($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
     $17, $18, $19, $20, $21)";

/// How often a batch is decided before its writer is told to retry. Of several writers that conflict on the same
/// customers, one commits in each round.
const DECISIONS_MAX: u32 = 12;
/// The longest pause before a decision is made anew.
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// Writes all lines; each answers for itself.
pub(super) async fn upsert(
    database: &PostgresDatabase,
    lines: Vec<CustomerWrite>,
) -> Result<Vec<LineResult>, StoreError> {
    let lines = Arc::new(lines);
    for number in 0..DECISIONS_MAX {
        pause(number).await;
        let mut session = database.customers_soon().await?;
        let named: Vec<Named<'_>> = lines.iter().map(named).collect();
        let batch = read::batch(&mut session, &named).await?;
        let (batch, results) = decide(Arc::clone(&lines), batch).await?;
        if batch.touched.is_empty() || is_kept(&mut session, WRITE, &Rows::of(&batch).params()).await? {
            return Ok(results);
        }
    }
    Err(too_often())
}

fn named(line: &CustomerWrite) -> Named<'_> {
    Named { registered: &line.registered, other_ids: &line.other_ids, is_read: true }
}

/// Taking a thousand documents apart must not hold up the runtime's own threads.
async fn decide(
    lines: Arc<Vec<CustomerWrite>>,
    mut batch: Batch,
) -> Result<(Batch, Vec<LineResult>), StoreError> {
    let deciding = tokio::task::spawn_blocking(move || {
        let results = lines.iter().map(|line| batch.decide(line)).collect::<Result<_, _>>()?;
        Ok((batch, results))
    });
    deciding.await.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
}

/// Writes; false if it is to be decided anew.
pub(super) async fn is_kept(
    session: &mut Session,
    sql: &'static str,
    params: Params<'_>,
) -> Result<bool, StoreError> {
    match session.ask(sql, params).await {
        Ok(_) => Ok(true),
        Err(Failed::Postgres(error)) if is_overtaken(&error) => Ok(false),
        Err(failed) => Err(failed.to_store_error()),
    }
}

fn is_overtaken(error: &tokio_postgres::Error) -> bool {
    let by_others = [
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
        // Who wrote the same customers has been waiting for its disk.
        SqlState::LOCK_NOT_AVAILABLE,
    ];
    is_decide_anew(error) || error.code().is_some_and(|code| by_others.contains(code))
}

/// Waits before a decision is made anew, not as long as the others who do.
pub(super) async fn pause(decisions: u32) {
    if decisions > 0 {
        let most = PAUSE_MAX.min(Duration::from_millis(2 << decisions));
        let share = RandomState::new().hash_one(decisions) % 1_000;
        tokio::time::sleep(most.mul_f64(share as f64 / 1_000.0)).await;
    }
}

/// Too many others were faster.
pub(super) fn too_often() -> StoreError {
    StoreError::Unavailable("others keep changing the same customers; try again in a moment".into())
}

/// Whether so many decisions may be made.
pub(super) fn decisions() -> std::ops::Range<u32> {
    0..DECISIONS_MAX
}

/// What a batch came to, column by column, as `write_customers` takes it.
#[derive(Default)]
pub(super) struct Rows<'a> {
    new: People<'a>,
    old: People<'a>,
    given_ids: Vec<&'a str>,
    given_kinds: Vec<&'a str>,
    given_customers: Vec<i64>,
    kept: Vec<i64>,
    entries: AttributeRows,
}

/// Customers, column by column.
#[derive(Default)]
struct People<'a> {
    keys: Vec<i64>,
    registered: Vec<&'a str>,
    revisions: Vec<i64>,
    other_ids: Vec<&'a str>,
    attributes: Vec<&'a str>,
    consents: Vec<&'a str>,
}

impl<'a> Rows<'a> {
    /// The columns of what was decided.
    pub(super) fn of(batch: &'a Batch) -> Self {
        let mut rows = Rows { kept: numbers(&batch.indexes), ..Rows::default() };
        for (key, touched) in &batch.touched {
            let Some(person) = batch.people.get(key) else { continue };
            let people = if person.revision.is_some() { &mut rows.old } else { &mut rows.new };
            people.keys.push(*key);
            people.registered.push(&person.registered);
            people.revisions.extend(person.revision);
            people.other_ids.push(&person.documents.other_ids);
            people.attributes.push(&person.documents.attributes);
            people.consents.push(&person.documents.consents);
            rows.entries.changed(&batch.indexes, *key, &touched.before, &touched.after);
        }
        for ((id, kind), customer) in &batch.given {
            rows.given_ids.push(id);
            rows.given_kinds.push(kind);
            rows.given_customers.push(*customer);
        }
        rows
    }

    /// The columns in the order of the function's parameters.
    pub(super) fn params(&self) -> [&(dyn ToSql + Sync); 21] {
        let (new, old, entries) = (&self.new, &self.old, &self.entries);
        [
            &new.keys,
            &new.registered,
            &new.other_ids,
            &new.attributes,
            &new.consents,
            &old.keys,
            &old.revisions,
            &old.other_ids,
            &old.attributes,
            &old.consents,
            &self.given_ids,
            &self.given_kinds,
            &self.given_customers,
            &self.kept,
            &entries.customers,
            &entries.indexes,
            &entries.kinds,
            &entries.texts,
            &entries.numbers,
            &entries.gone_customers,
            &entries.gone_indexes,
        ]
    }
}

//! Adds events, each to its customer, who is created if not known yet; all in one statement.
//!
//! Event types are numbered once, so that the indexes stay small.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio_postgres::types::ToSql;

use super::batch::Batch;
use super::index::keep::EventRows;
use super::index::registry::numbers;
use super::read::{self, Named};
use super::upsert::{Rows, decisions, is_kept, pause, too_often};
use crate::store::StoreError;
use crate::store::customers::{EventWrite, LineRefused, LineResult, microseconds};
use crate::store::documents::encode;
use crate::store::postgres::PostgresDatabase;
use crate::store::side_index::EventPlace;

/// Customers first: the events' rows say whose they are.
const WRITE_BOTH: &str =
    "SELECT write_customers($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
     $16, $17, $18, $19, $20, $21),
     write_events($22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)";
const WRITE_EVENTS: &str = "SELECT write_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

/// Adds all events; each line answers for itself.
pub(super) async fn insert(
    database: &PostgresDatabase,
    lines: Vec<EventWrite>,
) -> Result<Vec<LineResult>, StoreError> {
    let lines = Arc::new(lines);
    for number in decisions() {
        pause(number).await;
        let mut session = database.customers_soon().await?;
        let names: BTreeSet<&str> = lines.iter().map(|line| line.event_type.as_str()).collect();
        let types = read::event_types(&mut session, &names).await?;
        let named: Vec<Named<'_>> = lines.iter().map(named).collect();
        let batch = read::batch(&mut session, &named).await?;
        let ids = read::event_ids(&mut session, lines.len()).await?;
        let decided = decide(Arc::clone(&lines), batch, types, ids).await?;
        let events = decided.events.params();
        let is_kept = if decided.events.ids.is_empty() && decided.batch.touched.is_empty() {
            true
        } else if decided.batch.touched.is_empty() {
            is_kept(&mut session, WRITE_EVENTS, &events).await?
        } else {
            let customers = Rows::of(&decided.batch);
            is_kept(&mut session, WRITE_BOTH, &[&customers.params()[..], &events].concat()).await?
        };
        if is_kept {
            return Ok(decided.results);
        }
    }
    Err(too_often())
}

fn named(line: &EventWrite) -> Named<'_> {
    // Without other ids it is enough to know the key.
    Named { registered: &line.registered, other_ids: &line.other_ids, is_read: !line.other_ids.is_empty() }
}

/// What the lines came to.
struct Decided {
    batch: Batch,
    events: Events,
    results: Vec<LineResult>,
}

/// Events, column by column, as `write_events` takes them.
#[derive(Default)]
struct Events {
    ids: Vec<i64>,
    customers: Vec<i64>,
    types: Vec<i64>,
    times: Vec<i64>,
    properties: Vec<String>,
    kept: Vec<i64>,
    entries: EventRows,
}

async fn decide(
    lines: Arc<Vec<EventWrite>>,
    batch: Batch,
    types: BTreeMap<String, i64>,
    ids: Vec<i64>,
) -> Result<Decided, StoreError> {
    let deciding = tokio::task::spawn_blocking(move || {
        let events = Events { kept: numbers(&batch.indexes), ..Events::default() };
        let mut decided = Decided { batch, events, results: Vec::with_capacity(lines.len()) };
        for (line, id) in lines.iter().zip(ids) {
            let event_type = types.get(&line.event_type).copied().ok_or_else(too_often)?;
            let result = decided.line(line, event_type, id)?;
            decided.results.push(result);
        }
        Ok(decided)
    });
    deciding.await.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
}

impl Decided {
    fn line(&mut self, line: &EventWrite, event_type: i64, id: i64) -> Result<LineResult, StoreError> {
        let properties = encode(&line.properties);
        if let Err(refused) = LineRefused::check_size(&properties) {
            return Ok(Err(refused));
        }
        let result = self.batch.customer_of_event(&line.registered, &line.other_ids)?;
        if let Ok(customer) = &result {
            let time = microseconds(line.timestamp);
            let events = &mut self.events;
            events.ids.push(id);
            events.customers.push(customer.0);
            events.types.push(event_type);
            events.times.push(time);
            events.properties.push(properties);
            let place = EventPlace { customer: customer.0, time, event: id };
            events.entries.added(&self.batch.indexes, &line.event_type, place, &line.properties);
        }
        Ok(result)
    }
}

impl Events {
    /// The columns in the order of the function's parameters.
    fn params(&self) -> [&(dyn ToSql + Sync); 13] {
        let entries = &self.entries;
        [
            &self.ids,
            &self.customers,
            &self.types,
            &self.times,
            &self.properties,
            &self.kept,
            &entries.indexes,
            &entries.kinds,
            &entries.texts,
            &entries.numbers,
            &entries.times,
            &entries.customers,
            &entries.events,
        ]
    }
}

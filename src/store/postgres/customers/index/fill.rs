//! Adds to a new index what was there before it, batch by batch in the order of customers' keys.
//!
//! Writes keep the index meanwhile, and what they have put into it stays: a customer has one row in an index, and
//! filling adds it only where none is. How far it came is written with each batch, so that the replica that fills next
//! goes on from there. Statistics are brought up to date before it is used: without them an array of values becomes a filter
//! over the whole index.

use super::super::damaged;
use super::entry::Columns;
use super::keep::{AttributeRows, EventRows};
use crate::domain::selection::IndexNeed;
use crate::store::StoreError;
use crate::store::json_projection::JsonProjection;
use crate::store::postgres::session::Session;
use crate::store::side_index::{EventPlace, SideIndex};

const CUSTOMERS_AFTER: &str = "SELECT key, attributes FROM customer WHERE key > $1 ORDER BY key LIMIT $2";
const KEYS_AFTER: &str = "SELECT max(key), count(*) FROM
     (SELECT key FROM customer WHERE key > $1 ORDER BY key LIMIT $2) AS next";
const EVENTS_OF: &str = "SELECT customer, id, time, properties FROM event
     WHERE customer > $1 AND customer <= $2 AND type = (SELECT id FROM event_type WHERE name = $3)";
const ADD_ATTRIBUTES: &str = sql!(
    "WITH added AS (
         INSERT INTO attribute_entry (customer, idx, kind, text_value, number_value)
         SELECT customer, idx, kind, text_value, number_value::numeric
         FROM unnest($3::bigint[], $4::bigint[], $5::smallint[], $6::text[], $7::text[])
             AS put (customer, idx, kind, text_value, number_value)
         ON CONFLICT DO NOTHING)
     UPDATE side_index SET filled_to = $2 WHERE id = $1 AND state = {side_index.filling}"
);
const ADD_EVENTS: &str = sql!("WITH added AS (
         INSERT INTO event_entry (idx, kind, text_value, number_value, time, customer, event)
         SELECT idx, kind, text_value, number_value::numeric, time, customer, event
         FROM unnest($3::bigint[], $4::smallint[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[])
             AS put (idx, kind, text_value, number_value, time, customer, event)
         ON CONFLICT DO NOTHING)
     UPDATE side_index SET filled_to = $2 WHERE id = $1 AND state = {side_index.filling}");
const COMPLETE: &str = sql!(
    "UPDATE side_index SET state = {side_index.complete}, filled_to = 9223372036854775807
     WHERE id = $1 AND state = {side_index.filling}"
);

/// How many rows are added at a time, where one customer has more events than that.
const EVENTS_A_STATEMENT: usize = 1_000;

/// Adds the next customers; answers whether there may be more.
pub(super) async fn add_batch(
    session: &mut Session,
    index: &mut SideIndex,
    customers: i64,
) -> Result<bool, StoreError> {
    match index.need.clone() {
        IndexNeed::Attribute { path } => add_attributes(session, index, &path, customers).await,
        IndexNeed::EventProperty { event_type, property } => {
            add_events(session, index, &event_type, &property, customers).await
        }
    }
}

async fn add_attributes(
    session: &mut Session,
    index: &mut SideIndex,
    path: &[String],
    customers: i64,
) -> Result<bool, StoreError> {
    let mut paths = JsonProjection::default();
    paths.add(path);
    let mut put = AttributeRows::default();
    let rows = session.query(CUSTOMERS_AFTER, &[&index.filled_to, &customers]).await?;
    for row in &rows {
        let value = paths.read(row.get(1)).map_err(damaged)?.pop().flatten();
        if let Some(value) = value {
            put.put(index.id, row.get(0), Columns::of(&value));
        }
    }
    let Some(last) = rows.last() else { return Ok(false) };
    index.filled_to = last.get(0);
    let AttributeRows { customers: of, indexes, kinds, texts, numbers, .. } = &put;
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
        [&index.id, &index.filled_to, of, indexes, kinds, texts, numbers];
    session.query(ADD_ATTRIBUTES, &params).await?;
    Ok(i64::try_from(rows.len()).is_ok_and(|read| read >= customers))
}

async fn add_events(
    session: &mut Session,
    index: &mut SideIndex,
    event_type: &str,
    property: &str,
    customers: i64,
) -> Result<bool, StoreError> {
    let next = session.one(KEYS_AFTER, &[&index.filled_to, &customers]).await?;
    let (last, count): (Option<i64>, i64) = (next.get(0), next.get(1));
    let Some(last) = last else { return Ok(false) };
    let mut paths = JsonProjection::default();
    paths.add(&[property.to_owned()]);
    let mut put = EventRows::default();
    for row in session.query(EVENTS_OF, &[&index.filled_to, &last, &event_type]).await? {
        if let Some(value) = paths.read(row.get(3)).map_err(damaged)?.pop().flatten() {
            let place = EventPlace { customer: row.get(0), time: row.get(2), event: row.get(1) };
            put.put(index.id, place, Columns::of(&value));
            if put.events.len() == EVENTS_A_STATEMENT {
                add_event_rows(session, index, &std::mem::take(&mut put)).await?;
            }
        }
    }
    index.filled_to = last;
    add_event_rows(session, index, &put).await?;
    Ok(count >= customers)
}

async fn add_event_rows(session: &mut Session, index: &SideIndex, put: &EventRows) -> Result<(), StoreError> {
    let EventRows { indexes, kinds, texts, numbers, times, customers, events } = put;
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 9] =
        [&index.id, &index.filled_to, indexes, kinds, texts, numbers, times, customers, events];
    session.query(ADD_EVENTS, &params).await.map(drop)
}

/// Brings up to date what the server knows of the index's table.
pub(super) async fn analyze(session: &mut Session, need: &IndexNeed) -> Result<(), StoreError> {
    session
        .run(match need {
            IndexNeed::Attribute { .. } => "ANALYZE attribute_entry",
            IndexNeed::EventProperty { .. } => "ANALYZE event_entry",
        })
        .await
}

/// Lets selections use the index, which holds everything.
pub(super) async fn complete(session: &mut Session, index: &SideIndex) -> Result<(), StoreError> {
    session.query(COMPLETE, &[&index.id]).await.map(drop)
}

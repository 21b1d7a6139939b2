//! The trait [`RetentionStore`]: events that are old, with their rows in side tables, by the one replica that fills no index
//! meanwhile.

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_postgres::types::ToSql;

use super::index::keep::EventRows;
use super::index::registry::{KEPT, side_indexes};
use super::{PostgresCustomers, damaged};
use crate::store::StoreError;
use crate::store::documents::decode;
use crate::store::postgres::exclusive::{Exclusive, Work};
use crate::store::postgres::pace::Pace;
use crate::store::retention::{Removal, RemovalBounds, RemovedBatch, RetentionStore, RowKind};
use crate::store::side_index::EventPlace;

/// How many events one batch removes at first, and at most.
const EVENTS_FIRST: i64 = 200;
const EVENTS_MAX: i64 = 4_000;

/// One look into the index a type. Every id is greater than 0: only who says so uses that index.
const OLD_TYPE: &str = "SELECT t.id, t.name FROM event_type t
    WHERE EXISTS (SELECT FROM event e WHERE e.type = t.id AND e.time < $1 AND e.id > 0) LIMIT 1";
const OLD_EVENTS: &str = "SELECT customer, time, id, properties FROM event
    WHERE type = $1 AND time < $2 AND id > 0 ORDER BY time, customer LIMIT $3";
const REMOVE: &str = "
    WITH gone AS (
        DELETE FROM event e USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS g (customer, time, id)
        WHERE e.customer = g.customer AND e.type = $4 AND e.time = g.time AND e.id = g.id AND e.time < $5
        RETURNING 1),
    entries AS (
        DELETE FROM event_entry n
        USING unnest($6::bigint[], $7::smallint[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[])
            AS g (idx, kind, text_value, number_value, time, customer, event)
        WHERE n.idx = g.idx AND n.kind = g.kind AND n.text_value = g.text_value
            AND n.number_value = g.number_value::numeric AND n.time = g.time AND n.customer = g.customer
            AND n.event = g.event AND n.time < $5)
    SELECT count(*) FROM gone";
const OLDEST: &str =
    "SELECT min((SELECT e.time FROM event e WHERE e.type = t.id AND e.id > 0 ORDER BY e.time LIMIT 1))
    FROM event_type t";

#[async_trait]
impl RetentionStore for PostgresCustomers {
    async fn begin_removal(&self, bounds: RemovalBounds) -> Result<Option<Box<dyn Removal>>, StoreError> {
        let Some(before) = bounds.before else { return Ok(Some(Box::new(NoRemoval))) };
        let session = self.database.customers_soon().await?;
        let locked = Exclusive::lock(session, self.database.schema(), Work::Indexes).await?;
        Ok(locked.map(|held| -> Box<dyn Removal> {
            let pace = Pace::new(EVENTS_FIRST, EVENTS_MAX);
            Box::new(EventRemoval { held, before: before.as_microsecond(), pace, is_sound: true })
        }))
    }

    async fn oldest(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = self.database.customers_soon().await?.one(OLDEST, &[]).await?;
        Ok(row.get::<_, Option<i64>>(0).and_then(|time| Timestamp::from_microsecond(time).ok()))
    }
}

/// All events are kept.
struct NoRemoval;

#[async_trait]
impl Removal for NoRemoval {
    async fn next_batch(&mut self, _: bool) -> Result<RemovedBatch, StoreError> {
        Ok(RemovedBatch::default())
    }

    async fn end(self: Box<Self>) {}
}

struct EventRemoval {
    held: Exclusive,
    before: i64,
    pace: Pace,
    is_sound: bool,
}

/// Events of one type, column by column, with their rows in side tables.
#[derive(Default)]
struct OldEvents {
    customers: Vec<i64>,
    times: Vec<i64>,
    ids: Vec<i64>,
    entries: EventRows,
}

#[async_trait]
impl Removal for EventRemoval {
    async fn next_batch(&mut self, _others_write: bool) -> Result<RemovedBatch, StoreError> {
        // Unless it comes to its end, the connection is in the midst of something.
        self.is_sound = false;
        let batch = self.batch().await;
        self.is_sound = batch.is_ok();
        batch
    }

    async fn end(self: Box<Self>) {
        self.held.unlock(self.is_sound).await;
    }
}

impl EventRemoval {
    async fn batch(&mut self) -> Result<RemovedBatch, StoreError> {
        let session = &mut self.held.session;
        let indexes = side_indexes(&session.query(KEPT, &[]).await?)?;
        // The task that would fill it waits for the lock.
        if indexes.iter().any(|index| index.needed && !index.complete) {
            return Ok(RemovedBatch::default());
        }
        let Some(of_type) = session.first(OLD_TYPE, &[&self.before]).await? else {
            return Ok(RemovedBatch::default());
        };
        let (number, name): (i64, String) = (of_type.get(0), of_type.get(1));
        let mut old = OldEvents::default();
        for row in session.query(OLD_EVENTS, &[&number, &self.before, &self.pace.rows()]).await? {
            let place = EventPlace { customer: row.get(0), time: row.get(1), event: row.get(2) };
            old.customers.push(place.customer);
            old.times.push(place.time);
            old.ids.push(place.event);
            if !indexes.is_empty() {
                let properties = decode(row.get(3)).map_err(damaged)?;
                old.entries.added(&indexes, &name, place, &properties);
            }
        }
        let entries = &old.entries;
        let params: [&(dyn ToSql + Sync); 12] = [
            &old.customers,
            &old.times,
            &old.ids,
            &number,
            &self.before,
            &entries.indexes,
            &entries.kinds,
            &entries.texts,
            &entries.numbers,
            &entries.times,
            &entries.customers,
            &entries.events,
        ];
        let gone = self.pace.keep(session.one(REMOVE, &params)).await?.get::<_, i64>(0);
        Ok(RemovedBatch::of(RowKind::Events, gone.unsigned_abs()))
    }
}

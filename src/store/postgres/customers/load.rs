//! Reads customers by their keys, a thousand a statement, with the events that were asked for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use tokio_postgres::Row;

use super::damaged;
use super::snapshot::Reading;
use crate::domain::customer::{Customer, CustomerKey, Event, EventNeeds};
use crate::domain::render::AttributesSeen;
use crate::store::StoreError;
use crate::store::attributes_seen::{BYTES_A_SIDE, CUSTOMERS_A_SIDE, Sample};
use crate::store::customers::{LATEST_BYTES_MAX, LatestEvents};
use crate::store::documents::{decode, decode_plain};

/// How many keys one statement takes.
pub(super) const KEYS_A_STATEMENT: usize = 1_000;

const CUSTOMERS_BY_KEY: &str =
    "SELECT key, registered, other_ids, attributes, consents FROM customer WHERE key = ANY ($1)";
const EVENTS_BY_KEY: &str =
    "SELECT customer, id, type, time, properties FROM event WHERE customer = ANY ($1) AND type = ANY ($2)";
const TYPES: &str = "SELECT id, name FROM event_type WHERE name = ANY ($1)";

/// Which are the newest is known from the key alone; what does not fit is not read.
const LATEST: &str = "
    WITH newest AS (
        SELECT type, time, id FROM event WHERE customer = $1 ORDER BY time DESC, id DESC LIMIT $2),
    sized AS (
        SELECT e.id, e.type, e.time, e.properties, sum(octet_length(e.properties)) OVER (
            ORDER BY e.time DESC, e.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM newest n JOIN event e ON e.customer = $1 AND e.type = n.type AND e.time = n.time AND e.id = n.id)
    SELECT s.id, t.name, s.time, CASE WHEN coalesce(s.before, 0) < $3 THEN s.properties END
    FROM sized s JOIN event_type t ON t.id = s.type ORDER BY s.time DESC, s.id DESC";

/// Reads the newest events of a customer, as far as they fit.
pub(super) fn latest_events(
    reading: &Reading<'_>,
    customer: CustomerKey,
    limit: u32,
) -> Result<LatestEvents, StoreError> {
    let most = i64::try_from(LATEST_BYTES_MAX).unwrap_or(i64::MAX);
    let rows = reading.rows(LATEST, &[&customer.0, &(i64::from(limit) + 1), &most])?;
    let mut latest = LatestEvents::default();
    for row in rows {
        let properties = row.get::<_, Option<&str>>(3).filter(|_| latest.events.len() < limit as usize);
        let Some(properties) = properties else {
            latest.has_older = true;
            break;
        };
        latest.events.push(Event {
            id: row.get(0),
            event_type: row.get::<_, &str>(1).into(),
            timestamp: timestamp(row.get(2))?,
            properties: Arc::new(decode(properties).map_err(damaged)?),
        });
    }
    Ok(latest)
}

fn timestamp(microseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(microseconds).map_err(|error| StoreError::Refused(error.to_string()))
}

/// Names of event types by their number.
type Names = HashMap<i64, Arc<str>>;

/// Reads the customers with these keys, in their order; keys without a customer are left out.
pub(super) fn load(
    reading: &Reading<'_>,
    keys: &[CustomerKey],
    needs: &EventNeeds,
) -> Result<Vec<Customer>, StoreError> {
    let mut names = Names::new();
    if !needs.types.is_empty() {
        let wanted: Vec<&str> = needs.types.iter().map(String::as_str).collect();
        let rows = reading.rows(TYPES, &[&wanted])?;
        names.extend(rows.iter().map(|row| (row.get(0), Arc::from(row.get::<_, &str>(1)))));
    }
    let mut customers = Vec::with_capacity(keys.len());
    for some in keys.chunks(KEYS_A_STATEMENT) {
        let some: Vec<i64> = some.iter().map(|key| key.0).collect();
        load_some(reading, &some, &names, &mut customers)?;
    }
    Ok(customers)
}

fn load_some(
    reading: &Reading<'_>,
    keys: &[i64],
    names: &Names,
    customers: &mut Vec<Customer>,
) -> Result<(), StoreError> {
    let mut histories = histories(reading, keys, names)?;
    let nothing: Arc<[Event]> = Arc::from([]);
    let mut found = HashMap::with_capacity(keys.len());
    for row in reading.rows(CUSTOMERS_BY_KEY, &[&keys])? {
        let mut customer = customer(&row, &nothing)?;
        if let Some(mut events) = histories.remove(&customer.key.0) {
            events.sort_unstable_by_key(|event| (event.timestamp, event.id));
            customer.events = events.into();
        }
        found.insert(customer.key.0, customer);
    }
    customers.extend(keys.iter().filter_map(|key| found.remove(key)));
    Ok(())
}

fn histories(
    reading: &Reading<'_>,
    keys: &[i64],
    names: &Names,
) -> Result<HashMap<i64, Vec<Event>>, StoreError> {
    let mut histories: HashMap<i64, Vec<Event>> = HashMap::new();
    if names.is_empty() {
        return Ok(histories);
    }
    let types: Vec<i64> = names.keys().copied().collect();
    for row in reading.rows(EVENTS_BY_KEY, &[&keys, &types])? {
        let Some(name) = names.get(&row.get(2)) else { continue };
        let event = Event {
            id: row.get(1),
            event_type: name.clone(),
            timestamp: timestamp(row.get(3))?,
            properties: Arc::new(decode(row.get(4)).map_err(damaged)?),
        };
        histories.entry(row.get(0)).or_default().push(event);
    }
    Ok(histories)
}

fn customer(row: &Row, nothing: &Arc<[Event]>) -> Result<Customer, StoreError> {
    let mut ids: BTreeMap<String, String> = decode_plain(row.get(2)).map_err(damaged)?;
    ids.insert("registered".to_owned(), row.get(1));
    Ok(Customer {
        key: CustomerKey(row.get(0)),
        ids: Arc::new(ids),
        attributes: Arc::new(decode(row.get(3)).map_err(damaged)?),
        consents: Arc::new(decode_plain(row.get(4)).map_err(damaged)?),
        events: nothing.clone(),
    })
}

const ATTRIBUTES_OF_THE_LAST: &str = "SELECT attributes FROM customer ORDER BY key DESC";
const ATTRIBUTES_OF_THE_FIRST: &str = "SELECT attributes FROM customer ORDER BY key";

/// How many documents are in memory at a time.
const DOCUMENTS_A_STEP: i32 = 50;

/// What some customers have as attributes. A portal gives no more rows than are looked at.
pub(super) fn attributes_seen(reading: &Reading<'_>) -> Result<AttributesSeen, StoreError> {
    let mut sample = Sample::default();
    for sql in [ATTRIBUTES_OF_THE_LAST, ATTRIBUTES_OF_THE_FIRST] {
        let portal = reading.open(sql)?;
        let (mut customers, mut bytes) = (0, 0);
        while customers < CUSTOMERS_A_SIDE && bytes < BYTES_A_SIDE {
            let rows = reading.step(&portal, DOCUMENTS_A_STEP)?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                let document: &str = row.get(0);
                (customers, bytes) = (customers + 1, bytes + document.len());
                sample.look(document).map_err(damaged)?;
            }
        }
    }
    Ok(sample.seen())
}

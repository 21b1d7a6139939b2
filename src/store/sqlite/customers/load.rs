//! Reads customers by their keys, a thousand a statement, with the events that were asked for.
//!
//! Keys travel as a JSON array of whole numbers, which SQLite reads exactly.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, Row};

use super::damaged;
use super::events::type_number;
use crate::domain::customer::{Customer, CustomerKey, Event, EventNeeds};
use crate::domain::render::AttributesSeen;
use crate::store::attributes_seen::{BYTES_A_SIDE, CUSTOMERS_A_SIDE, Sample};
use crate::store::customers::{LATEST_BYTES_MAX, LatestEvents};
use crate::store::documents::{decode, decode_plain};

/// How many keys one statement takes.
pub(super) const KEYS_A_STATEMENT: usize = 1_000;

/// Reads customers by key, in the order of the keys.
pub(super) const CUSTOMERS_BY_KEY: &str =
    "SELECT customer.key, customer.registered, customer.other_ids, customer.attributes, customer.consents
     FROM json_each(?1) wanted CROSS JOIN customer ON customer.key = wanted.value";

/// Reads the events of one type, by customer in the order of the keys, then by time, then by id.
pub(super) const EVENTS_BY_KEY: &str = "SELECT event.customer, event.id, event.time, event.properties
     FROM json_each(?1) wanted CROSS JOIN event ON event.customer = wanted.value AND event.type = ?2";

/// Which are the newest, from the index alone.
const NEWEST: &str = "SELECT id FROM event WHERE customer = ?1 ORDER BY time DESC, id DESC LIMIT ?2";
const ONE_EVENT: &str = "SELECT event.id, event_type.name, event.time, event.properties
     FROM event JOIN event_type ON event_type.id = event.type WHERE event.id = ?1";

/// Reads the newest events of a customer, as far as they fit.
pub(super) fn latest_events(
    connection: &Connection,
    customer: CustomerKey,
    limit: u32,
) -> rusqlite::Result<LatestEvents> {
    let mut newest = connection.prepare_cached(NEWEST)?;
    let ids = newest.query_map((customer.0, i64::from(limit) + 1), |row| row.get::<_, i64>(0))?;
    let ids: Vec<i64> = ids.collect::<rusqlite::Result<_>>()?;
    let (mut latest, mut bytes) = (LatestEvents::default(), 0);
    let mut one = connection.prepare_cached(ONE_EVENT)?;
    for id in ids {
        if latest.events.len() == limit as usize || bytes >= LATEST_BYTES_MAX {
            latest.has_older = true;
            break;
        }
        latest.events.push(one.query_row([id], |row| {
            let properties = row.get_ref(3)?.as_str()?;
            bytes += properties.len();
            Ok(Event {
                id: row.get(0)?,
                event_type: row.get::<_, String>(1)?.into(),
                timestamp: timestamp(row.get(2)?)?,
                properties: Arc::new(decode(properties).map_err(damaged)?),
            })
        })?);
    }
    Ok(latest)
}

/// Events by customer, as they are gathered.
type Histories = HashMap<i64, Vec<Event>>;

/// Reads the customers with these keys, in their order; keys without a customer are left out.
pub(super) fn load(
    connection: &Connection,
    keys: &[CustomerKey],
    needs: &EventNeeds,
) -> rusqlite::Result<Vec<Customer>> {
    let mut types = Vec::with_capacity(needs.types.len());
    for name in &needs.types {
        if let Some(number) = type_number(connection, name)? {
            types.push((number, Arc::<str>::from(name.as_str())));
        }
    }
    let mut customers = Vec::with_capacity(keys.len());
    for some in keys.chunks(KEYS_A_STATEMENT) {
        load_some(connection, &key_list(some), &types, &mut customers)?;
    }
    Ok(customers)
}

/// Keys as the JSON array that statements take.
pub(super) fn key_list(keys: &[CustomerKey]) -> String {
    let mut list = String::with_capacity(2 + keys.len() * 9);
    list.push('[');
    for (place, key) in keys.iter().enumerate() {
        if place > 0 {
            list.push(',');
        }
        std::fmt::Write::write_fmt(&mut list, format_args!("{}", key.0)).expect("a String takes every write");
    }
    list.push(']');
    list
}

fn load_some(
    connection: &Connection,
    keys: &str,
    types: &[(i64, Arc<str>)],
    customers: &mut Vec<Customer>,
) -> rusqlite::Result<()> {
    let mut histories = Histories::new();
    for (number, name) in types {
        gather(connection, keys, *number, name, &mut histories)?;
    }
    let nothing: Arc<[Event]> = Arc::from([]);
    let mut statement = connection.prepare_cached(CUSTOMERS_BY_KEY)?;
    let mut rows = statement.query([keys])?;
    while let Some(row) = rows.next()? {
        let mut customer = customer(row, &nothing)?;
        if let Some(mut events) = histories.remove(&customer.key.0) {
            // One type comes in order; several are brought into one.
            if types.len() > 1 {
                events.sort_by_key(|event| (event.timestamp, event.id));
            }
            customer.events = events.into();
        }
        customers.push(customer);
    }
    Ok(())
}

fn gather(
    connection: &Connection,
    keys: &str,
    event_type: i64,
    name: &Arc<str>,
    histories: &mut Histories,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(EVENTS_BY_KEY)?;
    let mut rows = statement.query((keys, event_type))?;
    while let Some(row) = rows.next()? {
        let event = Event {
            id: row.get(1)?,
            event_type: name.clone(),
            timestamp: timestamp(row.get(2)?)?,
            properties: Arc::new(decode(row.get_ref(3)?.as_str()?).map_err(damaged)?),
        };
        histories.entry(row.get(0)?).or_default().push(event);
    }
    Ok(())
}

fn timestamp(microseconds: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(microseconds).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Integer, Box::new(error))
    })
}

fn customer(row: &Row<'_>, nothing: &Arc<[Event]>) -> rusqlite::Result<Customer> {
    let mut ids: BTreeMap<String, String> = decode_plain(row.get_ref(2)?.as_str()?).map_err(damaged)?;
    ids.insert("registered".to_owned(), row.get(1)?);
    Ok(Customer {
        key: CustomerKey(row.get(0)?),
        ids: Arc::new(ids),
        attributes: Arc::new(decode(row.get_ref(3)?.as_str()?).map_err(damaged)?),
        consents: Arc::new(decode_plain(row.get_ref(4)?.as_str()?).map_err(damaged)?),
        events: nothing.clone(),
    })
}

const ATTRIBUTES_OF_THE_LAST: &str = "SELECT attributes FROM customer ORDER BY key DESC";
const ATTRIBUTES_OF_THE_FIRST: &str = "SELECT attributes FROM customer ORDER BY key";

/// What some customers have as attributes. Rows are read one by one, and no more than are looked at.
pub(super) fn attributes_seen(connection: &Connection) -> rusqlite::Result<AttributesSeen> {
    let mut sample = Sample::default();
    for sql in [ATTRIBUTES_OF_THE_LAST, ATTRIBUTES_OF_THE_FIRST] {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        let (mut customers, mut bytes) = (0, 0);
        while let Some(row) = rows.next()? {
            let document = row.get_ref(0)?.as_str()?;
            (customers, bytes) = (customers + 1, bytes + document.len());
            sample.look(document).map_err(damaged)?;
            if customers >= CUSTOMERS_A_SIDE || bytes >= BYTES_A_SIDE {
                break;
            }
        }
    }
    Ok(sample.seen())
}

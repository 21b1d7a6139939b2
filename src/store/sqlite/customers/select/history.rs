//! Counts matching events: from an index over all customers, or one customer at a time.

use rusqlite::Connection;

use super::super::damaged;
use super::statements::{
    COUNT_OF_CUSTOMER, EVENTS_BY_PROPERTY, EVENTS_BY_TYPE, PROPERTIES, PROPERTIES_OF_CUSTOMER,
};
use crate::store::select::history::History;
use crate::store::select::{Budget, Found, keys};

/// Counts the matching events of every customer who has one; none if that exceeds the budget.
pub(super) fn counts(
    connection: &Connection,
    history: &History,
    budget: Budget,
) -> Found<Vec<(i64, i64)>, rusqlite::Error> {
    let Some(event_type) = history.event_type else { return Ok(Some(Vec::new())) };
    let mut statement;
    let mut rows = match &history.start {
        Some(start) => {
            statement = connection.prepare_cached(EVENTS_BY_PROPERTY)?;
            statement.query((start.index, start.kind, &start.entry, history.from, history.before))?
        }
        None => {
            statement = connection.prepare_cached(EVENTS_BY_TYPE)?;
            statement.query((event_type, history.from, history.before))?
        }
    };
    let (mut customers, mut read) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        read += 1;
        if read > budget.0 {
            return Ok(None);
        }
        if others_match(connection, history, row.get(1)?)? {
            customers.push(row.get(0)?);
        }
    }
    Ok(Some(keys::occurrences(customers)))
}

fn others_match(connection: &Connection, history: &History, event: i64) -> rusqlite::Result<bool> {
    if history.others.is_empty() {
        return Ok(true);
    }
    let mut statement = connection.prepare_cached(PROPERTIES)?;
    statement.query_row([event], |row| history.others.equal(row.get_ref(0)?.as_str()?).map_err(damaged))
}

/// Whether one customer's matching events are as many as asked for.
pub(super) fn holds(connection: &Connection, history: &History, customer: i64) -> rusqlite::Result<bool> {
    let Some(event_type) = history.event_type else { return Ok(history.accepts(0)) };
    let window = (customer, event_type, history.from, history.before);
    if history.all.is_empty() {
        let mut statement = connection.prepare_cached(COUNT_OF_CUSTOMER)?;
        return Ok(history.accepts(statement.query_row(window, |row| row.get(0))?));
    }
    let mut statement = connection.prepare_cached(PROPERTIES_OF_CUSTOMER)?;
    let mut rows = statement.query(window)?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += i64::from(history.all.equal(row.get_ref(0)?.as_str()?).map_err(damaged)?);
    }
    Ok(history.accepts(count))
}

//! Reads what a batch of lines is decided on: who has the ids they name, and these customers as they are.
//!
//! Nothing is locked: what was read is asserted by the write.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;

use super::batch::{Batch, Person, REGISTERED};
use super::index::registry::{KEPT, side_indexes};
use crate::store::StoreError;
use crate::store::merge::Documents;
use crate::store::postgres::session::Session;

const IDENTITIES: &str = "SELECT id, kind, customer FROM identity WHERE id = ANY ($1)";
const PEOPLE: &str = "SELECT key, revision, registered, other_ids, attributes, consents FROM customer
     WHERE key = ANY ($1)";
const NEXT_CUSTOMERS: &str = "SELECT nextval('customer_key_seq') FROM generate_series(1, $1::bigint)";
const NEXT_EVENTS: &str = "SELECT nextval('event_id_seq') FROM generate_series(1, $1::bigint)";
const TYPES: &str = "SELECT name, id FROM event_type WHERE name = ANY ($1)";
const ADD_TYPES: &str =
    "INSERT INTO event_type (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING RETURNING name, id";

/// Whom a line names, and whether the customer's documents are needed to decide it.
pub(super) struct Named<'a> {
    /// The id a CRM knows the customer by.
    pub registered: &'a str,
    /// Further ids by kind.
    pub other_ids: &'a BTreeMap<String, String>,
    /// Whether the customer is to be read.
    pub is_read: bool,
}

/// Reads for these lines.
pub(super) async fn batch(session: &mut Session, lines: &[Named<'_>]) -> Result<Batch, StoreError> {
    let mut batch = Batch { indexes: side_indexes(&session.query(KEPT, &[]).await?)?, ..Batch::default() };
    let ids: BTreeSet<&str> = lines
        .iter()
        .flat_map(|line| line.other_ids.values().map(String::as_str).chain([line.registered]))
        .collect();
    for row in session.query(IDENTITIES, &[&Vec::from_iter(ids)]).await? {
        batch.identities.entry(row.get(0)).or_default().insert(row.get(1), row.get(2));
    }
    read_people(session, lines, &mut batch).await?;
    let unknown: BTreeSet<&str> = lines
        .iter()
        .map(|line| line.registered)
        .filter(|registered| batch.owner(REGISTERED, registered).is_none())
        .collect();
    batch.fresh = numbers(session, NEXT_CUSTOMERS, unknown.len()).await?.into_iter();
    Ok(batch)
}

async fn read_people(
    session: &mut Session,
    lines: &[Named<'_>],
    batch: &mut Batch,
) -> Result<(), StoreError> {
    let mut keys = BTreeSet::new();
    for line in lines.iter().filter(|line| line.is_read) {
        keys.extend(batch.owner(REGISTERED, line.registered));
        keys.extend(line.other_ids.iter().filter_map(|(kind, id)| batch.owner(kind, id)));
    }
    if !keys.is_empty() {
        let rows = session.query(PEOPLE, &[&Vec::from_iter(keys)]).await?;
        batch.people.extend(rows.iter().map(|row| (row.get(0), person(row))));
    }
    Ok(())
}

fn person(row: &Row) -> Person {
    Person {
        revision: Some(row.get(1)),
        registered: row.get(2),
        documents: Documents { other_ids: row.get(3), attributes: row.get(4), consents: row.get(5) },
    }
}

/// Numbers for so many events, in order.
pub(super) async fn event_ids(session: &mut Session, count: usize) -> Result<Vec<i64>, StoreError> {
    numbers(session, NEXT_EVENTS, count).await
}

async fn numbers(session: &mut Session, sql: &'static str, count: usize) -> Result<Vec<i64>, StoreError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let mut numbers: Vec<i64> = session.query(sql, &[&count]).await?.iter().map(|row| row.get(0)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The numbers of these event types, given to those that are new.
pub(super) async fn event_types(
    session: &mut Session,
    names: &BTreeSet<&str>,
) -> Result<BTreeMap<String, i64>, StoreError> {
    let mut types = known_types(session, names).await?;
    let unknown: Vec<&str> = names.iter().copied().filter(|name| !types.contains_key(*name)).collect();
    if !unknown.is_empty() {
        session.query(ADD_TYPES, &[&unknown]).await?;
        // Another writer may have added some of them first.
        types = known_types(session, names).await?;
    }
    Ok(types)
}

async fn known_types(
    session: &mut Session,
    names: &BTreeSet<&str>,
) -> Result<BTreeMap<String, i64>, StoreError> {
    let names: Vec<&str> = names.iter().copied().collect();
    let rows = session.query(TYPES, &[&names]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

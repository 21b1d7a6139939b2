//! How SQLite runs each hot statement, with its values bound: by an index, never through a whole table.
//!
//! Asked of a file without statistics, as every file is: the statements leave SQLite no choice that size could sway.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};

use super::super::load::{CUSTOMERS_BY_KEY, EVENTS_BY_KEY};
use super::statements::{
    ALL_KEYS, BY_OTHER_ID, BY_REGISTERED, COUNT_OF_CUSTOMER, EVENTS_BY_PROPERTY, EVENTS_BY_TYPE,
    FACTS_AND_IDS_BY_KEY, FACTS_BY_KEY, PROPERTIES, PROPERTIES_OF_CUSTOMER, attribute_keys,
};
use crate::store::select::ranges::Range;
use crate::store::side_index::Entry;

/// The plan's steps, without the list of keys, which is read from a bound value.
fn plan(statement: &str, bound: &[Sql]) -> Vec<String> {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(include_str!("../../migrations/customers_1.sql")).unwrap();
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
    let steps = explain.query_map(params_from_iter(bound), |row| row.get::<_, String>(3)).unwrap();
    steps.map(Result::unwrap).filter(|step| step != "SCAN wanted VIRTUAL TABLE INDEX 1:").collect()
}

#[test]
fn attributes_are_looked_up_within_their_index() {
    let entry = || Entry::Text("60200".into());
    for (range, condition) in [
        (Range::Whole, "(idx=?)"),
        (Range::Kind(2), "(idx=? AND kind=?)"),
        (Range::Equal(2, entry()), "(idx=? AND kind=? AND value=?)"),
        (Range::Below(2, entry()), "(idx=? AND kind=? AND value<?)"),
        (Range::UpTo(2, entry()), "(idx=? AND kind=? AND value<?)"),
        (Range::Above(2, entry()), "(idx=? AND kind=? AND value>?)"),
        (Range::From(2, entry()), "(idx=? AND kind=? AND value>?)"),
        (Range::Between(2, entry(), entry()), "(idx=? AND kind=? AND value>? AND value<?)"),
    ] {
        let statement = attribute_keys(&range);
        let all = [Sql::Integer(1), Sql::Integer(2), Sql::Text("60200".into()), Sql::Text("60201".into())];
        let bound = &all[..statement.matches('?').count()];
        let expected = format!("SEARCH attribute_entry USING PRIMARY KEY {condition}");
        assert_eq!(plan(statement, bound), [expected], "{statement}");
    }
}

#[test]
fn events_are_looked_up_by_property_by_type_and_by_customer() {
    let window = [Sql::Integer(0), Sql::Integer(i64::MAX)];
    let with = |first: &[Sql]| [first, &window].concat();
    let by_property = with(&[Sql::Integer(1), Sql::Integer(1), Sql::Integer(77)]);
    assert_eq!(
        plan(EVENTS_BY_PROPERTY, &by_property),
        ["SEARCH event_entry USING PRIMARY KEY (idx=? AND kind=? AND value=? AND time>? AND time<?)"]
    );
    assert_eq!(
        plan(EVENTS_BY_TYPE, &with(&[Sql::Integer(1)])),
        ["SEARCH event USING COVERING INDEX event_by_type (type=? AND time>? AND time<?)"]
    );
    let of_customer = with(&[Sql::Integer(7), Sql::Integer(1)]);
    assert_eq!(
        plan(COUNT_OF_CUSTOMER, &of_customer),
        ["SEARCH event USING COVERING INDEX event_by_customer (customer=? AND type=? AND time>? AND time<?)"]
    );
    assert_eq!(
        plan(PROPERTIES_OF_CUSTOMER, &of_customer),
        ["SEARCH event USING INDEX event_by_customer (customer=? AND type=? AND time>? AND time<?)"]
    );
    assert_eq!(plan(PROPERTIES, &[Sql::Integer(9)]), ["SEARCH event USING INTEGER PRIMARY KEY (rowid=?)"]);
}

#[test]
fn customers_are_read_by_their_keys_and_all_keys_from_the_ids() {
    let keys = Sql::Text("[1,2,3]".into());
    for statement in [CUSTOMERS_BY_KEY, FACTS_BY_KEY, FACTS_AND_IDS_BY_KEY] {
        let steps = plan(statement, std::slice::from_ref(&keys));
        assert_eq!(steps, ["SEARCH customer USING INTEGER PRIMARY KEY (rowid=?)"]);
    }
    assert_eq!(
        plan(EVENTS_BY_KEY, &[keys, Sql::Integer(1)]),
        ["SEARCH event USING INDEX event_by_customer (customer=? AND type=?)"]
    );
    assert_eq!(plan(ALL_KEYS, &[]), ["SCAN customer USING COVERING INDEX sqlite_autoindex_customer_1"]);
}

#[test]
fn customers_are_found_by_their_ids() {
    let ids = Sql::Text("[\"a\",\"b\"]".into());
    assert_eq!(
        plan(BY_REGISTERED, std::slice::from_ref(&ids)),
        ["SEARCH customer USING COVERING INDEX sqlite_autoindex_customer_1 (registered=?)"]
    );
    assert_eq!(
        plan(BY_OTHER_ID, &[ids, Sql::Text("email".into())]),
        ["SEARCH other_id USING PRIMARY KEY (kind=? AND id=?)"]
    );
}

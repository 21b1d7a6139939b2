//! Removes an index that no scenario needs any more, one small batch a time.

use tokio_postgres::Row;

use super::super::damaged;
use crate::domain::selection::IndexNeed;
use crate::store::StoreError;
use crate::store::postgres::session::Session;
use crate::store::side_index::need_of;

const END_GRACES: &str = sql!("UPDATE side_index SET state = {side_index.dropping}, filled_to = -1
     WHERE state <> {side_index.dropping} AND unneeded_since <= clock_timestamp() - make_interval(secs => $1)");
const FIRST_DROPPING: &str = sql!(
    "SELECT id, definition, filled_to FROM side_index WHERE state = {side_index.dropping} ORDER BY id LIMIT 1"
);
const KEYS_AFTER: &str =
    "SELECT max(key) FROM (SELECT key FROM customer WHERE key > $1 ORDER BY key LIMIT $2) AS next";
const DROP_ATTRIBUTES: &str = "WITH gone AS (
         DELETE FROM attribute_entry WHERE customer > $2 AND customer <= $3 AND idx = $1)
     UPDATE side_index SET filled_to = $3 WHERE id = $1";
const DROP_EVENTS: &str = "DELETE FROM event_entry
     WHERE (idx, kind, text_value, number_value, time, customer, event) IN
         (SELECT idx, kind, text_value, number_value, time, customer, event FROM event_entry
          WHERE idx = $1 LIMIT $2)
     RETURNING 1";
const FORGET: &str =
    "WITH needs AS (DELETE FROM index_need WHERE idx = $1) DELETE FROM side_index WHERE id = $1";

/// An index that is being dropped.
pub(super) struct Dropping {
    /// Its number.
    pub id: i64,
    /// What it is on.
    pub need: IndexNeed,
    dropped_to: i64,
}

/// Ends what is unneeded for longer than the grace.
pub(super) async fn end_graces(session: &mut Session, grace_seconds: f64) -> Result<(), StoreError> {
    session.query(END_GRACES, &[&grace_seconds]).await.map(drop)
}

/// The next index to be dropped.
pub(super) async fn first_dropping(session: &mut Session) -> Result<Option<Dropping>, StoreError> {
    let dropping = |row: Row| {
        let need = need_of(row.get(1)).map_err(damaged)?;
        Ok(Dropping { id: row.get(0), need, dropped_to: row.get(2) })
    };
    session.first(FIRST_DROPPING, &[]).await?.map(dropping).transpose()
}

/// Removes one batch of the index's rows, and the index when none is left; answers whether some are.
pub(super) async fn drop_batch(
    session: &mut Session,
    index: &mut Dropping,
    rows: i64,
) -> Result<bool, StoreError> {
    let is_more = match index.need {
        IndexNeed::Attribute { .. } => {
            let last = session.one(KEYS_AFTER, &[&index.dropped_to, &rows]).await?;
            match last.get::<_, Option<i64>>(0) {
                None => false,
                Some(last) => {
                    session.query(DROP_ATTRIBUTES, &[&index.id, &index.dropped_to, &last]).await?;
                    index.dropped_to = last;
                    true
                }
            }
        }
        IndexNeed::EventProperty { .. } => !session.query(DROP_EVENTS, &[&index.id, &rows]).await?.is_empty(),
    };
    if !is_more {
        session.query(FORGET, &[&index.id]).await?;
    }
    Ok(is_more)
}

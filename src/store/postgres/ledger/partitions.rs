//! Deliveries by the day their call was accepted: partitions are made ahead, with a default behind them, and go whole.

use std::time::Duration;

use jiff::{Timestamp, ToSpan};

use super::rows::get;
use crate::store::StoreError;
use crate::store::postgres::PostgresDatabase;
use crate::store::postgres::session::Session;

/// How many days ahead there is a partition.
const DAYS_AHEAD: i64 = 3;
const DAY_US: i64 = 86_400_000_000;
/// How often it is looked whether a partition is there, and how long between two looks.
const LOOKS_MAX: u32 = 50;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

const IS_THERE: &str = "SELECT to_regclass($1) IS NOT NULL";
/// Deliveries of that time that came to the default because the partition could not be made in time.
const IN_DEFAULT: &str =
    "SELECT EXISTS (SELECT FROM delivery_default WHERE accepted_at >= $1 AND accepted_at < $2)";
const THOSE_THERE: &str = "
    SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'delivery'::regclass AND c.relname <> 'delivery_default' ORDER BY c.relname";
const DROP: &str = "SELECT drop_deliveries_1($1, $2, $3)";

/// Makes the partitions of today and the next days, where they are missing.
pub(super) async fn make_ahead(database: &PostgresDatabase, now: Timestamp) -> Result<(), StoreError> {
    let today = now.as_microsecond().div_euclid(DAY_US);
    for day in today..=today + DAYS_AHEAD {
        make(database, day).await?;
    }
    Ok(())
}

/// Attaching does not wait for statements on other partitions; only the default is held for a moment. Where
/// another replica is making the same day, that one is waited for.
async fn make(database: &PostgresDatabase, day: i64) -> Result<(), StoreError> {
    let (name, from, to) = (name(day)?, day * DAY_US, (day + 1) * DAY_US);
    let mut session = database.customers().await?;
    for _ in 0..LOOKS_MAX {
        let is_there: bool = get(&session.one(IS_THERE, &[&name]).await?, 0)?;
        if is_there || get(&session.one(IN_DEFAULT, &[&from, &to]).await?, 0)? {
            return Ok(());
        }
        session.run(&making(database.schema(), &name, from, to)).await?;
        if get(&session.one(IS_THERE, &[&name]).await?, 0)? {
            return Ok(());
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Err(StoreError::Unavailable(format!(
        "the partition {name} could not be made; is another replica stuck making it?"
    )))
}

fn making(schema: &str, name: &str, from: i64, to: i64) -> String {
    format!(
        "DO $$ BEGIN IF pg_try_advisory_xact_lock(hashtextextended('{schema}.{name}', 2)) THEN
            CREATE TABLE IF NOT EXISTS {name} (LIKE delivery INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
                WITH (fillfactor = 70);
            IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = '{name}'::regclass) THEN
                ALTER TABLE delivery ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to});
            END IF;
        END IF; END $$"
    )
}

/// A day that has a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Day {
    partition: String,
    number: i64,
}

impl Day {
    /// Its first microsecond.
    pub(super) fn begin(&self) -> i64 {
        self.number * DAY_US
    }

    /// The first microsecond behind it.
    pub(super) fn end(&self) -> i64 {
        (self.number + 1) * DAY_US
    }
}

/// Whether a day is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    /// It is.
    Yes,
    /// A call of it is there.
    HasCalls,
    /// Another session reads or writes deliveries just now, and is not waited for.
    InUse,
}

/// The days that have a partition.
pub(super) async fn those_there(session: &mut Session) -> Result<Vec<Day>, StoreError> {
    let mut days = Vec::new();
    for row in session.query(THOSE_THERE, &[]).await? {
        let partition: String = get(&row, 0)?;
        days.extend(day_of(&partition).map(|number| Day { partition, number }));
    }
    Ok(days)
}

/// Drops a day if no call of it is there any more. No session waits for that longer than a twentieth of a second.
pub(super) async fn try_drop(session: &mut Session, day: &Day) -> Result<Dropped, StoreError> {
    let row = session.one(DROP, &[&day.partition, &day.begin(), &day.end()]).await?;
    match get::<i32>(&row, 0)? {
        0 => Ok(Dropped::HasCalls),
        1 => {
            tracing::info!(partition = day.partition, "the deliveries of a day are removed");
            Ok(Dropped::Yes)
        }
        _ => Ok(Dropped::InUse),
    }
}

fn name(day: i64) -> Result<String, StoreError> {
    let unreadable = |error: jiff::Error| StoreError::Refused(format!("day {day} is out of range: {error}"));
    let date = Timestamp::UNIX_EPOCH.checked_add((day * 24).hours()).map_err(unreadable)?;
    Ok(format!("delivery_{}", date.strftime("%Y%m%d")))
}

fn day_of(partition: &str) -> Option<i64> {
    let date = jiff::civil::Date::strptime("%Y%m%d", partition.strip_prefix("delivery_")?).ok()?;
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(midnight.timestamp().as_microsecond().div_euclid(DAY_US))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_named_by_its_day_and_found_by_its_name() {
        assert_eq!(name(20_782).unwrap(), "delivery_20261125");
        assert_eq!(day_of("delivery_20261125"), Some(20_782));
        assert_eq!(day_of("delivery_default"), None);
    }
}

//! Which history of a database is the newest that was seen: a primary of an older one has been replaced, and whatever
//! it takes is lost.
//!
//! PostgreSQL counts a timeline up with every promotion. The highest is known to this process and kept in the database;
//! a database that was copied into another server (another system identifier) begins anew.

use std::sync::{Mutex, PoisonError};

use tokio_postgres::{Client, SimpleQueryMessage};

/// A server's place in the history of its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Timeline {
    /// Which database cluster it is; a standby has its primary's.
    pub system: String,
    /// How many promotions led to it, and one.
    pub number: i64,
}

/// By the file that is written now: what the control file says is as old as the last checkpoint. None of it needs a
/// right that a role lacks by default; an administrator may have taken one away.
const ASKED: &str = "SELECT (SELECT system_identifier FROM pg_control_system()),
    CASE WHEN pg_is_in_recovery() THEN NULL
        ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint END";
/// What it means that a server does not say, and what to do.
pub(super) const UNTOLD: &str = "the database does not tell which timeline it is on, so that an old primary that comes back \
    would not be known as one, and what it took would be lost; GRANT EXECUTE ON FUNCTION pg_control_system(), \
    pg_walfile_name(pg_lsn), pg_current_wal_lsn() TO the role of Fanfare";
/// Kept where a schema is, which is not so before it is made.
const KEPT: &str = "SELECT to_regclass('timeline') IS NOT NULL";

/// What the server says of it; nothing where it does not say, as servers that only resemble PostgreSQL do.
pub(super) async fn ask(client: &Client) -> Result<Option<Timeline>, tokio_postgres::Error> {
    let found = match first_row(client, ASKED).await {
        Ok(row) => row,
        Err(error) if error.as_db_error().is_some() => {
            tracing::debug!(%error, "the server does not tell its timeline");
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    Ok(found.and_then(|row| {
        let (system, number) = (row.get(0)?.to_owned(), row.get(1)?.parse().ok()?);
        Some(Timeline { system, number })
    }))
}

/// The highest that replicas have seen, as this server keeps it; and keeps this one if it is higher.
pub(super) async fn keep(client: &Client, seen: &Timeline) -> Result<i64, tokio_postgres::Error> {
    let is_kept = first_row(client, KEPT).await?;
    if is_kept.is_none_or(|row| row.get(0) != Some("t"))
        || !seen.system.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Ok(0);
    }
    let (system, number) = (&seen.system, seen.number);
    let highest = format!("SELECT highest FROM timeline WHERE system = {system}");
    let found = first_row(client, &highest).await?;
    let found = found.and_then(|row| row.get(0)?.parse().ok()).unwrap_or(0);
    if found < number {
        // No standby is waited for here: it is told again with the next connection.
        let keep = format!(
            "SET LOCAL synchronous_commit = off;
             INSERT INTO timeline (system, highest) VALUES ({system}, {number})
             ON CONFLICT (system) DO UPDATE SET highest = greatest(timeline.highest, excluded.highest)"
        );
        client.batch_execute(&keep).await?;
    }
    Ok(found)
}

async fn first_row(
    client: &Client,
    sql: &str,
) -> Result<Option<tokio_postgres::SimpleQueryRow>, tokio_postgres::Error> {
    let messages = client.simple_query(sql).await?;
    Ok(messages.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    }))
}

/// The highest timeline that this process has seen.
#[derive(Debug, Default)]
pub(super) struct Highest(Mutex<Option<Timeline>>);

impl Highest {
    /// Takes note of one; the highest, where this one is older.
    pub(super) fn see(&self, seen: &Timeline) -> Result<(), i64> {
        let mut highest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*highest {
            Some(known) if known.system == seen.system && known.number > seen.number => Err(known.number),
            _ => {
                *highest = Some(seen.clone());
                Ok(())
            }
        }
    }

    /// Whether one is newer than all that were seen.
    pub(super) fn is_newer(&self, seen: &Timeline) -> bool {
        let highest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        highest.as_ref().is_some_and(|known| known.system == seen.system && known.number < seen.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_history_of_the_same_database_is_refused() {
        let timeline = |system: &str, number| Timeline { system: system.into(), number };
        let highest = Highest::default();
        assert_eq!(highest.see(&timeline("7", 1)), Ok(()));
        assert!(highest.is_newer(&timeline("7", 2)));
        assert_eq!(highest.see(&timeline("7", 3)), Ok(()));
        assert_eq!(highest.see(&timeline("7", 1)), Err(3));
        assert_eq!(highest.see(&timeline("7", 3)), Ok(()));
        // A copy of the database on another server has a history of its own.
        assert_eq!(highest.see(&timeline("8", 1)), Ok(()));
    }
}

//! Whether a session is a session: poolers that give each transaction another one lose what belongs to it without a
//! word, and with few clients they give the same one again and again, so that it shows under load only.
//!
//! A second connection takes whichever session is free, and holds it by a transaction. If that is ours, or if ours is
//! another one meanwhile, sessions are not kept.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};
use tokio_util::sync::CancellationToken;

use super::connect::{ConnectError, Kept, Login, Target, greet};

/// How often it is tried: others may take a session just then.
const ROUNDS: usize = 3;
/// How long a session may let itself be waited for that should be there.
const SESSION_TIME_MAX: Duration = Duration::from_millis(600);

const WHO: &str = "SELECT pg_backend_pid()";

/// Makes sure that the session is kept which belongs to the server's process `pid`.
///
/// # Errors
/// It is not, or no second connection can be had in time to tell.
pub(super) async fn assert_sessions(
    login: &Login,
    target: &Target,
    client: &Client,
    pid: &str,
) -> Result<(), ConnectError> {
    let failed = |source: tokio_postgres::Error| match source.as_db_error() {
        // A pooler that gives each statement another session refuses transactions.
        Some(db) if *db.code() == SqlState::PROTOCOL_VIOLATION => {
            ConnectError::Pooled { target: target.to_string() }
        }
        _ => ConnectError::Postgres { target: target.to_string(), source },
    };
    let kept = Kept { place: None, stop: CancellationToken::new(), notifications: None };
    let greeted = tokio::time::timeout(SESSION_TIME_MAX, greet(login, target, kept)).await;
    let Ok(greeted) = greeted else {
        // All sessions that a pooler has are in use: what it does with them was seen when there were fewer.
        let was_seen = login.keeps_sessions.load(Ordering::Relaxed);
        return if was_seen { Ok(()) } else { Err(ConnectError::Late { target: target.to_string() }) };
    };
    let (second, _driver, _) = greeted?;
    for _ in 0..ROUNDS {
        second.batch_execute("BEGIN").await.map_err(failed)?;
        let theirs = who(&second).await.map_err(failed)?;
        // A pooler with one session lets us wait for the one that the other holds.
        let asked = tokio::time::timeout(SESSION_TIME_MAX, who(client)).await;
        let ours = asked.unwrap_or(Ok(None)).map_err(failed)?;
        if theirs.as_deref() == Some(pid) || ours.as_deref() != Some(pid) {
            return Err(ConnectError::Pooled { target: target.to_string() });
        }
        second.batch_execute("COMMIT").await.map_err(failed)?;
    }
    login.keeps_sessions.store(true, Ordering::Relaxed);
    Ok(())
}

async fn who(client: &Client) -> Result<Option<String>, tokio_postgres::Error> {
    let messages = client.simple_query(WHO).await?;
    Ok(messages.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}

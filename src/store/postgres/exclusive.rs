//! Work that one of several replicas does at a time: the one that holds an advisory lock, on the very connection it works on.
//!
//! When the connection is lost, so is the lock, and another replica goes on. Others ask for the lock again and again and
//! never wait for it.

use super::session::Session;
use super::settings::to_make_again;
use crate::store::StoreError;

/// Whose work is done one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Indexes are filled and dropped, or events removed: what one reads the other must not remove meanwhile.
    Indexes = 2,
    /// Calls are removed.
    Removal = 3,
}

const LOCK: &str = "SELECT pg_try_advisory_lock(hashtextextended($1, $2))";
const UNLOCK: &str = "SELECT pg_advisory_unlock(hashtextextended($1, $2))";
/// A replica that is stopped while it holds the lock loses it. What such work has written may be lost in a crash, because
/// the work is then found and done again: a commit does not wait for the disk while a batch holds rows.
const BEGIN: &str = "SET idle_session_timeout = '10s'; SET synchronous_commit = off";

/// A connection that holds the lock. Unless it was given back it is closed, and the lock with it.
pub(super) struct Exclusive {
    /// The connection.
    pub session: Session,
    schema: String,
    work: Work,
    is_unlocked: bool,
}

impl Exclusive {
    /// Takes the lock of one schema; `None` while another replica has it.
    pub(super) async fn lock(session: Session, schema: &str, work: Work) -> Result<Option<Self>, StoreError> {
        let mut held = Exclusive { session, schema: schema.to_owned(), work, is_unlocked: false };
        if !held.session.one(LOCK, &[&schema, &(work as i64)]).await?.get::<_, bool>(0) {
            held.is_unlocked = true;
            return Ok(None);
        }
        held.session.run(BEGIN).await?;
        Ok(Some(held))
    }

    /// Gives the lock back; after a failure the connection is closed instead.
    pub(super) async fn unlock(mut self, is_sound: bool) {
        // What is written on this connection afterwards is acknowledged, whatever the server's own setting is.
        let end = format!("RESET idle_session_timeout; {}", to_make_again(&[], &["synchronous_commit"]));
        self.is_unlocked = is_sound
            && self.session.run(&end).await.is_ok()
            && self.session.query(UNLOCK, &[&self.schema, &(self.work as i64)]).await.is_ok();
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        if !self.is_unlocked {
            self.session.throw_away();
        }
    }
}

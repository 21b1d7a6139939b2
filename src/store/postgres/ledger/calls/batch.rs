//! A batch of requests on its way to disk: decided, written in one statement, decided anew where the ground changed,
//! tried again where the database failed, and split where it refuses.

use std::time::{Duration, Instant};

use super::acceptor::Pending;
use super::decide::{Judged, judge};
use super::write;
use crate::store::StoreError;
use crate::store::acceptance::Decided;
use crate::store::calls::{Admitted, NewRequest};
use crate::store::postgres::PostgresDatabase;

/// How long a caller waits for a database that fails, or does not answer, before it is told to come back.
const TIME_MAX: Duration = Duration::from_secs(8);
/// The pause before the first try after a failure; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const PAUSE_MAX: Duration = Duration::from_millis(400);
/// How often a batch is decided anew before its callers are told to come back.
const DECISIONS_MAX: u32 = 50;

/// Commits the batch and answers every caller in it.
pub(super) async fn commit(database: &PostgresDatabase, batch: Vec<Pending>) {
    let mut batches = vec![batch];
    while let Some(batch) = batches.pop() {
        let (requests, callers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|pending| (pending.request, (pending.since, pending.answer))).unzip();
        let oldest = callers.iter().map(|(since, _)| *since).min().unwrap_or_else(Instant::now);
        let deadline = oldest + TIME_MAX;
        let late = || Err(StoreError::Unavailable("PostgreSQL did not answer in time".into()));
        let accepted = tokio::time::timeout_at(deadline.into(), accept(database, &requests, deadline)).await;
        match accepted.unwrap_or_else(|_| late()) {
            Ok(admitted) => {
                for ((_, answer), admitted) in callers.into_iter().zip(admitted) {
                    // The caller may have hung up; the call is accepted all the same.
                    drop(answer.send(Ok(admitted)));
                }
            }
            Err(error) if error.is_of_one_row() && requests.len() > 1 => {
                let again = requests.into_iter().zip(callers);
                let mut first: Vec<Pending> =
                    again.map(|(request, (since, answer))| Pending { request, since, answer }).collect();
                let second = first.split_off(first.len() / 2);
                batches.extend([second, first]);
            }
            Err(error) => callers.into_iter().for_each(|(_, answer)| drop(answer.send(Err(error.clone())))),
        }
    }
}

async fn accept(
    database: &PostgresDatabase,
    requests: &[NewRequest],
    deadline: Instant,
) -> Result<Vec<Admitted>, StoreError> {
    let (mut pause, mut decisions) = (FIRST_PAUSE, 0);
    // What was sent to be written and whose fate is unknown.
    let mut in_doubt: Option<Vec<Judged>> = None;
    loop {
        let failed = match once(database, requests, &mut in_doubt).await {
            Ok(Some(admitted)) => return Ok(admitted),
            Ok(None) if decisions < DECISIONS_MAX => {
                decisions += 1;
                continue;
            }
            Ok(None) => {
                return Err(StoreError::Unavailable("others keep taking the same keys or places".into()));
            }
            Err(error) => error,
        };
        if failed.is_of_one_row() || failed == StoreError::Closed || Instant::now() + pause >= deadline {
            return Err(failed);
        }
        tracing::debug!(error = %failed, calls = requests.len(), "calls could not be written; trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// One try. `None` says that keys or places were taken since they were looked at.
async fn once(
    database: &PostgresDatabase,
    requests: &[NewRequest],
    in_doubt: &mut Option<Vec<Judged>>,
) -> Result<Option<Vec<Admitted>>, StoreError> {
    let mut session = database.ledger().await?;
    let was_in_doubt = in_doubt.is_some();
    if let Some(judged) = in_doubt.take() {
        match write::is_written(&mut session, requests, &judged).await {
            Ok(true) => {
                if let Err(error) = session.until_all_is_kept().await {
                    *in_doubt = Some(judged);
                    return Err(error);
                }
                return Ok(Some(admitted(requests, judged)));
            }
            Ok(false) => {}
            Err(error) => {
                *in_doubt = Some(judged);
                return Err(error);
            }
        }
    }
    let judged = judge(&mut session, requests).await?;
    if judged.iter().all(|judged| matches!(judged, Decided::Settled(_))) {
        // What is answered a second time was seen only; where something is written, its commit comes behind.
        session.until_all_is_kept().await?;
    }
    match write::accept(&mut session, requests, &judged).await {
        Ok(write::Written::Yes) => Ok(Some(admitted(requests, judged))),
        Ok(write::Written::DecideAnew) => Ok(None),
        // The server was still at work on an earlier try that was cut off, and has written these very ids meanwhile.
        Err(StoreError::Refused(_))
            if was_in_doubt && write::is_written(&mut session, requests, &judged).await? =>
        {
            session.until_all_is_kept().await?;
            Ok(Some(admitted(requests, judged)))
        }
        Err(error) => {
            *in_doubt = Some(judged);
            Err(error)
        }
    }
}

fn admitted(requests: &[NewRequest], judged: Vec<Judged>) -> Vec<Admitted> {
    let each = requests.iter().zip(judged).map(|(request, judged)| match judged {
        Decided::Settled(admitted) => admitted,
        Decided::Write { new, answer } => Decided::admitted(request, &new, answer),
    });
    each.collect()
}

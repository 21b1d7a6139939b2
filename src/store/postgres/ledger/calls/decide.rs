//! Decides about a batch: what is known of its keys and rate windows is read at once, and what an earlier request of
//! the same batch takes counts for the later ones.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use jiff::Timestamp;

use super::super::rows::{get, unreadable};
use crate::domain::admission::{Answer, KeyKind, Refusal};
use crate::domain::rate_window::RateLimit;
use crate::store::StoreError;
use crate::store::acceptance::{Decided, Known, decide};
use crate::store::calls::{Admitted, NewKey, NewRequest};
use crate::store::postgres::session::Session;

/// What is to be done about a request.
pub(super) type Judged = Decided;

const KEYS: &str = "
    SELECT k.kind, k.scope, k.key, k.body_digest, k.answer, k.expires_at
    FROM unnest($1::text[], $2::text[], $3::smallint[]) AS x (scope, key, kind)
    JOIN call_key k ON k.scope = x.scope AND k.key = x.key AND k.kind = x.kind";

const USED: &str = sql!("
    SELECT r.name, (SELECT count(*) FROM (
        SELECT FROM call c WHERE c.trigger_name = r.name AND c.received_at > r.since AND c.state <> {call.refused}
        LIMIT r.most) counted)
    FROM unnest($1::text[], $2::bigint[], $3::bigint[]) r (name, since, most)");

const LEAVES: &str = sql!(
    "
    SELECT received_at FROM call WHERE trigger_name = $1 AND received_at > $2 AND state <> {call.refused}
    ORDER BY received_at OFFSET $3 LIMIT 1"
);

type Place<'a> = (i16, &'a str, &'a str);

/// Decides about every request, in their order.
pub(super) async fn judge(session: &mut Session, requests: &[NewRequest]) -> Result<Vec<Judged>, StoreError> {
    let known = read_keys(session, requests).await?;
    let mut windows = read_windows(session, requests).await?;
    let mut taken: HashMap<Place<'_>, Known> = HashMap::new();
    let mut judged = Vec::with_capacity(requests.len());
    for request in requests {
        let look = |kind: KeyKind, key: &NewKey| -> Result<Option<Known>, Infallible> {
            let place = (kind as i16, key.scope.as_str(), key.key.as_str());
            let earlier = taken.get(&place);
            let is_valid = |at: i64| at > request.received_at.as_microsecond();
            let before = || {
                let owned = (place.0, place.1.to_owned(), place.2.to_owned());
                known.get(&owned).filter(|(_, expires_at)| is_valid(*expires_at)).map(|(known, _)| known)
            };
            Ok(earlier.or_else(before).cloned())
        };
        let decided = match decide(request, look) {
            Ok(decided) => decided,
            Err(never) => match never {},
        };
        let decided = windows.admit(session, request, decided).await?;
        if let Decided::Write { new, answer } = &decided {
            take_keys(&mut taken, request, new, answer);
        }
        judged.push(decided);
    }
    Ok(judged)
}

/// The keys that a request occupies once it is written, each with what it is answered.
pub(super) fn keys_of<'a, 'b>(
    request: &'a NewRequest,
    new: &'b [usize],
    answer: &'b Answer,
) -> impl Iterator<Item = (KeyKind, &'a NewKey, Answer)> + use<'a, 'b> {
    let happenings = new.iter().filter_map(|index| {
        let call = &request.calls[*index];
        let first = Answer { id: call.id.clone(), calls: None };
        Some((KeyKind::Deduplication, call.deduplication.as_ref()?, first))
    });
    let idempotency = request.idempotency.as_ref().map(|key| (KeyKind::Idempotency, key, answer.clone()));
    idempotency.into_iter().chain(happenings)
}

fn take_keys<'a>(
    taken: &mut HashMap<Place<'a>, Known>,
    request: &'a NewRequest,
    new: &[usize],
    answer: &Answer,
) {
    for (kind, key, answer) in keys_of(request, new, answer) {
        let known = Known { body_digest: request.body_digest, answer };
        taken.insert((kind as i16, &key.scope, &key.key), known);
    }
}

async fn read_keys(
    session: &mut Session,
    requests: &[NewRequest],
) -> Result<HashMap<(i16, String, String), (Known, i64)>, StoreError> {
    let (mut scopes, mut keys, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    let mut add = |kind: KeyKind, key: &'_ NewKey| {
        scopes.push(key.scope.clone());
        keys.push(key.key.clone());
        kinds.push(kind as i16);
    };
    for request in requests {
        request.idempotency.iter().for_each(|key| add(KeyKind::Idempotency, key));
        let happenings = request.calls.iter().filter_map(|call| call.deduplication.as_ref());
        happenings.for_each(|key| add(KeyKind::Deduplication, key));
    }
    if kinds.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = session.query(KEYS, &[&scopes, &keys, &kinds]).await?;
    let known = rows.iter().map(|row| {
        let body_digest =
            get::<&[u8]>(row, 3)?.try_into().map_err(|_| unreadable("a digest of another length"))?;
        let answer = serde_json::from_str(get(row, 4)?).map_err(unreadable)?;
        Ok(((get(row, 0)?, get(row, 1)?, get(row, 2)?), (Known { body_digest, answer }, get(row, 5)?)))
    });
    known.collect()
}

/// How many places of each trigger's window are used, as far as this batch needs to know.
#[derive(Debug, Default)]
struct Windows(HashMap<String, Used>);

#[derive(Debug, Clone, Copy)]
struct Used {
    before: u64,
    here: u64,
}

/// The moment behind which calls count against the window of the request.
pub(super) fn since(request: &NewRequest, limit: RateLimit) -> i64 {
    let per = i64::try_from(limit.per.as_micros()).unwrap_or(i64::MAX);
    request.received_at.as_microsecond().saturating_sub(per)
}

async fn read_windows(session: &mut Session, requests: &[NewRequest]) -> Result<Windows, StoreError> {
    let mut asked: HashMap<&str, (i64, i64)> = HashMap::new();
    for request in requests {
        let Some(limit) = request.rate else { continue };
        let entry = asked.entry(request.trigger.as_str()).or_insert((i64::MAX, 0));
        *entry = (entry.0.min(since(request, limit)), entry.1.max(limit.calls.into()));
    }
    if asked.is_empty() {
        return Ok(Windows::default());
    }
    let names: Vec<&str> = asked.keys().copied().collect();
    let sinces: Vec<i64> = asked.values().map(|(since, _)| *since).collect();
    let most: Vec<i64> = asked.values().map(|(_, most)| *most).collect();
    let rows = session.query(USED, &[&names, &sinces, &most]).await?;
    let used = rows
        .iter()
        .map(|row| Ok((get(row, 0)?, Used { before: get::<i64>(row, 1)?.unsigned_abs(), here: 0 })));
    Ok(Windows(used.collect::<Result<_, StoreError>>()?))
}

impl Windows {
    /// Takes places for the new calls of a request, or turns it away.
    async fn admit(
        &mut self,
        session: &mut Session,
        request: &NewRequest,
        decided: Judged,
    ) -> Result<Judged, StoreError> {
        let (Some(limit), Decided::Write { new, .. }) = (request.rate, &decided) else { return Ok(decided) };
        let Some(used) = self.0.get_mut(request.trigger.as_str()) else { return Ok(decided) };
        let (count, most) = (new.len() as u64, u64::from(limit.calls));
        if used.before + used.here + count <= most {
            used.here += count;
            return Ok(decided);
        }
        let must_leave = used.before + used.here + count - most;
        let retry_after = if count > most || must_leave > used.before {
            limit.per
        } else {
            until_so_many_left(session, request, limit, must_leave).await?
        };
        Ok(Decided::Settled(Admitted::Refused(Refusal::RateWindow { retry_after })))
    }
}

async fn until_so_many_left(
    session: &mut Session,
    request: &NewRequest,
    limit: RateLimit,
    must_leave: u64,
) -> Result<Duration, StoreError> {
    let offset = i64::try_from(must_leave - 1).unwrap_or(i64::MAX);
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
        [&request.trigger.as_str(), &since(request, limit), &offset];
    let Some(row) = session.first(LEAVES, &values).await? else { return Ok(Duration::ZERO) };
    let leaves = Timestamp::from_microsecond(get(&row, 0)?)
        .map_err(unreadable)?
        .checked_add(limit.per)
        .unwrap_or(Timestamp::MAX);
    Ok(Duration::try_from(leaves.duration_since(request.received_at)).unwrap_or(Duration::ZERO))
}

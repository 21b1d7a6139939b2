//! Writes calls with their keys, refusals, and forgets keys that expired: each is one statement.

use std::collections::HashMap;

use jiff::Timestamp;
use tokio_postgres::types::ToSql;

use super::super::rows::get;
use super::decide::{Judged, keys_of, since};
use crate::domain::name::CallId;
use crate::store::StoreError;
use crate::store::acceptance::Decided;
use crate::store::calls::{NewCall, NewRequest, RefusalCount, RefusedCall};
use crate::store::postgres::error::is_decide_anew;
use crate::store::postgres::session::{Failed, Session};

const ACCEPT: &str =
    "SELECT accept_calls_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
    $18, $19)";
const ACCEPT_TRACED: &str =
    "SELECT accept_traced_calls_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
    $20, $21)";
const IS_WRITTEN: &str = "SELECT EXISTS (SELECT FROM call WHERE id = $1)";

/// Refused calls have an id of their own, so that a repetition writes none twice.
const REFUSE: &str = sql!("
    WITH refused AS (
        INSERT INTO call (id, trigger_name, credential, received_at, state, http_status, reason, finished_at)
        SELECT c.id, c.name, c.credential, c.received_at, {call.refused}, c.status, c.reason, c.received_at
        FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::int[], $6::text[])
            AS c (id, name, credential, received_at, status, reason)
        ON CONFLICT (id) DO NOTHING)
    INSERT INTO refusal_count AS r (trigger_name, http_status, reason, minute, refusals)
    SELECT k.name, k.status, k.reason, k.minute, sum(k.refusals)::bigint
    FROM unnest($7::text[], $8::int[], $9::text[], $10::bigint[], $11::bigint[])
        AS k (name, status, reason, minute, refusals)
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 4, 2, 3
    ON CONFLICT (trigger_name, minute, http_status, reason) DO UPDATE SET refusals = r.refusals + excluded.refusals");

const FORGET: &str = "
    WITH expired AS (
        SELECT scope, key, kind FROM call_key WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
        FOR UPDATE SKIP LOCKED)
    DELETE FROM call_key k USING expired e
    WHERE k.scope = e.scope AND k.key = e.key AND k.kind = e.kind RETURNING k.kind";

/// What came of writing a batch.
pub(super) enum Written {
    /// It is on disk.
    Yes,
    /// A key or a place in a window was taken meanwhile; nothing was kept.
    DecideAnew,
}

/// Writes what was decided to be written.
pub(super) async fn accept(
    session: &mut Session,
    requests: &[NewRequest],
    judged: &[Judged],
) -> Result<Written, StoreError> {
    let mut columns = Columns::default();
    for (request, judged) in requests.iter().zip(judged) {
        if let Decided::Write { new, answer } = judged {
            columns.moment = columns.moment.max(request.received_at.as_microsecond());
            new.iter().for_each(|index| columns.call(request, &request.calls[*index]));
            for (kind, key, answer) in keys_of(request, new, answer) {
                columns.key_kind.push(kind as i16);
                columns.key_scope.push(&key.scope);
                columns.key.push(&key.key);
                columns.key_digest.push(&request.body_digest);
                let text = serde_json::to_string(&answer).expect("an answer holds only texts");
                columns.key_answer.push(text);
                columns.key_expires.push(key.expires_at.as_microsecond());
            }
            columns.window(request, new.len());
        }
    }
    if columns.id.is_empty() && columns.key_kind.is_empty() {
        return Ok(Written::Yes);
    }
    let (traced_id, traced_by) =
        (std::mem::take(&mut columns.traced_id), std::mem::take(&mut columns.traced_by));
    let columns = columns.with_windows();
    let asked = match traced_id.is_empty() {
        true => session.ask(ACCEPT, &columns).await,
        false => {
            let traced: [&(dyn ToSql + Sync); 2] = [&traced_id, &traced_by];
            session.ask(ACCEPT_TRACED, &[&columns[..], &traced].concat()).await
        }
    };
    match asked {
        Ok(_) => Ok(Written::Yes),
        Err(Failed::Postgres(error)) if is_decide_anew(&error) => Ok(Written::DecideAnew),
        Err(failed) => Err(failed.to_store_error()),
    }
}

/// Whether a batch whose statement had no answer was written: it was written whole or not at all. One that has
/// only keys is decided anew, and finds them.
pub(super) async fn is_written(
    session: &mut Session,
    requests: &[NewRequest],
    judged: &[Judged],
) -> Result<bool, StoreError> {
    let first_new = requests.iter().zip(judged).find_map(|(request, judged)| match judged {
        Decided::Write { new, .. } => new.first().map(|index| &request.calls[*index].id),
        Decided::Settled(_) => None,
    });
    match first_new {
        Some(id) => get(&session.one(IS_WRITTEN, &[&id.as_str()]).await?, 0),
        None => Ok(false),
    }
}

/// The function's arguments.
#[derive(Default)]
struct Columns<'a> {
    moment: i64,
    id: Vec<&'a str>,
    request: Vec<Option<&'a str>>,
    trigger: Vec<&'a str>,
    credential: Vec<&'a str>,
    received: Vec<i64>,
    expires: Vec<Option<i64>>,
    version: Vec<&'a str>,
    params: Vec<&'a str>,
    key_kind: Vec<i16>,
    key_scope: Vec<&'a str>,
    key: Vec<&'a str>,
    key_digest: Vec<&'a [u8]>,
    key_answer: Vec<String>,
    key_expires: Vec<i64>,
    windows: HashMap<&'a str, (i64, i64, i64)>,
    rate_trigger: Vec<&'a str>,
    rate_calls: Vec<i64>,
    rate_since: Vec<i64>,
    rate_new: Vec<i64>,
    traced_id: Vec<&'a str>,
    traced_by: Vec<String>,
}

impl<'a> Columns<'a> {
    fn call(&mut self, request: &'a NewRequest, call: &'a NewCall) {
        self.id.push(call.id.as_str());
        self.request.push(request.request.as_ref().map(CallId::as_str));
        self.trigger.push(request.trigger.as_str());
        self.credential.push(&request.credential);
        self.received.push(request.received_at.as_microsecond());
        self.expires.push(call.expires_at.map(Timestamp::as_microsecond));
        self.version.push(request.version.as_str());
        self.params.push(&call.params);
        if let Some(trace) = request.trace {
            self.traced_id.push(call.id.as_str());
            self.traced_by.push(trace.to_string());
        }
    }

    fn window(&mut self, request: &'a NewRequest, new: usize) {
        let Some(limit) = request.rate else { return };
        let entry = self.windows.entry(request.trigger.as_str()).or_insert((0, i64::MAX, 0));
        entry.0 = entry.0.max(limit.calls.into());
        entry.1 = entry.1.min(since(request, limit));
        entry.2 += i64::try_from(new).unwrap_or(i64::MAX);
    }

    fn with_windows(&mut self) -> [&(dyn ToSql + Sync); 19] {
        for (name, (calls, since, new)) in std::mem::take(&mut self.windows) {
            self.rate_trigger.push(name);
            self.rate_calls.push(calls);
            self.rate_since.push(since);
            self.rate_new.push(new);
        }
        [
            &self.moment,
            &self.id,
            &self.request,
            &self.trigger,
            &self.credential,
            &self.received,
            &self.expires,
            &self.version,
            &self.params,
            &self.key_kind,
            &self.key_scope,
            &self.key,
            &self.key_digest,
            &self.key_answer,
            &self.key_expires,
            &self.rate_trigger,
            &self.rate_calls,
            &self.rate_since,
            &self.rate_new,
        ]
    }
}

/// Keeps refusals, those in full and those counted.
pub(super) async fn refuse(
    session: &mut Session,
    calls: &[RefusedCall],
    counts: &[RefusalCount],
) -> Result<(), StoreError> {
    let column = |of: fn(&RefusedCall) -> &str| calls.iter().map(of).collect::<Vec<&str>>();
    let credentials: Vec<Option<&str>> = calls.iter().map(|call| call.credential.as_deref()).collect();
    let received: Vec<i64> = calls.iter().map(|call| call.received_at.as_microsecond()).collect();
    let statuses: Vec<i32> = calls.iter().map(|call| call.http_status.into()).collect();
    let names: Vec<&str> = counts.iter().map(|count| count.trigger.as_str()).collect();
    let counted: Vec<i32> = counts.iter().map(|count| count.http_status.into()).collect();
    let reasons: Vec<&str> = counts.iter().map(|count| count.reason.as_str()).collect();
    let minutes: Vec<i64> = counts.iter().map(|count| count.minute).collect();
    let refusals: Vec<i64> =
        counts.iter().map(|count| i64::try_from(count.refusals).unwrap_or(i64::MAX)).collect();
    let values: [&(dyn ToSql + Sync); 11] = [
        &column(|call| call.id.as_str()),
        &column(|call| call.trigger.as_str()),
        &credentials,
        &received,
        &statuses,
        &column(|call| &call.reason),
        &names,
        &counted,
        &reasons,
        &minutes,
        &refusals,
    ];
    session.query(REFUSE, &values).await.map(drop)
}

/// Forgets keys that expired.
pub(super) async fn forget_keys(
    session: &mut Session,
    now: Timestamp,
    limit: u32,
) -> Result<usize, StoreError> {
    Ok(session.query(FORGET, &[&now.as_microsecond(), &i64::from(limit)]).await?.len())
}

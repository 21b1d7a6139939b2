//! One request's transaction: its keys are settled, the gate is asked, then calls and keys are written.
//!
//! A key that another request of the same commit wrote is seen here, so of a hundred at once one is new.

use rusqlite::{Connection, named_params};

use super::keys;
use crate::domain::admission::{Answer, KeyKind};
use crate::domain::name::CallId;
use crate::domain::state::CallState;
use crate::store::acceptance::{Decided, decide};
use crate::store::calls::{Admitted, NewCall, NewRequest};

pub(super) fn accept(connection: &Connection, request: &NewRequest) -> rusqlite::Result<Admitted> {
    let known = |kind, key: &_| keys::known(connection, kind, key, request.received_at);
    let (new, answer) = match decide(request, known)? {
        Decided::Settled(admitted) => return Ok(admitted),
        Decided::Write { new, answer } => (new, answer),
    };
    for index in &new {
        write_call(connection, request, &request.calls[*index])?;
    }
    if let Some(key) = &request.idempotency {
        keys::occupy(connection, KeyKind::Idempotency, key, &request.body_digest, &answer)?;
    }
    Ok(Decided::admitted(request, &new, answer))
}

fn write_call(connection: &Connection, request: &NewRequest, call: &NewCall) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO call (seq, id, request, trigger_name, credential, received_at, expires_at, version, params, state,
                           http_status, trace)
         SELECT max((SELECT coalesce(max(seq), 0) FROM call), call) + 1,
             :id, :request, :trigger, :credential, :received_at, :expires_at, :version, :params, :state, 202, :trace
         FROM number_given",
    )?;
    insert.execute(named_params! {
        ":id": call.id.as_str(),
        ":request": request.request.as_ref().map(CallId::as_str),
        ":trigger": request.trigger.as_str(),
        ":credential": request.credential.as_ref(),
        ":received_at": request.received_at.as_microsecond(),
        ":expires_at": call.expires_at.map(|at| at.as_microsecond()),
        ":version": request.version.as_str(),
        ":params": call.params,
        ":state": CallState::Accepted.code(),
        ":trace": request.trace.map(|trace| trace.to_string()),
    })?;
    if let Some(key) = &call.deduplication {
        let first = Answer { id: call.id.clone(), calls: None };
        keys::occupy(connection, KeyKind::Deduplication, key, &request.body_digest, &first)?;
    }
    Ok(())
}

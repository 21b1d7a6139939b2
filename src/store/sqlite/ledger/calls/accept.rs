//! One request's transaction: its keys are settled, the gate is asked, then calls and keys are written.
//!
//! A key that another request of the same commit wrote is seen here, so of a hundred at once one is new.

use std::collections::HashMap;

use rusqlite::{Connection, named_params};

use super::keys;
use crate::domain::admission::{Answer, KeyKind, Placed, Refusal};
use crate::domain::name::CallId;
use crate::domain::state::CallState;
use crate::store::calls::{Admitted, NewCall, NewRequest};

pub(super) fn accept(connection: &Connection, mut request: NewRequest) -> rusqlite::Result<Admitted> {
    if let Some(known) = known_idempotency(connection, &request)? {
        return Ok(known);
    }
    let placed = match place(connection, &request)? {
        Ok(placed) => placed,
        Err(admitted) => return Ok(admitted),
    };
    let new: Vec<usize> = placed
        .iter()
        .enumerate()
        .filter_map(|(index, placed)| matches!(placed, Placed::Id(_)).then_some(index))
        .collect();
    if let Some(gate) = request.gate.take()
        && let Err(refusal) = gate(&new)
    {
        return Ok(Admitted::Refused(refusal));
    }
    for index in &new {
        write_call(connection, &request, &request.calls[*index])?;
    }
    let answer = answer(&request, placed);
    if let Some(key) = &request.idempotency {
        keys::occupy(connection, KeyKind::Idempotency, key, &request.body_digest, &answer)?;
    }
    let is_new = !new.is_empty() || request.request.is_some();
    Ok(if is_new { Admitted::Accepted(answer) } else { Admitted::Again(answer) })
}

fn known_idempotency(connection: &Connection, request: &NewRequest) -> rusqlite::Result<Option<Admitted>> {
    let Some(key) = &request.idempotency else { return Ok(None) };
    let known = keys::known(connection, KeyKind::Idempotency, &key.scope, &key.key, request.received_at)?;
    Ok(known.map(|known| {
        if known.body_digest == request.body_digest {
            Admitted::Again(known.answer)
        } else {
            Admitted::Refused(Refusal::Conflict(KeyKind::Idempotency))
        }
    }))
}

/// What becomes of each call. A request that brings a single call is turned away if its happening was reported by
/// another body; an element of several is a duplicate all the same.
fn place(connection: &Connection, request: &NewRequest) -> rusqlite::Result<Result<Vec<Placed>, Admitted>> {
    let mut placed = Vec::with_capacity(request.calls.len());
    let mut within: HashMap<&str, &CallId> = HashMap::new();
    for call in &request.calls {
        let Some(key) = &call.deduplication else {
            placed.push(Placed::Id(call.id.clone()));
            continue;
        };
        if let Some(first) = within.get(key.key.as_str()) {
            placed.push(Placed::DuplicateOf((*first).clone()));
            continue;
        }
        match keys::known(connection, KeyKind::Deduplication, &key.scope, &key.key, request.received_at)? {
            None => {
                within.insert(&key.key, &call.id);
                placed.push(Placed::Id(call.id.clone()));
            }
            Some(known) if request.request.is_none() && known.body_digest != request.body_digest => {
                return Ok(Err(Admitted::Refused(Refusal::Conflict(KeyKind::Deduplication))));
            }
            Some(known) => placed.push(Placed::DuplicateOf(known.answer.id)),
        }
    }
    Ok(Ok(placed))
}

fn answer(request: &NewRequest, mut placed: Vec<Placed>) -> Answer {
    match &request.request {
        Some(id) => Answer { id: id.clone(), calls: Some(placed) },
        None => {
            let (Placed::Id(id) | Placed::DuplicateOf(id)) =
                placed.pop().expect("a request without forEach brings one call");
            Answer { id, calls: None }
        }
    }
}

fn write_call(connection: &Connection, request: &NewRequest, call: &NewCall) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO call (id, request, trigger_name, credential, received_at, expires_at, version, params, state,
                           http_status)
         VALUES (:id, :request, :trigger, :credential, :received_at, :expires_at, :version, :params, :state, 202)",
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
    })?;
    if let Some(key) = &call.deduplication {
        let first = Answer { id: call.id.clone(), calls: None };
        keys::occupy(connection, KeyKind::Deduplication, key, &request.body_digest, &first)?;
    }
    Ok(())
}

//! What becomes of a request once it is known which of its keys are taken: the same on every database.
//!
//! The store brings what it knows of keys, and writes what is decided here in one transaction.

use std::collections::HashMap;

use super::calls::{Admitted, NewKey, NewRequest};
use crate::domain::admission::{Answer, KeyKind, Placed, Refusal};
use crate::domain::name::CallId;

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// SHA-256 of the body that occupies it.
    pub body_digest: [u8; 32],
    /// What that one was answered.
    pub answer: Answer,
}

/// What is to be done about a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decided {
    /// Nothing is written.
    Settled(Admitted),
    /// The calls at these places are written, with the keys.
    Write {
        /// Which of the request's calls are new.
        new: Vec<usize>,
        /// What the caller is answered once they are.
        answer: Answer,
    },
}

impl Decided {
    /// What a request that is written amounts to: one whose only call was reported before is nothing new.
    pub(super) fn admitted(request: &NewRequest, new: &[usize], answer: Answer) -> Admitted {
        let is_new = !new.is_empty() || request.request.is_some();
        if is_new { Admitted::Accepted(answer) } else { Admitted::Again(answer) }
    }
}

/// Decides in the order of admission: idempotency key, happenings, then the gate.
///
/// # Errors
/// What is known could not be read.
pub(super) fn decide<E>(
    request: &NewRequest,
    mut known: impl FnMut(KeyKind, &NewKey) -> Result<Option<Known>, E>,
) -> Result<Decided, E> {
    if let Some(key) = &request.idempotency
        && let Some(known) = known(KeyKind::Idempotency, key)?
    {
        return Ok(Decided::Settled(if known.body_digest == request.body_digest {
            Admitted::Again(known.answer)
        } else {
            Admitted::Refused(Refusal::Conflict(KeyKind::Idempotency))
        }));
    }
    let placed = match place(request, known)? {
        Ok(placed) => placed,
        Err(admitted) => return Ok(Decided::Settled(admitted)),
    };
    let is_new = |(index, placed): (usize, &Placed)| matches!(placed, Placed::Id(_)).then_some(index);
    let new: Vec<usize> = placed.iter().enumerate().filter_map(is_new).collect();
    if let Some(gate) = &request.gate
        && let Err(refusal) = gate(&new)
    {
        return Ok(Decided::Settled(Admitted::Refused(refusal)));
    }
    Ok(Decided::Write { new, answer: answer(request, placed) })
}

/// What becomes of each call. A request that brings a single call is turned away if its happening was reported by
/// another body; an element of several is a duplicate all the same.
fn place<E>(
    request: &NewRequest,
    mut known: impl FnMut(KeyKind, &NewKey) -> Result<Option<Known>, E>,
) -> Result<Result<Vec<Placed>, Admitted>, E> {
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
        match known(KeyKind::Deduplication, key)? {
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

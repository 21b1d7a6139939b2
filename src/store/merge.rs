//! What a line makes of a customer: a pure decision over documents as they are kept.
//!
//! Both databases ask it, so that a line means the same on each.

use std::collections::BTreeMap;

use super::customers::{CustomerWrite, LineRefused};
use super::documents::{decode, decode_plain, encode, encode_plain};
use crate::domain::value::Value;

/// A customer's documents as they are kept: JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Documents {
    /// Ids by kind, without `registered`.
    pub other_ids: String,
    /// Attributes.
    pub attributes: String,
    /// Consents.
    pub consents: String,
}

/// What a line changes.
#[derive(Debug)]
pub(super) struct Changed {
    /// The attributes before it.
    pub before: BTreeMap<String, Value>,
    /// The attributes after it.
    pub after: BTreeMap<String, Value>,
    /// The documents after it.
    pub documents: Documents,
}

/// A customer who was not there before the line.
pub(super) fn created(line: &CustomerWrite) -> Result<Changed, LineRefused> {
    let mut after = BTreeMap::new();
    merge(&mut after, &line.attributes);
    let mut consents = BTreeMap::new();
    merge(&mut consents, &line.consents);
    let documents = Documents {
        other_ids: encode_plain(&line.other_ids),
        attributes: encode(&after),
        consents: encode_plain(&consents),
    };
    LineRefused::check_size(&documents.attributes)?;
    Ok(Changed { before: BTreeMap::new(), after, documents })
}

/// What a line makes of a customer who is there; nothing if all was so before.
pub(super) fn changed(
    documents: &Documents,
    line: &CustomerWrite,
) -> serde_json::Result<Result<Option<Changed>, LineRefused>> {
    let before = decode(&documents.attributes)?;
    let mut after = before.clone();
    merge(&mut after, &line.attributes);
    let mut consents: BTreeMap<String, bool> = decode_plain(&documents.consents)?;
    merge(&mut consents, &line.consents);
    let mut other_ids: BTreeMap<String, String> = decode_plain(&documents.other_ids)?;
    other_ids.extend(line.other_ids.clone());
    let new = Documents {
        other_ids: encode_plain(&other_ids),
        attributes: encode(&after),
        consents: encode_plain(&consents),
    };
    if new == *documents {
        return Ok(Ok(None));
    }
    let checked = LineRefused::check_size(&new.attributes);
    Ok(checked.map(|()| Some(Changed { before, after, documents: new })))
}

/// Lays changes over what is there; `None` removes.
fn merge<T: Clone>(values: &mut BTreeMap<String, T>, changes: &BTreeMap<String, Option<T>>) {
    for (name, change) in changes {
        match change {
            Some(value) => values.insert(name.clone(), value.clone()),
            None => values.remove(name),
        };
    }
}

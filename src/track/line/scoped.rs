//! A line of a Public key: what it may write is listed, and whom it is about is proven by its field `proof`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::{LineError, customer, event};
use crate::domain::credentials::TrackScope;
use crate::store::customers::{CustomerWrite, EventWrite};

/// Reads a customer's line as [`customer`] does, as far as the key goes.
///
/// # Errors
/// Names the field that is wrong, or that the key may not write.
pub fn scoped_customer(
    scope: &TrackScope,
    mut line: Json,
    now: Timestamp,
) -> Result<CustomerWrite, LineError> {
    let proof = take_proof(&mut line)?;
    let write = customer(line)?;
    scope.check(&write.registered, proof.as_deref(), now)?;
    listed("ids", write.other_ids.keys(), &scope.ids)?;
    listed("attributes", write.attributes.keys(), &scope.attributes)?;
    listed("attributes", write.parts.keys().filter_map(|path| path.first()), &scope.attributes)?;
    listed("consents", write.consents.keys(), &scope.consents)?;
    Ok(write)
}

/// Reads an event's line as [`event`] does, as far as the key goes.
///
/// # Errors
/// Names the field that is wrong, or that the key may not write.
pub fn scoped_event(scope: &TrackScope, mut line: Json, now: Timestamp) -> Result<EventWrite, LineError> {
    let proof = take_proof(&mut line)?;
    let write = event(line, now)?;
    scope.check(&write.registered, proof.as_deref(), now)?;
    listed("ids", write.other_ids.keys(), &scope.ids)?;
    match scope.events.contains(&write.event_type) {
        true => Ok(write),
        false => Err(LineError::NotListed(format!("events of the type {:?}", write.event_type))),
    }
}

fn take_proof(line: &mut Json) -> Result<Option<String>, LineError> {
    match line.as_object_mut().and_then(|fields| fields.remove("proof")) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(proof)) => Ok(Some(proof)),
        Some(_) => Err(LineError::Expected { place: "proof".into(), expected: "a text" }),
    }
}

fn listed<'a>(
    what: &str,
    mut names: impl Iterator<Item = &'a String>,
    may: &BTreeSet<String>,
) -> Result<(), LineError> {
    match names.find(|name| !may.contains(*name)) {
        Some(name) => Err(LineError::NotListed(format!("{what}.{name}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::secret::Secret;

    /// Until an hour after the epoch, with HMAC-SHA256 of `3600.ann` under `hunter2`.
    const PROOF: &str = "3600.0e863c3e9e29795086a4e45f5caefeab086769dd95669b9e83d59d05c994265d";
    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn scope() -> TrackScope {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        TrackScope {
            proven_by: Some("shop".into()),
            secrets: vec![Secret::new("hunter2")],
            events: names(&["view"]),
            attributes: names(&["size"]),
            ..TrackScope::default()
        }
    }

    fn refused(line: Json) -> String {
        scoped_customer(&scope(), line, NOW).unwrap_err().to_string()
    }

    #[test]
    fn what_is_listed_is_written_of_whom_is_proven() {
        let ids = json!({"registered": "ann"});
        let line = json!({"ids": ids, "attributes": {"size": 41}, "proof": PROOF});
        assert_eq!(scoped_customer(&scope(), line, NOW).unwrap().registered, "ann");
        let line = json!({"ids": ids, "type": "view", "proof": PROOF});
        assert_eq!(scoped_event(&scope(), line, NOW).unwrap().event_type, "view");
        let line = json!({"ids": ids, "type": "buy", "proof": PROOF});
        let buy = scoped_event(&scope(), line, NOW).unwrap_err().to_string();
        assert!(buy.contains("may not write events of the type \"buy\""), "{buy}");
        for (what, line) in [
            ("ids.cookie", json!({"ids": {"registered": "ann", "cookie": "c"}, "proof": PROOF})),
            (
                "attributes.phone",
                json!({"ids": ids, "attributes": {"size": 1, "phone": "+49"}, "proof": PROOF}),
            ),
            ("attributes.phone", json!({"ids": ids, "attributes": {"phone": null}, "proof": PROOF})),
            ("attributes.phone", json!({"ids": ids, "merge": {"phone": {"a": 1}}, "proof": PROOF})),
            ("attributes.phone", json!({"ids": ids, "merge": {" phone": "+49"}, "proof": PROOF})),
            ("consents.sms", json!({"ids": ids, "consents": {"sms": true}, "proof": PROOF})),
        ] {
            assert!(refused(line).contains(&format!("may not write {what};")), "{what}");
        }
    }

    #[test]
    fn who_is_not_proven_is_not_written() {
        for line in [
            json!({"ids": {"registered": "ann"}, "attributes": {"size": 41}}),
            json!({"ids": {"registered": "bob"}, "attributes": {"size": 41}, "proof": PROOF}),
            json!({"ids": {"registered": "ann"}, "attributes": {"size": 41}, "proof": "00"}),
        ] {
            assert!(refused(line).starts_with("proof is missing or wrong"));
        }
        assert_eq!(refused(json!({"ids": {"registered": "ann"}, "proof": 3})), "proof must be a text");
        let nothing = scoped_customer(
            &TrackScope::default(),
            json!({"ids": {"registered": "ann"}, "proof": PROOF}),
            NOW,
        );
        assert!(nothing.unwrap_err().to_string().contains("has no spec.track"));
    }
}

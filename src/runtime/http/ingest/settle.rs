//! What a call's params settle before the store is asked: when it expires, and which happening it reports.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::compile::{Expiry, Trigger};
use crate::domain::credentials::Digest;
use crate::domain::expression::{CallFacts, Expression, Facts};
use crate::domain::name::CallId;
use crate::domain::params::{Params, timestamp_from_text};
use crate::domain::value::{Members, Value};

/// A longer key is kept as its digest.
const KEY_BYTES_MAX: usize = 256;

/// When the call expires; what gives no moment never does. The error says what was found instead of a time.
pub(super) fn expires_at(
    trigger: &Trigger,
    id: &CallId,
    params: &Arc<Params>,
    now: Timestamp,
) -> Result<Option<Timestamp>, String> {
    let at = match &trigger.expiry {
        None => return Ok(None),
        Some(Expiry::After(length)) => return Ok(Some(now.checked_add(*length).unwrap_or(Timestamp::MAX))),
        Some(Expiry::At(at)) => at,
    };
    let not_a_time = |found: &str| format!("`{}` must be a time, found: {found}", at.source());
    match evaluate(at, trigger, id, params, now) {
        Ok(None) => Ok(None),
        Ok(Some(Value::Timestamp(at))) => Ok(Some(at)),
        Ok(Some(Value::Text(text))) => {
            timestamp_from_text(&text).map(Some).map_err(|_| not_a_time("a text that is none"))
        }
        Ok(Some(other)) => Err(not_a_time(other.kind().word())),
        Err(reason) => Err(not_a_time(&reason)),
    }
}

/// The happening the call reports, as a key; `None` if it tells none, and then it is a call of its own.
pub(super) fn deduplication(
    trigger: &Trigger,
    id: &CallId,
    params: &Arc<Params>,
    now: Timestamp,
) -> Result<Option<String>, String> {
    let Some(deduplicate) = &trigger.deduplicate else { return Ok(None) };
    let value = evaluate(&deduplicate.by, trigger, id, params, now)
        .map_err(|reason| format!("`{}` cannot be told: {reason}", deduplicate.by.source()))?;
    // JSON keeps the kinds apart: the text `5` and the number 5 are two happenings.
    let key = value.map(|value| canonical(&value).to_json().to_string());
    Ok(key.map(|key| if key.len() > KEY_BYTES_MAX { digest(&key) } else { key }))
}

/// Numbers that are equal make one key, however a caller writes them: 5 and 5.0 are one happening.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(number.canonical()),
        Value::List(elements) => Value::List(elements.iter().map(canonical).collect()),
        Value::Object(members) => {
            let mut members: Members =
                members.iter().map(|(name, member)| (name.clone(), canonical(member))).collect();
            members.sort_unstable_keys();
            Value::Object(Arc::new(members))
        }
        other => other.clone(),
    }
}

fn digest(key: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("sha256:");
    for byte in Digest::of(key).as_bytes() {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
    }
    text
}

fn evaluate(
    expression: &Expression,
    trigger: &Trigger,
    id: &CallId,
    params: &Arc<Params>,
    now: Timestamp,
) -> Result<Option<Value>, String> {
    let call = CallFacts {
        id: id.clone(),
        trigger: trigger.name.clone(),
        received_at: now,
        params: Arc::clone(params),
        consent_defaults: Arc::new(BTreeMap::new()),
    };
    expression.evaluate(Facts::of_call(&call, now)).map_err(|reason| reason.to_string())
}

//! A line that adds an event.

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::super::timestamp;
use super::customer::ids_to_json;
use super::fields::{checked, ids, known_fields, trimmed, values};
use super::{LineError, NAME_BYTES_MAX};
use crate::domain::value::object_to_json;
use crate::store::customers::EventWrite;

/// Reads an event's line; one without a timestamp happens `now`. A property that is null is left out.
///
/// # Errors
/// Names the field that is wrong and what was expected.
pub fn event(line: Json, now: Timestamp) -> Result<EventWrite, LineError> {
    let mut fields = known_fields(line, "ids, type, timestamp, properties")?;
    let ids = ids(&mut fields)?;
    Ok(EventWrite {
        registered: ids.registered,
        other_ids: ids.others,
        event_type: event_type(&mut fields)?,
        timestamp: moment(&mut fields, now)?,
        properties: values(&mut fields, "properties")?
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect(),
    })
}

fn event_type(fields: &mut Map<String, Json>) -> Result<String, LineError> {
    match fields.remove("type") {
        Some(Json::String(name)) => {
            let name = trimmed(&name);
            checked(name, "type", NAME_BYTES_MAX).map(|()| name.to_owned())
        }
        _ => Err(LineError::Expected { place: "type".into(), expected: "a text such as policy_purchased" }),
    }
}

fn moment(fields: &mut Map<String, Json>, now: Timestamp) -> Result<Timestamp, LineError> {
    match fields.remove("timestamp") {
        None | Some(Json::Null) => Ok(now),
        Some(json) => timestamp::from_json(&json).ok_or(LineError::Expected {
            place: "timestamp".into(),
            expected: "an RFC 3339 time with its offset (2026-01-31T18:00:00Z), or seconds since 1970 (as text with \
                       nine digits or more)",
        }),
    }
}

/// The line that means this, as the API takes it.
pub fn event_to_json(write: &EventWrite) -> Json {
    json!({
        "ids": ids_to_json(&write.registered, &write.other_ids),
        "type": write.event_type,
        "timestamp": write.timestamp.to_string(),
        "properties": object_to_json(&write.properties),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: Json) -> Result<EventWrite, LineError> {
        event(line, Timestamp::from_second(7).unwrap())
    }

    #[test]
    fn reads_back_what_it_writes() {
        let line = json!({"ids": {"registered": "ann"}, "type": "buy", "timestamp": "2024-05-01T10:00:00.5Z",
            "properties": {"price": 9.5}});
        assert_eq!(event_to_json(&read(line.clone()).unwrap()), line);
    }

    #[test]
    fn happens_now_unless_it_says_when() {
        let read_at = read(json!({"ids": {"registered": "ann"}, "type": "buy"})).unwrap().timestamp;
        assert_eq!(read_at, Timestamp::from_second(7).unwrap());
        let local = json!({"ids": {"registered": "ann"}, "type": "buy", "timestamp": "2024-05-01T10:00:00"});
        let refused = read(local).unwrap_err().to_string();
        assert!(refused.starts_with("timestamp must be an RFC 3339 time with its offset"), "{refused}");
        assert!(read(json!({"ids": {"registered": "ann"}, "type": 3})).is_err());
    }
}

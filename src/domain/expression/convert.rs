//! Between this language's values and Jinja's, and between kinds: `number(…)`, `timestamp(…)`, `text(…)`.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use minijinja::Value as Jinja;
use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};

use super::meter::weigh;
use super::truth::TOO_LARGE;
use crate::domain::duration::duration_from_text;
use crate::domain::jinja::Moment;
use crate::domain::params::{timestamp_from_json, timestamp_from_text};
use crate::domain::value::{Kind, Members, Number, Value, number_from_text};

/// A value for Jinja, sharing what it holds.
pub(crate) fn to_jinja(value: &Value) -> Jinja {
    match value {
        Value::Text(text) => Jinja::from(Arc::clone(text)),
        // 10.0 and 10 are one number here, and so is how they are written.
        Value::Number(number) => match number.canonical() {
            Number::Integer(integer) => Jinja::from(integer),
            Number::Double(double) => Jinja::from(double),
        },
        Value::Boolean(boolean) => Jinja::from(*boolean),
        Value::Timestamp(timestamp) => Jinja::from_object(Moment(*timestamp)),
        Value::List(list) => Jinja::from_object(ListObject(Arc::clone(list))),
        Value::Object(object) => Jinja::from_object(MapObject(Arc::clone(object))),
        Value::Null => Jinja::from(()),
    }
}

/// A list inside Jinja; its elements become Jinja's when they are asked for.
#[derive(Debug)]
pub(super) struct ListObject(pub Arc<[Value]>);

impl Object for ListObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.0.get(key.as_usize()?).map(to_jinja)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }
}

/// An object inside Jinja; its members become Jinja's when they are asked for.
#[derive(Debug)]
pub(crate) struct MapObject(pub Arc<Members>);

impl Object for MapObject {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.0.get(key.as_str()?).map(to_jinja)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Jinja> {
        self.0.get(key).map(to_jinja)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(Jinja::from).collect())
    }

    /// Without a list of the names, which the default makes.
    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.0.len())
    }
}

/// How deep a value that Jinja made may nest; ours come from JSON, which is bounded at the door.
const DEPTH_MAX: usize = 64;

/// What a value that an expression made may weigh: the bytes of its texts and 32 for each element, as often as it
/// holds them. As much as the largest body that a trigger takes.
pub(crate) const MADE_UNITS_MAX: u64 = 16 * 1024 * 1024;

/// A value from Jinja; `None` is missing.
///
/// # Errors
/// Says what cannot be one: bytes, a number out of range, what nests too deep or is too large.
pub(crate) fn from_jinja(value: &Jinja) -> Result<Option<Value>, String> {
    Intake { left: MADE_UNITS_MAX }.value(value, 0)
}

/// What may still be taken over from Jinja.
struct Intake {
    left: u64,
}

impl Intake {
    fn pay(&mut self, units: u64) -> Result<(), String> {
        let too_large = || format!("{TOO_LARGE}: it weighs more than {MADE_UNITS_MAX} bytes");
        self.left = self.left.checked_sub(units).ok_or_else(too_large)?;
        Ok(())
    }

    /// Takes a value of ours over as it is.
    fn own(&mut self, value: Value) -> Result<Value, String> {
        let units = weigh(&value, self.left).unwrap_or(u64::MAX);
        self.pay(units)?;
        Ok(value)
    }

    fn value(&mut self, value: &Jinja, depth: usize) -> Result<Option<Value>, String> {
        if depth > DEPTH_MAX {
            return Err("the value nests too deep".to_owned());
        }
        Ok(Some(match value.kind() {
            ValueKind::Undefined | ValueKind::None => return Ok(None),
            ValueKind::Bool => self.own(Value::Boolean(value.is_true()))?,
            ValueKind::Number => self.own(Value::Number(number_from_jinja(value)?))?,
            ValueKind::String => self.own(Value::Text(value.to_str().ok_or("this is no text")?))?,
            ValueKind::Seq | ValueKind::Iterable => match value.downcast_object_ref::<ListObject>() {
                Some(list) => self.own(Value::List(Arc::clone(&list.0)))?,
                None => self.list(value, depth)?,
            },
            ValueKind::Map => match value.downcast_object_ref::<MapObject>() {
                Some(map) => self.own(Value::Object(Arc::clone(&map.0)))?,
                None => self.object(value, depth)?,
            },
            kind => match value.downcast_object_ref::<Moment>() {
                Some(moment) => Value::Timestamp(moment.0),
                None => return Err(format!("{kind} is no value here")),
            },
        }))
    }

    fn list(&mut self, value: &Jinja, depth: usize) -> Result<Value, String> {
        let mut items = Vec::new();
        for item in value.try_iter().map_err(|error| error.to_string())?.checked() {
            let item = item.map_err(|error| error.to_string())?;
            match self.value(&item, depth + 1)? {
                Some(item) => items.push(item),
                // What is missing is none; what is null keeps its place.
                None if item.is_none() => items.push(self.own(Value::Null)?),
                None => {}
            }
        }
        Ok(Value::List(items.into()))
    }

    fn object(&mut self, value: &Jinja, depth: usize) -> Result<Value, String> {
        let mut members = Members::default();
        for key in value.try_iter().map_err(|error| error.to_string())? {
            let name = key.as_str().ok_or("an object's names are texts")?;
            self.pay(name.len() as u64)?;
            let member = value.get_item(&key).map_err(|error| error.to_string())?;
            if let Some(member) = self.value(&member, depth + 1)? {
                members.insert(name.to_owned(), member);
            }
        }
        Ok(Value::Object(Arc::new(members)))
    }
}

fn number_from_jinja(value: &Jinja) -> Result<Number, String> {
    if let Some(integer) = value.as_i64().filter(|_| value.is_integer()) {
        return Ok(Number::Integer(integer));
    }
    let double = f64::try_from(value.clone()).map_err(|error| error.to_string())?;
    if value.is_integer() && i128::try_from(value.clone()).is_ok_and(|whole| double as i128 != whole) {
        return Err("the number has more digits than are kept".to_owned());
    }
    Number::from_f64(double).map_err(|error| error.to_string())
}

/// Converts to a kind; `None` where it does not convert, which is missing.
///
/// A number is read from a text as JSON writes it; a timestamp from RFC 3339, from a date (midnight UTC) and from
/// Unix seconds; a text is written as a message prints it.
pub(crate) fn convert(to: Kind, value: &Value) -> Option<Value> {
    match (to, value) {
        (Kind::Number, Value::Number(_))
        | (Kind::Timestamp, Value::Timestamp(_))
        | (Kind::Text, Value::Text(_)) => Some(value.clone()),
        (Kind::Number, Value::Text(text)) => number_from_text(text).map(Value::Number),
        (Kind::Timestamp, Value::Text(text)) => parse_timestamp(text).map(Value::Timestamp),
        (Kind::Timestamp, Value::Number(number)) => {
            timestamp_from_json(&number.to_json()).ok().map(Value::Timestamp)
        }
        // A whole double beyond 2^53 has lost digits; another number in its place would be worse than none.
        (Kind::Text, Value::Number(number)) => number.is_exact().then(|| Value::text(number.to_string())),
        (Kind::Text, Value::Boolean(boolean)) => Some(Value::text(if *boolean { "true" } else { "false" })),
        (Kind::Text, Value::Timestamp(timestamp)) => Some(Value::text(timestamp.to_string())),
        _ => None,
    }
}

/// Reads a length of time as manifests write it; `None` for anything else.
pub(crate) fn parse_duration(text: &str) -> Option<SignedDuration> {
    SignedDuration::try_from(duration_from_text(text).ok()?).ok()
}

/// Reads a moment of a text, as everywhere; what is finer than microseconds is cut.
pub(crate) fn parse_timestamp(text: &str) -> Option<Timestamp> {
    timestamp_from_text(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_go_to_jinja_and_back() {
        let json = json!({"a": [1, 2.5, null, "x", true, [null]], "b": {"c": []}});
        let value = Value::from_json(&json).unwrap().unwrap();
        assert_eq!(from_jinja(&to_jinja(&value)), Ok(Some(value)));
        let moment = Value::Timestamp("2026-11-01T00:00:00.123456Z".parse().unwrap());
        assert_eq!(from_jinja(&to_jinja(&moment)), Ok(Some(moment.clone())));
        assert_eq!(to_jinja(&moment).to_string(), "2026-11-01T00:00:00.123456Z");
    }

    #[test]
    fn converts_what_converts() {
        let number = |text: &str| convert(Kind::Number, &Value::text(text));
        assert_eq!(number("5"), Some(Value::integer(5)));
        assert_eq!(number(" 2.50 "), Some(Value::Number(Number::Double(2.5))));
        assert_eq!(number("five"), None);
        assert_eq!(number("1e999"), None);
        assert_eq!(convert(Kind::Number, &Value::Boolean(true)), None);
        let moment =
            |value: Value| convert(Kind::Timestamp, &value).and_then(|value| convert(Kind::Text, &value));
        let midnight = Some(Value::text("2026-11-01T00:00:00Z"));
        assert_eq!(moment(Value::text("2026-11-01")), midnight);
        assert_eq!(moment(Value::text("2026-11-01T01:00:00+01:00")), midnight);
        assert_eq!(moment(Value::integer(1_793_491_200)), midnight);
        assert_eq!(moment(Value::text("yesterday")), None);
        assert_eq!(moment(Value::integer(i64::MAX)), None);
        assert_eq!(convert(Kind::Text, &Value::Number(Number::Double(18_446_744_073_709_552_000.0))), None);
        let never = convert(Kind::Timestamp, &Value::text("9999-12-31T23:59:59Z"));
        assert!(
            matches!(never, Some(Value::Timestamp(never)) if never.as_microsecond() == Timestamp::MAX.as_microsecond())
        );
    }
}

//! Reads a few values out of a document without building the rest.
//!
//! Where a selection is checked on candidates, this and `Test::accepts` decide, so that a check means exactly
//! what an index does.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::documents::OneValue;
use crate::domain::value::{Members, Value};

/// A place for a value, and what remains of its path below the outermost name.
type Wanted = (usize, Vec<String>);

/// The paths to read, each into its own place.
#[derive(Debug, Default)]
pub(super) struct JsonProjection {
    /// By outermost name: the places and what remains of their paths.
    names: Vec<(String, Vec<Wanted>)>,
    places: usize,
}

impl JsonProjection {
    /// Adds a path; answers where its value will be.
    pub(super) fn add(&mut self, path: &[String]) -> usize {
        let place = self.places;
        self.places += 1;
        if let Some((first, rest)) = path.split_first() {
            let wanted = (place, rest.to_vec());
            match self.names.iter_mut().find(|(name, _)| name == first) {
                Some((_, places)) => places.push(wanted),
                None => self.names.push((first.clone(), vec![wanted])),
            }
        }
        place
    }

    /// Whether nothing is to be read.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Reads the values; `None` is missing.
    pub(super) fn read(&self, document: &str) -> serde_json::Result<Vec<Option<Value>>> {
        let mut json = serde_json::Deserializer::from_str(document);
        json.deserialize_map(Reading { paths: self, values: vec![None; self.places] })
    }
}

struct Reading<'a> {
    paths: &'a JsonProjection,
    values: Vec<Option<Value>>,
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Vec<Option<Value>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<Self::Value, A::Error> {
        while let Some(wanted) = object.next_key_seed(Name(self.paths))? {
            match wanted {
                None => drop(object.next_value::<IgnoredAny>()?),
                Some(wanted) => {
                    let value = object.next_value_seed(OneValue)?;
                    for (place, rest) in wanted {
                        self.values[*place] = value.as_ref().and_then(|value| within(value, rest)).cloned();
                    }
                }
            }
        }
        Ok(self.values)
    }
}

/// The value at a path; a path through what is no object leads nowhere.
pub(super) fn at_path<'a>(values: &'a Members, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    within(values.get(first)?, rest)
}

/// The value at the rest of a path; a path through what is no object leads nowhere.
fn within<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| match value {
        Value::Object(object) => object.get(name),
        _ => None,
    })
}

/// Finds what is wanted under a name, without keeping the name.
struct Name<'a>(&'a JsonProjection);

impl<'de, 'a> DeserializeSeed<'de> for Name<'a> {
    type Value = Option<&'a [Wanted]>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Name<'a> {
    type Value = Option<&'a [Wanted]>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let found = self.0.names.iter().find(|(wanted, _)| wanted == name);
        Ok(found.map(|(_, places)| places.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_wanted_and_nothing_else() {
        let mut paths = JsonProjection::default();
        let path = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        for wanted in [&["a", "b"][..], &["a"], &["z"], &["t", "u"], &["n"]] {
            paths.add(&path(wanted));
        }
        let values = paths.read(r#"{"a":{"b":[1],"c":2},"k":{"n":9},"n":3,"t":"text"}"#).unwrap();
        let shown: Vec<_> = values.iter().map(|value| value.as_ref().map(Value::to_json)).collect();
        let json = |text: &str| Some(serde_json::from_str(text).unwrap());
        assert_eq!(shown, [json("[1]"), json(r#"{"b":[1],"c":2}"#), None, None, json("3")]);
    }
}

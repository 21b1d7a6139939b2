//! Where each value of an object was written.

use std::collections::BTreeMap;

use super::path;
use super::source::SourcePlace;

/// Where each value and each key of one object was written, by field path.
#[derive(Clone, Debug)]
pub struct Places {
    values: BTreeMap<String, SourcePlace>,
    keys: BTreeMap<String, SourcePlace>,
}

impl Places {
    /// Knows only where the object as a whole was written.
    pub fn of_object(object: SourcePlace) -> Self {
        Self { values: BTreeMap::from([(String::new(), object)]), keys: BTreeMap::new() }
    }

    /// The place of the value at a field path such as `spec.nodes[2].condition.if`; of the nearest one around it if
    /// nothing was written there.
    pub fn value(&self, field: &str) -> &SourcePlace {
        let mut field = field;
        loop {
            match (self.values.get(field), path::parent(field)) {
                (Some(place), _) => return place,
                (None, Some(parent)) => field = parent,
                (None, None) => unreachable!("the root has a place from the start"),
            }
        }
    }

    /// The place of the key that a field path ends in; of the value if it has none.
    pub fn key(&self, field: &str) -> &SourcePlace {
        self.keys.get(field).unwrap_or_else(|| self.value(field))
    }

    pub(super) fn set_value(&mut self, field: &str, place: &SourcePlace) {
        self.values.insert(field.to_owned(), place.clone());
    }

    pub(super) fn set_key(&mut self, field: &str, place: &SourcePlace) {
        self.keys.insert(field.to_owned(), place.clone());
    }

    /// The places below one field, as those of an object of its own.
    pub(super) fn below(&self, field: &str) -> Self {
        let within = |places: &BTreeMap<String, SourcePlace>| {
            let below = places.iter().filter_map(|(at, place)| {
                let rest = at.strip_prefix(field)?;
                let rest = rest
                    .strip_prefix('.')
                    .or_else(|| (rest.is_empty() || rest.starts_with('[')).then_some(rest))?;
                Some((rest.to_owned(), place.clone()))
            });
            below.collect()
        };
        let mut below = Self { values: within(&self.values), keys: within(&self.keys) };
        below.values.entry(String::new()).or_insert_with(|| self.value(field).clone());
        below
    }
}

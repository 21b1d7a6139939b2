//! What customers have as attributes, from a bounded look at some of them: contents are tried with it.

use std::collections::BTreeMap;

use super::documents::decode;
use crate::domain::render::{AttributeSeen, AttributesSeen};
use crate::domain::value::Value;

/// How many customers are looked at, of those that came last and of those that came first.
pub(super) const CUSTOMERS_A_SIDE: usize = 500;

/// How many bytes of documents are read on each side; beyond it no further customer is looked at.
pub(super) const BYTES_A_SIDE: usize = 2 * 1024 * 1024;

/// How many paths are told apart; a base that invents names for each customer says nothing by them.
const PATHS_MAX: usize = 2_000;

/// How deep in objects paths are followed.
const DEPTH_MAX: usize = 4;

/// Collects what documents hold.
#[derive(Debug, Default)]
pub(super) struct Sample {
    customers: usize,
    /// By path: its kinds, and how many of the customers have it.
    paths: BTreeMap<String, (AttributeSeen, usize)>,
}

impl Sample {
    /// Looks at one customer's attributes.
    pub fn look(&mut self, document: &str) -> serde_json::Result<()> {
        self.customers += 1;
        for (name, value) in decode(document)? {
            self.note(name, &value, 1);
        }
        Ok(())
    }

    fn note(&mut self, path: String, value: &Value, depth: usize) {
        if let Value::Object(members) = value
            && depth < DEPTH_MAX
        {
            members.iter().for_each(|(name, member)| self.note(format!("{path}.{name}"), member, depth + 1));
        }
        if self.paths.len() >= PATHS_MAX && !self.paths.contains_key(&path) {
            return;
        }
        let (seen, customers) = self.paths.entry(path).or_default();
        seen.kinds.insert(value.kind());
        *customers += 1;
    }

    /// What was seen.
    pub fn seen(self) -> AttributesSeen {
        let of_all = self.customers;
        let seen = self.paths.into_iter().map(|(path, (mut seen, customers))| {
            seen.missing = customers < of_all;
            (path, seen)
        });
        seen.collect::<BTreeMap<String, AttributeSeen>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::value::Kind;

    #[test]
    fn kinds_and_what_some_lack_are_seen() {
        let mut sample = Sample::default();
        for document in [
            r#"{"age":5,"address":{"zip":"1010"},"name":"Ann"}"#,
            r#"{"age":"5","name":"Bob","tags":[null]}"#,
        ] {
            sample.look(document).unwrap();
        }
        let seen = sample.seen();
        let of = |path: &str| (seen[path].kinds.iter().copied().collect::<Vec<_>>(), seen[path].missing);
        assert_eq!(of("age"), (vec![Kind::Text, Kind::Number], false));
        assert_eq!(of("name"), (vec![Kind::Text], false));
        assert_eq!(of("address.zip"), (vec![Kind::Text], true));
        assert_eq!(of("address"), (vec![Kind::Object], true));
        assert_eq!(of("tags"), (vec![Kind::List], true));
    }

    #[test]
    fn a_base_that_invents_names_stays_within_its_bound() {
        let mut sample = Sample::default();
        for number in 0..3 * PATHS_MAX {
            sample.look(&format!(r#"{{"a{number}":1}}"#)).unwrap();
        }
        assert_eq!(sample.seen().len(), PATHS_MAX);
    }
}

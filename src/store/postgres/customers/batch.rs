//! Decides the lines of one batch over what was read of the customers they name, one line after the other.
//!
//! Nothing is asked here: what the lines come to is written as a whole, or decided anew when its ground has changed.

use std::collections::{BTreeMap, HashMap};

use super::damaged;
use crate::domain::customer::CustomerKey;
use crate::domain::value::Members;
use crate::store::StoreError;
use crate::store::customers::{CustomerWrite, LineRefused, LineResult};
use crate::store::merge::{self, Changed, Documents};
use crate::store::side_index::SideIndex;

/// The kind of the id a CRM knows a customer by; no other id is of this kind.
pub(super) const REGISTERED: &str = "registered";

/// A customer as read, or as decided so far.
#[derive(Debug, Clone)]
pub(super) struct Person {
    /// Which revision was read; none of one who is new.
    pub revision: Option<i64>,
    /// The id a CRM knows the customer by.
    pub registered: String,
    /// The documents.
    pub documents: Documents,
}

/// What was read for a batch, and what its lines have come to so far.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The indexes that the batch keeps.
    pub indexes: Vec<SideIndex>,
    /// Who has an id: by id and kind.
    pub identities: HashMap<String, BTreeMap<String, i64>>,
    /// Customers by key.
    pub people: HashMap<i64, Person>,
    /// Keys for those who are new, in order.
    pub fresh: std::vec::IntoIter<i64>,
    /// Who was changed: the attributes before and after.
    pub touched: BTreeMap<i64, Touched>,
    /// The ids that are given: id, kind and whose. In order, so that writers wait for each other and not in a circle.
    pub given: BTreeMap<(String, String), i64>,
}

/// The attributes of a changed customer.
#[derive(Debug)]
pub(super) struct Touched {
    /// Before the batch.
    pub before: Members,
    /// After it.
    pub after: Members,
}

impl Batch {
    /// Who has this id.
    pub(super) fn owner(&self, kind: &str, id: &str) -> Option<i64> {
        self.identities.get(id)?.get(kind).copied()
    }

    /// Decides a line that creates or changes a customer.
    pub(super) fn decide(&mut self, line: &CustomerWrite) -> Result<LineResult, StoreError> {
        let key = self.owner(REGISTERED, &line.registered);
        if let Some(refused) = self.taken(key, &line.other_ids) {
            return Ok(Err(refused));
        }
        match key {
            Some(key) => self.change(key, line),
            None => self.create(line),
        }
    }

    /// The key of an event's customer, created with nothing but its ids if it is not known yet.
    pub(super) fn customer_of_event(
        &mut self,
        registered: &str,
        other_ids: &BTreeMap<String, String>,
    ) -> Result<LineResult, StoreError> {
        if other_ids.is_empty()
            && let Some(key) = self.owner(REGISTERED, registered)
        {
            return Ok(Ok(CustomerKey(key)));
        }
        self.decide(&CustomerWrite {
            registered: registered.to_owned(),
            other_ids: other_ids.clone(),
            ..CustomerWrite::default()
        })
    }

    /// The first of these ids that another customer has.
    fn taken(&self, customer: Option<i64>, other_ids: &BTreeMap<String, String>) -> Option<LineRefused> {
        other_ids.iter().find_map(|(kind, id)| {
            let owner = self.owner(kind, id).filter(|owner| Some(*owner) != customer)?;
            let owner = self.people.get(&owner).map(|owner| owner.registered.clone()).unwrap_or_default();
            Some(LineRefused::IdTaken { kind: kind.clone(), id: id.clone(), owner })
        })
    }

    fn create(&mut self, line: &CustomerWrite) -> Result<LineResult, StoreError> {
        let created = match merge::created(line) {
            Ok(created) => created,
            Err(refused) => return Ok(Err(refused)),
        };
        let key =
            self.fresh.next().ok_or_else(|| StoreError::Unavailable("too few keys were given".into()))?;
        let person = Person {
            revision: None,
            registered: line.registered.clone(),
            documents: created.documents.clone(),
        };
        self.people.insert(key, person);
        self.give(REGISTERED, &line.registered, key);
        self.note(key, line, created);
        Ok(Ok(CustomerKey(key)))
    }

    fn change(&mut self, key: i64, line: &CustomerWrite) -> Result<LineResult, StoreError> {
        let missing = || StoreError::Unavailable(format!("customer {key} has an id and is not there"));
        let person = self.people.get(&key).ok_or_else(missing)?;
        Ok(match merge::changed(&person.documents, line).map_err(damaged)? {
            Err(refused) => Err(refused),
            Ok(None) => Ok(CustomerKey(key)),
            Ok(Some(changed)) => {
                self.note(key, line, changed);
                Ok(CustomerKey(key))
            }
        })
    }

    /// Later lines of the batch find what this one has done.
    fn note(&mut self, key: i64, line: &CustomerWrite, changed: Changed) {
        for (kind, id) in &line.other_ids {
            // One may have had another id of the same kind; both keep leading to it.
            if self.owner(kind, id).is_none() {
                self.give(kind, id, key);
            }
        }
        if let Some(person) = self.people.get_mut(&key) {
            person.documents = changed.documents;
        }
        match self.touched.get_mut(&key) {
            Some(touched) => touched.after = changed.after,
            None => {
                self.touched.insert(key, Touched { before: changed.before, after: changed.after });
            }
        }
    }

    fn give(&mut self, kind: &str, id: &str, key: i64) {
        self.identities.entry(id.to_owned()).or_default().insert(kind.to_owned(), key);
        self.given.insert((id.to_owned(), kind.to_owned()), key);
    }
}

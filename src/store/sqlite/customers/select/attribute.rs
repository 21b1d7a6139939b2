//! Looks keys up in an attribute's index.

use rusqlite::{Connection, Statement, ToSql};

use super::ranges::Range;
use super::statements::attribute_keys;
use super::{Budget, Found};

/// Parts of one attribute's index.
#[derive(Debug)]
pub(super) struct AttributeLookup {
    /// The index's number.
    pub index: i64,
    /// What a person calls the attribute, `customer.address.city`.
    pub name: String,
    /// The parts.
    pub ranges: Vec<Range>,
}

impl AttributeLookup {
    /// Reads the keys, unsorted; nothing if that exceeds the budget.
    pub(super) fn keys(&self, connection: &Connection, budget: Budget) -> Found<Vec<i64>> {
        // Each range is a step into the index, even if nothing is there.
        if self.ranges.len() > budget.0 {
            return Ok(None);
        }
        let mut keys = Vec::new();
        for same in self.ranges.chunk_by(|left, right| attribute_keys(left) == attribute_keys(right)) {
            let mut statement = connection.prepare_cached(attribute_keys(&same[0]))?;
            for range in same {
                if !self.read(&mut statement, range, budget, &mut keys)? {
                    return Ok(None);
                }
            }
        }
        Ok(Some(keys))
    }

    fn read(
        &self,
        statement: &mut Statement<'_>,
        range: &Range,
        budget: Budget,
        keys: &mut Vec<i64>,
    ) -> rusqlite::Result<bool> {
        let mut rows = match range {
            Range::Whole => statement.query([self.index])?,
            Range::Kind(kind) => statement.query([self.index, *kind])?,
            Range::Equal(kind, value)
            | Range::Below(kind, value)
            | Range::UpTo(kind, value)
            | Range::Above(kind, value)
            | Range::From(kind, value) => {
                statement.query([&self.index as &dyn ToSql, kind, value].as_slice())?
            }
            Range::Between(kind, from, before) => {
                statement.query([&self.index as &dyn ToSql, kind, from, before].as_slice())?
            }
        };
        while let Some(row) = rows.next()? {
            if keys.len() >= budget.0 {
                return Ok(false);
            }
            keys.push(row.get(0)?);
        }
        Ok(true)
    }
}

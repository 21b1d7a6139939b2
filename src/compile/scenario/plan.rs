//! How an audience will be found, in words: for `validate`, `dev` and a scenario's status.

use super::{Audience, Scenario};
use crate::domain::selection::IndexNeed;

impl Scenario {
    /// By index, or by a full scan and why; and what is left to check for each customer found.
    pub fn plan_in_words(&self) -> String {
        let condition = match &self.audience {
            Audience::Everyone => return "every customer is read, as `everyone` asks".into(),
            Audience::Where(condition) => condition,
        };
        let indexes: Vec<String> = condition.index_needs().iter().map(index_in_words).collect();
        let parts = condition.push_down();
        let found = match (indexes.is_empty(), parts.pushed.is_empty()) {
            (false, _) => format!("by index on {}", indexes.join(" and ")),
            (true, false) => format!("full scan, as no index leads to: {}", parts.pushed.join(", ")),
            (true, true) => "full scan, as the database can decide no part of it".into(),
        };
        match parts.finished.is_empty() {
            true => found,
            false => format!("{found}; then checked for each customer: {}", parts.finished.join(", ")),
        }
    }
}

fn index_in_words(need: &IndexNeed) -> String {
    match need {
        IndexNeed::Attribute { path } => format!("customer.{}", path.join(".")),
        IndexNeed::EventProperty { event_type, property } => format!("{event_type} events by {property}"),
    }
}

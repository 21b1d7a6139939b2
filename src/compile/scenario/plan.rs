//! How an audience will be found, in words: for `validate`, `dev` and a scenario's status.

use super::{CompiledAudience, Scenario};
use crate::domain::expression::Way;
use crate::domain::selection::IndexNeed;

impl Scenario {
    /// By index, or by a full scan and why; and what is left to check for each customer found.
    pub fn plan_in_words(&self) -> String {
        let condition = match &self.audience {
            CompiledAudience::Everyone => return "every customer is read, as `everyone` asks".into(),
            CompiledAudience::Where(condition) => condition,
        };
        let indexes: Vec<String> = condition.ways().iter().map(way_in_words).collect();
        let parts = condition.push_down();
        let found = match (indexes.is_empty(), parts.pushed.is_empty()) {
            _ if !condition.needs_customer() => "nobody".into(),
            (false, _) => format!("by index on {}", indexes.join(" and ")),
            (true, false) => format!("full scan, as no index leads to: {}", parts.pushed.join(", ")),
            (true, true) => "full scan, as the database can decide no part of it".into(),
        };
        let found = match parts.everyone_if.is_empty() {
            true => found,
            false => {
                let calls = parts.everyone_if.join(" or ");
                format!("every customer for a call with {calls}, else {found}")
            }
        };
        match parts.finished.is_empty() {
            true => found,
            false => format!("{found}; then checked for each customer: {}", parts.finished.join(", ")),
        }
    }
}

fn way_in_words(way: &Way) -> String {
    match way {
        Way::Index(IndexNeed::Attribute { path }) => format!("customer.{}", path.join(".")),
        Way::Index(IndexNeed::EventProperty { event_type, property }) => {
            format!("{event_type} events by {property}")
        }
        Way::Events(event_type) => format!("{event_type} events by time"),
        Way::Ids(kind) => format!("ids.{kind}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::{Sources, compile};

    fn plan(condition: &str) -> String {
        let mut sources = Sources { namespace: "default".into(), ..Sources::default() };
        sources.triggers.insert("t".into(), serde_json::from_str("{}").unwrap());
        sources.channels.insert("out".into(), serde_json::from_str(r#"{"log": {}}"#).unwrap());
        let scenario = serde_json::json!({
            "triggers": [{"triggerRef": {"name": "t"}}],
            "audience": {"where": condition},
            "nodes": [{"name": "a", "message": {"channelRef": {"name": "out"}, "consent": "None", "log": {"text": "x"}}}],
        });
        sources.scenarios.insert("s".into(), serde_json::from_value(scenario).unwrap());
        let snapshot = compile(&sources).snapshot;
        snapshot.scenarios.values().next().expect("the scenario compiles").plan_in_words()
    }

    #[test]
    fn events_lead_to_customers_without_an_index_of_their_own() {
        assert_eq!(plan("events('buy').within('30d').count() > 0"), "by index on buy events by time");
        assert_eq!(
            plan("events('buy').count() >= 2 and customer.vip"),
            "by index on customer.vip and buy events by time"
        );
        assert!(plan("events('buy').count() == 0").starts_with("full scan"));
    }

    #[test]
    fn ids_lead_to_customers_by_themselves() {
        assert_eq!(plan("ids.registered == 'C-1'"), "by index on ids.registered");
        assert_eq!(plan("ids.email in ['a@b.example', 'c@d.example']"), "by index on ids.email");
        assert!(plan("ids.registered != 'C-1'").starts_with("full scan"));
        assert!(plan("ids.registered is startingwith('C')").starts_with("full scan"));
    }

    #[test]
    fn calls_that_reach_everyone_are_named() {
        assert_eq!(
            plan("call.trigger == 't' or customer.city == 'Paris'"),
            "every customer for a call with call.trigger == 't', else by index on customer.city"
        );
        assert_eq!(
            plan("call.trigger == 't'"),
            "every customer for a call with call.trigger == 't', else nobody"
        );
        assert_eq!(plan("call.trigger == 't' and customer.city == 'Paris'"), "by index on customer.city");
        assert_eq!(
            plan("not (customer.city != 'Paris' and call.trigger != 't')"),
            "every customer for a call with not call.trigger != 't', else by index on customer.city"
        );
    }

    #[test]
    fn what_the_store_cannot_decide_is_named() {
        let words = plan("customer.name | upper == 'ANN' and customer.city == 'Paris'");
        assert!(words.starts_with("by index on customer.city; then checked"), "{words}");
    }
}

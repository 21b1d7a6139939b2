//! What Gateways say of a route: each parent's verdict, in its own words.

use serde::Deserialize;
use serde_json::Value;

use crate::api::ParentRef;

/// The part of a route's status that counts.
pub(super) struct RouteStatus {
    parents: Vec<Parent>,
}

/// One Gateway's word.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parent {
    parent_ref: ParentRef,
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Condition {
    r#type: String,
    status: String,
    reason: String,
    message: String,
    observed_generation: Option<i64>,
}

/// How a parent stands to the route as it is now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It serves it.
    Accepts,
    /// It has seen the route, but not as it is now, or not all of it; whether it served it as it was before.
    Behind { why: String, served: bool },
    /// It does not serve it, and why.
    Refuses(String),
    /// It has not looked at it at all.
    Silent,
}

impl RouteStatus {
    /// Reads a route's status; an entry of `parents` that cannot be parsed is left out.
    pub(super) fn of(status: &Value) -> Self {
        let words = status["parents"].as_array().into_iter().flatten();
        RouteStatus { parents: words.filter_map(|word| Parent::deserialize(word).ok()).collect() }
    }

    /// What the parent says. Of several controllers that speak for it, the one that serves it counts.
    pub(super) fn verdict(&self, parent: &ParentRef, namespace: &str, generation: Option<i64>) -> Verdict {
        let words = self.parents.iter().filter(|word| is_same(&word.parent_ref, parent, namespace));
        let verdicts = words.map(|word| word.verdict(generation));
        verdicts.min_by_key(Verdict::weight).unwrap_or(Verdict::Silent)
    }
}

impl Verdict {
    fn weight(&self) -> u8 {
        match self {
            Verdict::Accepts => 0,
            Verdict::Behind { .. } => 1,
            Verdict::Refuses(_) => 2,
            Verdict::Silent => 3,
        }
    }
}

impl Parent {
    /// Whether it accepts the route as it is now; with its own words if it does not.
    fn verdict(&self, generation: Option<i64>) -> Verdict {
        let gateway = name_of(&self.parent_ref);
        let behind = |why| Verdict::Behind { why, served: self.served() };
        for wanted in ["Accepted", "ResolvedRefs"] {
            let Some(found) = self.conditions.iter().find(|condition| condition.r#type == wanted) else {
                return behind(format!("{gateway} says nothing of {wanted} yet"));
            };
            if found.observed_generation.is_some_and(|seen| Some(seen) < generation) {
                return behind(format!("{gateway} has not looked at the route as it is now yet"));
            }
            if found.status != "True" {
                return Verdict::Refuses(format!("{gateway}: {}: {}", found.reason, words(found)));
            }
        }
        Verdict::Accepts
    }

    /// Whether it served the route as it last looked at it.
    fn served(&self) -> bool {
        let is_true =
            |wanted: &str| self.conditions.iter().any(|it| it.r#type == wanted && it.status == "True");
        is_true("Accepted") && is_true("ResolvedRefs")
    }
}

/// Whether a word is of this parent. Some controllers write the namespace that was left out.
fn is_same(one: &ParentRef, other: &ParentRef, namespace: &str) -> bool {
    let place = |parent: &ParentRef| parent.namespace.clone().unwrap_or_else(|| namespace.to_owned());
    (&one.name, &one.section_name, one.port) == (&other.name, &other.section_name, other.port)
        && place(one) == place(other)
}

/// A Gateway's own words. Some controllers have none.
fn words(found: &Condition) -> &str {
    match (found.message.as_str(), found.reason.as_str()) {
        ("", "NotAllowedByListeners") => {
            "no listener of it takes routes of this namespace; allow it under allowedRoutes"
        }
        ("", "NoMatchingListenerHostname") => "no listener of it has one of these host names",
        ("", "NoMatchingParent") => "it has no such listener or port",
        ("", _) => "the Gateway says no more; look at its controller's log",
        (message, _) => message,
    }
}

/// A Gateway, as people call it.
pub(super) fn name_of(parent: &ParentRef) -> String {
    let name = &parent.name;
    let namespace = parent.namespace.as_ref();
    namespace.map_or_else(|| format!("Gateway {name}"), |namespace| format!("Gateway {namespace}/{name}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(parents: Value) -> Verdict {
        let status = RouteStatus::of(&json!({ "parents": parents }));
        let parent = serde_json::from_value(json!({"name": "public", "namespace": "infra"})).unwrap();
        status.verdict(&parent, "shop", Some(2))
    }

    fn says(conditions: Value) -> Value {
        json!({"parentRef": {"name": "public", "namespace": "infra"}, "conditions": conditions})
    }

    fn condition(kind: &str, status: &str, generation: i64) -> Value {
        json!({"type": kind, "status": status, "reason": "NotAllowedByListeners", "message": "",
            "observedGeneration": generation})
    }

    #[test]
    fn the_gateways_own_words_are_told() {
        let (accepted, resolved) = (condition("Accepted", "True", 2), condition("ResolvedRefs", "True", 2));
        assert_eq!(judged(json!([says(json!([accepted, resolved]))])), Verdict::Accepts);
        let served = |conditions: Value| match judged(json!([says(conditions)])) {
            Verdict::Behind { served, .. } => Some(served),
            _ => None,
        };
        assert_eq!(served(json!([condition("Accepted", "False", 1), resolved])), Some(false));
        assert_eq!(served(json!([condition("Accepted", "True", 1), resolved])), Some(true));
        assert_eq!(served(json!([accepted])), Some(false));
        let refused = json!({"type": "Accepted", "status": "False", "reason": "NotAllowedByListeners",
            "message": "listener https allows routes from Same namespace", "observedGeneration": 2});
        let told =
            "Gateway infra/public: NotAllowedByListeners: listener https allows routes from Same namespace";
        assert_eq!(judged(json!([says(json!([refused, resolved]))])), Verdict::Refuses(told.into()));
        let silent = condition("Accepted", "False", 2);
        let told = "Gateway infra/public: NotAllowedByListeners: no listener of it takes routes of this namespace; \
                    allow it under allowedRoutes";
        assert_eq!(judged(json!([says(json!([silent, resolved]))])), Verdict::Refuses(told.into()));
    }

    #[test]
    fn a_parent_is_known_by_its_place_listener_and_port() {
        let both = json!([condition("Accepted", "True", 2), condition("ResolvedRefs", "True", 2)]);
        let other = json!({"parentRef": {"name": "public"}, "conditions": both});
        assert_eq!(judged(json!([other])), Verdict::Silent, "of the Runtime's own namespace");
        let section = json!({"parentRef": {"name": "public", "namespace": "infra", "sectionName": "http"},
            "conditions": both});
        assert_eq!(judged(json!([section])), Verdict::Silent);
        let refused = says(json!([condition("Accepted", "False", 2)]));
        assert_eq!(
            judged(json!([refused, says(both.clone())])),
            Verdict::Accepts,
            "another controller's word"
        );
        let named = json!({"name": "own", "namespace": "shop", "group": "gateway.networking.k8s.io"});
        let status = RouteStatus::of(&json!({"parents": [{"parentRef": named, "conditions": both}]}));
        let own = serde_json::from_value(json!({"name": "own"})).unwrap();
        assert_eq!(status.verdict(&own, "shop", Some(2)), Verdict::Accepts);
    }
}

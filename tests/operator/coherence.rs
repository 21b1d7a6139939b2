//! What must hold of every status at every time: kstatus and Flux read conditions by these rules.

use serde_json::Value;

fn status_of<'a>(conditions: &'a [Value], kind: &str) -> Option<&'a str> {
    conditions.iter().find(|it| it["type"] == kind).and_then(|it| it["status"].as_str())
}

/// What is incoherent about an object of one of our kinds.
pub fn complaints(object: &Value) -> Vec<String> {
    let status = &object["status"];
    let generation = object["metadata"]["generation"].as_i64().unwrap();
    let observed = status["observedGeneration"].as_i64().unwrap_or(-1);
    if observed == -1 {
        return Vec::new();
    }
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let is = |kind: &str| status_of(&conditions, kind);
    let (ready, reconciling, stalled) = (is("Ready"), is("Reconciling"), is("Stalled"));
    let mut found = Vec::new();
    let mut rule = |holds: bool, what: &str| {
        if !holds {
            found.push(what.to_owned());
        }
    };
    rule(ready.is_some(), "Ready is always there");
    let abnormal = reconciling == Some("True") || stalled == Some("True");
    rule(!(ready == Some("True") && abnormal), "nothing abnormal while Ready");
    rule(stalled != Some("True") || ready == Some("False"), "Stalled means not Ready");
    rule(!(reconciling == Some("True") && stalled == Some("True")), "never Reconciling and Stalled");
    rule(reconciling.is_none_or(|it| it == "True"), "Reconciling is there only while it is true");
    rule(stalled.is_none_or(|it| it == "True"), "Stalled is there only while it is true");
    rule(ready != Some("Unknown") || reconciling == Some("True"), "Ready=Unknown means Reconciling");
    rule(ready == Some("True") || abnormal, "what is not Ready is Reconciling or Stalled");
    rule(observed <= generation, "no generation is seen before it is there");
    for condition in &conditions {
        let seen = condition["observedGeneration"].as_i64();
        rule(seen == Some(observed), "every condition is about the generation that was seen");
        rule(condition["reason"].as_str().is_some_and(|it| !it.is_empty()), "every condition has a reason");
    }
    if let Some(worst) = conditions.iter().find(|it| it["type"] == "Stalled") {
        let repeats = conditions.iter().any(|it| it["type"] == "Ready" && it["message"] == worst["message"]);
        rule(repeats, "Ready repeats what is wrong");
    }
    found
}

/// What kstatus makes of an object, by its own order.
pub fn kstatus(object: &Value) -> &'static str {
    let status = &object["status"];
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let is_true = |kind: &str| status_of(&conditions, kind) == Some("True");
    if object["metadata"]["deletionTimestamp"].is_string() {
        return "Terminating";
    }
    if status["observedGeneration"].is_i64()
        && status["observedGeneration"] != object["metadata"]["generation"]
    {
        return "InProgress";
    }
    match (is_true("Reconciling"), is_true("Stalled"), status_of(&conditions, "Ready")) {
        (true, _, _) => "InProgress",
        (_, true, _) => "Failed",
        (_, _, Some("True") | None) => "Current",
        _ => "InProgress",
    }
}

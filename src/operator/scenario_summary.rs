//! A scenario in one sentence, for `kubectl describe`: what it does and whom it reaches.

use crate::api::{Audience, Scenario, TriggerEntry};

/// As much as a person reads at a glance; the spec has all of it.
const CHARS_MAX: usize = 1_000;

/// What the scenario does: `On calls of storm: customers where … get sms by by-sms, email by by-mail.`
pub(super) fn summary(scenario: &Scenario) -> String {
    let spec = &scenario.spec;
    let calls: Vec<String> = spec.triggers.iter().map(call).collect();
    let messages = spec.nodes.iter().filter_map(|node| {
        let message = node.message.as_ref()?;
        let consent = match message.consent.as_str() {
            "None" => String::new(),
            category => format!(" if they consent to {category}"),
        };
        Some(format!("{} through {}{consent}", node.name, message.channel_ref.name))
    });
    let messages: Vec<String> = messages.collect();
    let get = match messages.is_empty() {
        true => "get no message".to_owned(),
        false => format!("get {}", messages.join(" or ")),
    };
    let whole = format!("On calls of {}: {} {get}.", calls.join(", and of "), audience(&spec.audience));
    shortened(&whole)
}

fn call(entry: &TriggerEntry) -> String {
    match &entry.condition {
        Some(condition) => format!("{} where {}", entry.trigger_ref.name, one_line(condition)),
        None => entry.trigger_ref.name.clone(),
    }
}

fn audience(audience: &Audience) -> String {
    match &audience.condition {
        Some(condition) => format!("customers where {}", one_line(condition)),
        None => "all customers".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(spec: &str) -> String {
        summary(&Scenario::new("s", serde_yaml_ng::from_str(spec).unwrap()))
    }

    #[test]
    fn a_scenario_is_told_in_one_sentence() {
        let told = said(
            "{triggers: [{triggerRef: {name: storm}, where: 'params.level > 2'}, {triggerRef: {name: drill}}],
              audience: {where: \"customer.city ==\\n  params.city\"}, nodes: [
              {name: reach, condition: {if: customer.phone is defined, else: by-mail}},
              {name: by-sms, message: {channelRef: {name: texts}, consent: sms, sms: {body: x}}, next: End},
              {name: by-mail, message: {channelRef: {name: post}, consent: None, email: {subject: x, text: x}}}]}",
        );
        assert_eq!(
            told,
            "On calls of storm where params.level > 2, and of drill: customers where customer.city == params.city \
             get by-sms through texts if they consent to sms or by-mail through post."
        );
    }

    #[test]
    fn everyone_is_said_and_what_is_long_is_cut() {
        let nodes = "nodes: [{name: n, condition: {if: customer.vip, else: End}}]";
        let told = said(&format!(
            "{{triggers: [{{triggerRef: {{name: t}}}}], audience: {{everyone: {{}}}}, {nodes}}}"
        ));
        assert_eq!(told, "On calls of t: all customers get no message.");
        assert!(shortened(&"ä".repeat(2_000)).chars().count() < 1_010);
    }
}

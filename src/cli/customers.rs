//! `fanfare customers`: what is known of a customer.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::client::{ClientError, ServerArgs};
use super::client_command;
use super::cluster::Need;
use super::exit::{EXIT_CODES, Exit};
use super::output::{OutputArgs, print, print_value, table};
use crate::api::Permission;

/// Look at customers. The key needs the permission ReadCustomers.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("Example:\n  fanfare customers get C-10001\n\n{EXIT_CODES}"))]
pub struct CustomersCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show one customer: ids, attributes, consents and the latest events.
    #[command(after_help = "Example:\n  fanfare customers get C-10001 -o json | jq .attributes.city")]
    Get(GetArgs),
}

#[derive(Debug, clap::Args)]
struct GetArgs {
    /// The customer's `registered` id; it is case-sensitive.
    id: String,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    output: OutputArgs,
}

impl CustomersCommand {
    pub(super) fn run(self) -> ExitCode {
        match self.action {
            Action::Get(args) => client_command::run(args.get()),
        }
    }
}

impl GetArgs {
    async fn get(self) -> Result<Exit, ClientError> {
        let client = self.server.client(Need::May(Permission::ReadCustomers)).await?;
        let answer = client.get(&["api", "v1", "customers", &self.id], &[]).await?;
        match self.output.is_json() {
            true => print_value(&answer.json()?)?,
            false => print(&shown(&answer.json()?))?,
        }
        Ok(Exit::Done)
    }
}

/// `GET /api/v1/customers/{id}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Customer {
    ids: BTreeMap<String, String>,
    attributes: Map<String, Value>,
    consents: BTreeMap<String, bool>,
    #[serde(default)]
    events: Vec<Event>,
    #[serde(default, alias = "has_older_events")]
    has_older_events: bool,
}

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "type")]
    event_type: String,
    timestamp: String,
    properties: Map<String, Value>,
}

fn shown(customer: &Customer) -> String {
    let ids = customer.ids.iter().map(|(kind, id)| [format!("id {kind}"), id.clone()]);
    let attributes = customer.attributes.iter().map(|(name, value)| [name.clone(), plain(value)]);
    let consents = customer.consents.iter().map(|(category, given)| {
        [format!("consent {category}"), if *given { "given" } else { "withdrawn" }.to_owned()]
    });
    let mut text = table(["what", "value"], ids.chain(attributes).chain(consents));
    if !customer.events.is_empty() {
        let rows = customer.events.iter().map(|event| {
            let properties = event.properties.iter().map(|(name, value)| format!("{name}={}", plain(value)));
            [event.timestamp.clone(), event.event_type.clone(), properties.collect::<Vec<_>>().join(" ")]
        });
        text.push_str(&format!("\n\n{}", table(["when", "event", "properties"], rows)));
    }
    if customer.has_older_events {
        text.push_str("\n(there are older events)");
    }
    text
}

/// A text as it is, but in quotes where it could be taken for a value of another kind: `"true"`, `"5"`.
fn plain(value: &Value) -> String {
    match value.as_str() {
        Some(text) if serde_json::from_str::<Value>(text).is_err() => text.to_owned(),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_looks_like_another_kind_is_quoted() {
        let shown = |json: &str| plain(&serde_json::from_str(json).unwrap());
        assert_eq!([shown("true"), shown("\"true\"")], ["true", "\"true\""]);
        assert_eq!([shown("5"), shown("\"5\""), shown("\"A5\"")], ["5", "\"5\"", "A5"]);
    }

    #[test]
    fn a_customer_is_shown_with_consents_and_events() {
        let customer: Customer = serde_json::from_str(
            r#"{"ids": {"registered": "ann"}, "attributes": {"city": "Buffalo"}, "consents": {"sms": false},
                "events": [{"type": "policy_purchased", "timestamp": "2025-01-01T00:00:00Z",
                            "properties": {"product": "car", "premium": 812.5}}]}"#,
        )
        .unwrap();
        let text = shown(&customer);
        assert!(text.contains("id registered  ann") && text.contains("consent sms    withdrawn"), "{text}");
        assert!(text.contains("product=car premium=812.5"), "{text}");
    }
}

//! `fanfare deliveries`: messages with their outcomes, and what a person decides about those in doubt.

use std::process::ExitCode;

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;

use super::client::{ClientError, ServerArgs};
use super::cluster::Need;
use super::exit::{self, EXIT_CODES, Exit};
use super::output::{OutputArgs, print, print_json, table};
use super::view::Page;
use crate::api::Permission;

/// List deliveries, or decide about one that is held.
///
/// Listing needs the permission ReadLog, deciding Control.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, after_help = exit_help())]
pub struct DeliveriesCommand {
    #[command(subcommand)]
    decision: Option<Decision>,

    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Decision {
    /// Send a held delivery again. The provider may have taken it before: the customer may get it twice.
    #[command(after_help = "Example:\n  fanfare deliveries resend 12-34-1")]
    Resend(DecideArgs),
    /// Leave a held delivery as it is: it becomes unknown, and nobody tries again.
    #[command(after_help = "Example:\n  fanfare deliveries close 12-34-1")]
    Close(DecideArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Only deliveries of this call.
    #[arg(long, value_name = "ID")]
    call: Option<String>,

    /// Only deliveries in this state: queued, sending, retrying, sent, failed, unknown, held, skipped, cancelled,
    /// expired.
    #[arg(long, value_name = "STATE")]
    state: Option<String>,

    /// How many at most.
    #[arg(long, default_value_t = 50, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct DecideArgs {
    /// The delivery's id, as the list shows it.
    id: String,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    output: OutputArgs,
}

fn exit_help() -> String {
    format!(
        "Examples:\n  fanfare deliveries --call 019b2f6c-3c1e-7d40-a3f5-8f1d2c4b5a69\n  \
         fanfare deliveries --state held\n  fanfare deliveries resend 12-34-1\n\n{EXIT_CODES}"
    )
}

impl DeliveriesCommand {
    pub(super) fn run(self) -> ExitCode {
        match self.decision {
            None => exit::run(self.list.list()),
            Some(Decision::Resend(args)) => exit::run(args.decide("resend", "will be sent again")),
            Some(Decision::Close(args)) => exit::run(args.decide("close", "is closed")),
        }
    }
}

impl ListArgs {
    async fn list(self) -> Result<Exit, ClientError> {
        let limit = self.limit.to_string();
        let query = [("state", self.state.as_deref()), ("limit", Some(limit.as_str()))];
        let path: &[&str] = match &self.call {
            Some(call) => &["api", "v1", "calls", call, "deliveries"],
            None => &["api", "v1", "deliveries"],
        };
        let client = self.server.client(Need::May(Permission::ReadLog)).await?;
        let answer = client.get(path, &query).await?;
        match self.output.is_json() {
            true => print_json(&answer)?,
            false => print(&shown(&answer.json()?))?,
        }
        Ok(Exit::Done)
    }
}

impl DecideArgs {
    async fn decide(self, decision: &str, outcome: &str) -> Result<Exit, ClientError> {
        let path = ["api", "v1", "deliveries", &self.id, decision];
        let client = self.server.client(Need::May(Permission::Control)).await?;
        let answer = client.post(&path, HeaderMap::new(), Bytes::from_static(b"{}")).await?;
        match self.output.is_json() {
            true => print_json(&answer)?,
            false => print(&format!("{} {outcome}", self.id))?,
        }
        Ok(Exit::Done)
    }
}

/// One delivery, as far as a line shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    id: String,
    state: String,
    scenario: String,
    node: String,
    customer: String,
    channel: String,
    #[serde(default)]
    attempts: u32,
    #[serde(default)]
    provider_id: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

fn shown(page: &Page<Delivery>) -> String {
    if page.items.is_empty() {
        return "no deliveries; without --call or --state only held ones are shown".to_owned();
    }
    let rows = page.items.iter().map(|delivery| {
        let what = delivery.reason.clone().or_else(|| delivery.provider_id.clone()).unwrap_or_default();
        [
            delivery.id.clone(),
            delivery.state.clone(),
            delivery.customer.clone(),
            format!("{}/{}", delivery.scenario, delivery.node),
            delivery.channel.clone(),
            delivery.attempts.to_string(),
            what,
        ]
    });
    let header =
        ["delivery", "state", "customer", "scenario/node", "channel", "attempts", "reason or provider's id"];
    let more = page.next.as_ref().map_or("", |_| "\n(more: raise --limit, or narrow by --state)");
    format!("{}{more}", table(header, rows))
}

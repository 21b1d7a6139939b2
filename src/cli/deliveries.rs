//! `fanfare deliveries`: messages with their outcomes, and what a person decides about those in doubt.

use std::process::ExitCode;

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;

use super::client::{Client, ClientError, ServerArgs};
use super::client_command;
use super::cluster::Need;
use super::exit::{EXIT_CODES, Exit};
use super::output::{OutputArgs, print, print_value, table, warn};
use super::view::{Call, Page};
use super::visible::one_line;
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
    /// Send held deliveries again. The provider may have taken them before: a customer may get one twice.
    #[command(after_help = "Examples:\n  fanfare deliveries resend 12-34-1\n  \
        fanfare deliveries resend --all --call 019b2f6c-3c1e-7d40-a3f5-8f1d2c4b5a69")]
    Resend(DecideArgs),
    /// Leave held deliveries as they are: they become unknown, and nobody tries again.
    #[command(after_help = "Examples:\n  fanfare deliveries close 12-34-1\n  fanfare deliveries close --all")]
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
    /// The deliveries' ids, as the list shows them.
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,

    /// All that are held when the command begins; with --call those of one call. Needs ReadLog, too.
    #[arg(long)]
    all: bool,

    /// With --all: only deliveries of this call.
    #[arg(long, value_name = "ID", requires = "all")]
    call: Option<String>,

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
            None => client_command::run(self.list.list()),
            Some(Decision::Resend(args)) => client_command::run(args.decide("resend", "will be sent again")),
            Some(Decision::Close(args)) => client_command::run(args.decide("close", "is closed")),
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
            true => print_value(&answer.json()?)?,
            false => {
                let page: Page<Delivery> = answer.json()?;
                let without = if page.next.is_none() { self.without(&client).await? } else { String::new() };
                print(&format!("{}{without}", shown(&page, &self.none())))?;
            }
        }
        Ok(Exit::Done)
    }

    /// The call's customers who have no delivery yet, which none of these states has, and what they wait for.
    async fn without(&self, client: &Client) -> Result<String, ClientError> {
        let is_asked = self.state.as_deref().is_none_or(|state| state == "queued");
        let Some(call) = self.call.as_deref().filter(|_| is_asked) else { return Ok(String::new()) };
        let call: Call = client.get(&["api", "v1", "calls", call], &[]).await?.json()?;
        let waiting = call.runs.iter().filter(|run| run.waiting > 0);
        let lines = waiting.map(|run| {
            let why = run.waits_for.join("; ");
            one_line(&format!("{}: {} without a delivery yet ({why})", run.scenario, run.waiting))
                .into_owned()
        });
        Ok(lines.map(|line| format!("\n{line}")).collect())
    }

    /// What is said where there are none.
    fn none(&self) -> String {
        match (&self.call, &self.state) {
            (None, None) => "no deliveries are held; --call or --state show others".to_owned(),
            (Some(call), None) => format!("call {call} has no deliveries"),
            (None, Some(state)) => format!("no deliveries are {state}"),
            (Some(call), Some(state)) => format!("no deliveries of call {call} are {state}"),
        }
    }
}

impl DecideArgs {
    async fn decide(self, decision: &str, outcome: &str) -> Result<Exit, ClientError> {
        let ids = if self.all { self.held().await? } else { self.ids.clone() };
        let client = self.server.client(Need::May(Permission::Control)).await?;
        let mut decided = 0;
        for id in &ids {
            match self.decide_one(&client, id, decision, outcome).await {
                Ok(()) => decided += 1,
                // Somebody else may have decided about it meanwhile; that must not stop the others.
                Err(error @ ClientError::Refused(_)) if ids.len() > 1 => warn(&format!("{id}: {error}")),
                Err(error) => return Err(error),
            }
        }
        if self.all && !self.output.is_json() {
            print(&format!("{decided} of {} held deliveries: {decision}", ids.len()))?;
        }
        Ok(if decided == ids.len() as u64 { Exit::Done } else { Exit::Failed })
    }

    async fn decide_one(
        &self,
        client: &Client,
        id: &str,
        decision: &str,
        outcome: &str,
    ) -> Result<(), ClientError> {
        let path = ["api", "v1", "deliveries", id, decision];
        let answer = client.post(&path, HeaderMap::new(), Bytes::from_static(b"{}")).await?;
        match self.output.is_json() {
            true => print_value(&answer.json()?)?,
            false => print(&format!("{} {outcome}", one_line(id)))?,
        }
        Ok(())
    }

    /// The ids of what is held, page by page, before anything is decided.
    async fn held(&self) -> Result<Vec<String>, ClientError> {
        let client = self.server.client(Need::May(Permission::ReadLog)).await?;
        let path: &[&str] = match &self.call {
            Some(call) => &["api", "v1", "calls", call, "deliveries"],
            None => &["api", "v1", "deliveries"],
        };
        let (mut ids, mut after): (Vec<String>, Option<String>) = (Vec::new(), None);
        loop {
            let query = [("state", Some("held")), ("limit", Some("1000")), ("after", after.as_deref())];
            let page: Page<Delivery> = client.get(path, &query).await?.json()?;
            ids.extend(page.items.into_iter().map(|delivery| delivery.id));
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(ids),
            }
        }
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
    /// Of a text message.
    #[serde(default)]
    segments: Option<u8>,
    #[serde(default)]
    provider_id: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

fn shown(page: &Page<Delivery>, none: &str) -> String {
    if page.items.is_empty() {
        return none.to_owned();
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
            delivery.segments.map(|count| count.to_string()).unwrap_or_default(),
            what,
        ]
    });
    let header = [
        "delivery",
        "state",
        "customer",
        "scenario/node",
        "channel",
        "attempts",
        "segments",
        "reason or provider's id",
    ];
    let more = page.next.as_ref().map_or("", |_| "\n(more: raise --limit, or narrow by --state)");
    format!("{}{more}", table(header, rows))
}

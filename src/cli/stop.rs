//! `fanfare pause`, `resume`, `cancel` and `pauses`: stopping what is under way, and seeing what is stopped.

use std::process::ExitCode;

use bytes::Bytes;
use clap::builder::PossibleValuesParser;
use http::HeaderMap;
use serde_json::json;

use super::client::{ClientError, ServerArgs};
use super::client_command;
use super::cluster::{Need, spoken};
use super::exit::{EXIT_CODES, Exit};
use super::output::{OutputArgs, print, print_value, table};
use super::view::Page;
use crate::api::Permission;
use crate::domain::pause::PauseReport;

const KINDS: [&str; 4] = ["call", "scenario", "channel", "runtime"];

/// Let something rest: nothing of it is sent until it is resumed, whatever is declared meanwhile.
///
/// It takes effect within a second and outlives restarts. What is under way at a provider comes to its outcome, and what
/// expires meanwhile is not sent. Needs the permission Control.
#[derive(Debug, clap::Args)]
#[command(after_help = format!(
    "Examples:\n  fanfare pause scenario snowstorm-warning --reason 'wrong link in the text'\n  \
     fanfare pause runtime\n\n{EXIT_CODES}"
))]
pub struct PauseCommand {
    #[command(flatten)]
    ask: AskArgs,

    /// Why, for whoever wonders.
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
}

/// Let something go on that rests. What was paused by itself stays paused when everything is resumed.
///
/// Needs the permission Control.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("Example:\n  fanfare resume scenario snowstorm-warning\n\n{EXIT_CODES}"))]
pub struct ResumeCommand {
    #[command(flatten)]
    ask: AskArgs,
}

/// Cancel what has not been sent of the runs that are under way: of a call, of a scenario, of all that send by a
/// channel, or of everything. It cannot be taken back.
///
/// Needs the permission Control.
#[derive(Debug, clap::Args)]
#[command(after_help = format!(
    "Examples:\n  fanfare cancel call 019b2f6c-3c1e-7d40-a3f5-8f1d2c4b5a69\n  fanfare cancel channel sms\n\n{EXIT_CODES}"
))]
pub struct CancelCommand {
    #[command(flatten)]
    ask: AskArgs,
}

/// Show what is paused, since when, by whom and why.
///
/// Needs the permission ReadLog.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("Example:\n  fanfare pauses\n\n{EXIT_CODES}"))]
pub struct PausesCommand {
    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// What is asked for, of whom, and how the answer is shown.
#[derive(Debug, clap::Args)]
struct AskArgs {
    /// What it is.
    #[arg(value_name = "KIND", value_parser = PossibleValuesParser::new(KINDS))]
    kind: String,

    /// The call's id, or the name; none for the runtime.
    #[arg(required_if_eq_any([("kind", "call"), ("kind", "scenario"), ("kind", "channel")]), value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    output: OutputArgs,
}

impl PauseCommand {
    pub(super) fn run(self) -> ExitCode {
        let body = json!({"reason": self.reason}).to_string();
        client_command::run(self.ask.send("pause", body))
    }
}

impl ResumeCommand {
    pub(super) fn run(self) -> ExitCode {
        client_command::run(self.ask.send("resume", String::new()))
    }
}

impl CancelCommand {
    pub(super) fn run(self) -> ExitCode {
        client_command::run(self.ask.send("cancel", String::new()))
    }
}

impl PausesCommand {
    pub(super) fn run(self) -> ExitCode {
        client_command::run(self.list())
    }

    async fn list(self) -> Result<Exit, ClientError> {
        let answer = self
            .server
            .client(Need::May(Permission::ReadLog))
            .await?
            .get(&["api", "v1", "pauses"], &[])
            .await?;
        match self.output.is_json() {
            true => print_value(&answer.json()?)?,
            false => print(&shown(&answer.json()?))?,
        }
        Ok(Exit::Done)
    }
}

impl AskArgs {
    async fn send(self, verb: &str, body: String) -> Result<Exit, ClientError> {
        // A name that is passed over would stop everything where one thing was meant.
        if let ("runtime", Some(name)) = (self.kind.as_str(), &self.name) {
            return Err(ClientError::NamedRuntime { name: name.clone() });
        }
        let (kind, name) = (self.kind, self.name.unwrap_or_default());
        let plural = format!("{kind}s");
        let path: Vec<&str> = match kind.as_str() {
            "runtime" => vec!["api", "v1", "runtime", verb],
            _ => vec!["api", "v1", &plural, &name, verb],
        };
        let client = self.server.client(Need::May(Permission::Control)).await?;
        let answer = client.post(&path, HeaderMap::new(), Bytes::from(body)).await?;
        if self.output.is_json() {
            print_value(&answer.json()?)?;
            return Ok(Exit::Done);
        }
        let named = format!("{kind} {name}");
        let named = named.trim_end();
        match verb {
            "pause" => print(&rests(named, &answer.json()?))?,
            "resume" => print(&format!("{named} goes on"))?,
            _ => print(&cancelled(named, &answer.json()?))?,
        }
        Ok(Exit::Done)
    }
}

fn rests(named: &str, pause: &PauseReport) -> String {
    let PauseReport { who, since, .. } = pause;
    format!("{named} rests since {since:.0}, asked for by {who}; `{} resume {named}` ends it", spoken())
}

fn cancelled(named: &str, answer: &serde_json::Value) -> String {
    match answer["runs"].as_u64().unwrap_or_default() {
        0 => format!("nothing of {named} was under way"),
        1 => format!("1 run of {named} is cancelled; `{} log` has the counts", spoken()),
        runs => format!("{runs} runs of {named} are cancelled; `{} log` has the counts", spoken()),
    }
}

fn shown(page: &Page<PauseReport>) -> String {
    if page.items.is_empty() {
        return "nothing is paused".to_owned();
    }
    let rows = page.items.iter().map(|pause| {
        [
            format!("{} {}", pause.kind, pause.name),
            format!("{:.0}", pause.since),
            pause.who.clone(),
            pause.reason.clone(),
        ]
    });
    table(["paused", "since", "by", "reason"], rows)
}

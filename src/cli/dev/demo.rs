//! The demo: sends the example's calls through their own endpoints, shows what came of each, and compares it with
//! what the example promises in `calls/expected.json`.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;

use super::ready_file::{Ready, ReadyTrigger};
use super::sandbox_process::Addresses;
use crate::cli::client::{Client, ClientError};
use crate::cli::output::{OutputArgs, line, warn};
use crate::cli::view::{Accepted, Call};
use crate::cli::{log, watch};
use crate::sandbox::{Protocol, ReceivedMessage};

/// A page of what the sandbox received.
#[derive(Debug, Deserialize)]
struct Page<T> {
    items: Vec<T>,
}

/// What the example promises of one call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Promise {
    /// The payload's file in `calls/`.
    call: String,
    trigger: String,
    runs: Vec<PromisedRun>,
    not_fired: Vec<String>,
    /// Messages the sandbox receives, by the word for their kind.
    received: Received,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PromisedRun {
    scenario: String,
    state: String,
    audience: u64,
    deliveries: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Received {
    sms: usize,
    mail: usize,
}

/// Why the demo stopped.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("cannot read {0}: {1}")]
    File(String, std::io::Error),
    #[error("{0} is not a list of promises: {1}")]
    Promises(String, serde_json::Error),
    #[error("the example calls trigger {0}, which is not in force")]
    NoTrigger(String),
    #[error("the demo needs the sandbox: leave --host sandbox out")]
    NoSandbox,
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Runs it; whether everything was as the example promises.
pub async fn run(folder: &Path, ready: &Ready, sandbox: Option<Addresses>) -> bool {
    match calls(folder, ready, sandbox).await {
        Ok(broken) if broken.is_empty() => {
            line(format_args!("\nEverything was as the example promises."));
            true
        }
        Ok(broken) => {
            for promise in broken {
                warn(&format!("not as promised: {promise}"));
            }
            false
        }
        Err(error) => {
            warn(&format!("the demo stopped: {error}"));
            false
        }
    }
}

async fn calls(folder: &Path, ready: &Ready, sandbox: Option<Addresses>) -> Result<Vec<String>, DemoError> {
    let calls = folder.join("calls");
    let promises = read(&calls.join("expected.json"))?;
    let promises: Vec<Promise> = serde_json::from_slice(&promises)
        .map_err(|error| DemoError::Promises(calls.join("expected.json").display().to_string(), error))?;
    let sandbox = sandbox.ok_or(DemoError::NoSandbox)?;
    let sandbox = Client::to(&format!("http://{}", sandbox.http), None)?;
    let mut broken = Vec::new();
    for promise in &promises {
        let body = read(&calls.join(&promise.call))?;
        broken.extend(one_call(promise, body, ready, &sandbox).await?);
    }
    Ok(broken)
}

fn read(path: &Path) -> Result<Vec<u8>, DemoError> {
    std::fs::read(path).map_err(|error| DemoError::File(path.display().to_string(), error))
}

async fn one_call(
    promise: &Promise,
    body: Vec<u8>,
    ready: &Ready,
    sandbox: &Client,
) -> Result<Vec<String>, DemoError> {
    let trigger = ready.triggers.iter().find(|trigger| trigger.name == promise.trigger);
    let trigger = trigger.ok_or_else(|| DemoError::NoTrigger(promise.trigger.clone()))?;
    let before = last_seen(sandbox).await?;
    line(format_args!("\nPosting calls/{} to {}", promise.call, trigger.url));
    let id = post(trigger, ready, body).await?;
    let reader = Client::to(&ready.server, ready.api_key.as_ref().map(key).as_deref())?;
    let answer = watch::until_done(&reader, &id).await?;
    line(format_args!(""));
    let call = log::show(&answer, OutputArgs::default())?;
    let messages = received(sandbox, before).await?;
    show_messages(&messages);
    Ok(compare(promise, &call, &messages))
}

async fn post(trigger: &ReadyTrigger, ready: &Ready, body: Vec<u8>) -> Result<String, DemoError> {
    let own = trigger.credentials.as_ref().or(ready.api_key.as_ref()).map(key);
    let caller = Client::to(&ready.server, own.as_deref())?;
    let path = ["in", trigger.namespace.as_str(), trigger.name.as_str()];
    let accepted: Accepted = caller.post(&path, HeaderMap::new(), Bytes::from(body)).await?.json()?;
    line(format_args!("Accepted as {}", accepted.id));
    Ok(accepted.id)
}

fn key(credential: &super::credentials::Credential) -> String {
    format!("{}:{}", credential.username, credential.password)
}

async fn last_seen(sandbox: &Client) -> Result<u64, DemoError> {
    Ok(received(sandbox, 0).await?.last().map_or(0, |message| message.seq))
}

async fn received(sandbox: &Client, after: u64) -> Result<Vec<ReceivedMessage>, DemoError> {
    let mut all: Vec<ReceivedMessage> = Vec::new();
    loop {
        let after = all.last().map_or(after, |message| message.seq).to_string();
        let query = [("after", Some(after.as_str())), ("limit", Some("1000"))];
        let page: Page<ReceivedMessage> = sandbox.get(&["sandbox", "messages"], &query).await?.json()?;
        if page.items.is_empty() {
            return Ok(all);
        }
        all.extend(page.items);
    }
}

/// Two of them in full, of different kinds if there are two kinds.
fn show_messages(messages: &[ReceivedMessage]) {
    let of = |protocol| messages.iter().find(|message| message.protocol == protocol);
    for message in [of(Protocol::Twilio), of(Protocol::Smtp)].into_iter().flatten() {
        let to = message.content.to.join(", ");
        line(format_args!("\nThe sandbox received by {:?}, for {to}:", message.protocol));
        if let Some(subject) = &message.content.subject {
            line(format_args!("  {subject}\n"));
        }
        for row in message.content.text.iter().flat_map(|text| text.lines()) {
            line(format_args!("  {row}"));
        }
    }
}

fn compare(promise: &Promise, call: &Call, messages: &[ReceivedMessage]) -> Vec<String> {
    let mut broken = Vec::new();
    for promised in &promise.runs {
        let PromisedRun { scenario, state, audience, deliveries } = promised;
        let run = call.runs.iter().find(|run| run.scenario == *scenario);
        let kept = run.is_some_and(|r| {
            r.state == *state && r.audience == *audience && counts(&r.deliveries) == *deliveries
        });
        if !kept {
            broken.push(format!("{}: expected {promised:?}, found {run:?}", promise.call));
        }
    }
    let not_fired: Vec<&str> = call.not_fired.iter().map(|other| other.scenario.as_str()).collect();
    if call.runs.len() != promise.runs.len() || not_fired != promise.not_fired {
        broken.push(format!("{}: fired and not fired are others: {call:?}", promise.call));
    }
    let count = |protocol| messages.iter().filter(|message| message.protocol == protocol).count();
    let received = Received { sms: count(Protocol::Twilio), mail: count(Protocol::Smtp) };
    if received != promise.received {
        broken
            .push(format!("{}: the sandbox received {received:?}, not {:?}", promise.call, promise.received));
    }
    broken
}

fn counts(deliveries: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    deliveries.iter().filter(|(_, count)| **count > 0).map(|(state, count)| (state.clone(), *count)).collect()
}

//! `fanfare call`: calls a trigger, and with `--watch` stays until everything it started is done.

use std::path::PathBuf;
use std::process::ExitCode;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::AsyncReadExt;

use super::client::{Answer, Client, ClientError, ServerArgs};
use super::client_command;
use super::cluster::{Need, spoken};
use super::exit::Exit;
use super::output::{OutputArgs, print, print_value, warn};
use super::view::{Accepted, Call};
use super::{log, watch};
use crate::domain::body::to_utf8;

/// Call a trigger.
///
/// The key is the trigger's own, or one with the permission Trigger. The same key may watch the call it made. What the
/// trigger refuses is named, parameter by parameter.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  fanfare call weather-alert --data @alert.json --watch\n  \
    curl -s https://api.weather.gov/alerts/$ID | fanfare call weather-alert --data -\n  \
    fanfare call train-cancelled --data '{\"line\": \"S7\"}' --idempotency-key 2026-01-16-S7\n\n\
    Exit codes: 0 accepted (with --watch: done); 1 refused; 2 wrong usage; 3 the server cannot be reached; \
    4 the key is missing or may not do this; 5 accepted, and not all of it was done (failed, cancelled, expired, partly); \
    6 accepted, or perhaps accepted, and what came of it was not seen: do not repeat it without an idempotency key")]
pub struct CallCommand {
    /// The trigger's name.
    trigger: String,

    /// The body: JSON, @FILE, or - for standard input.
    #[arg(short, long, value_name = "JSON|@FILE|-", default_value = "{}")]
    data: Data,

    /// A header of the request; may be repeated. The content type is application/json unless one says otherwise.
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<Header>,

    /// Accept this call only once, however often it is repeated under this key.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<HeaderValue>,

    /// Stay until every message has an outcome, and show the progress on a terminal.
    #[arg(short, long)]
    watch: bool,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    output: OutputArgs,
}

impl CallCommand {
    pub(super) fn run(self) -> ExitCode {
        client_command::run(self.call())
    }

    async fn call(self) -> Result<Exit, ClientError> {
        let client = self.server.client(Need::Call(&self.trigger)).await?;
        // Before the call, so that what is wrong with the way there is known before anything is sent.
        let watcher = match self.watch {
            true => Some(self.server.client(Need::Watch(&self.trigger)).await?),
            false => None,
        };
        let body = self.data.read().await?;
        let posted = client.post(&["in", client.namespace(), &self.trigger], self.headers(), body).await;
        let answer = posted.map_err(Self::in_doubt)?;
        match watcher {
            Some(watcher) => self.watch(&watcher, &answer).await,
            None => self.print(&answer),
        }
    }

    /// What it means for the call that its request ended so.
    fn in_doubt(error: ClientError) -> ClientError {
        match error.is_in_doubt() {
            true => ClientError::CallInDoubt { spoken: spoken(), source: Box::new(error) },
            false => error,
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for Header(name, value) in &self.header {
            headers.append(name, value.clone());
        }
        if let Some(key) = &self.idempotency_key {
            headers.insert("idempotency-key", key.clone());
        }
        headers
    }

    fn print(&self, answer: &Answer) -> Result<Exit, ClientError> {
        let read: Accepted = answer.json().map_err(Self::in_doubt)?;
        let printed = match self.output.is_json() {
            true => answer.json().and_then(|json| Ok(print_value(&json)?)),
            false => print(&accepted(&read)).map_err(ClientError::from),
        };
        printed.map(|()| Exit::Done).map_err(|error| unseen(&read, error))
    }

    async fn watch(&self, client: &Client, answer: &Answer) -> Result<Exit, ClientError> {
        let accepted: Accepted = answer.json().map_err(Self::in_doubt)?;
        // At once and beside the answer, so that it is known whatever becomes of the watching.
        warn(&format!("accepted {}", accepted.ids()));
        let mut exit = Exit::Done;
        for call in accepted.calls() {
            let seen = self.watch_one(client, call).await.map_err(|error| unseen(&accepted, error))?;
            if seen.exit() != Exit::Done {
                exit = Exit::AcceptedNotDone;
            }
        }
        Ok(exit)
    }

    async fn watch_one(&self, client: &Client, call: &str) -> Result<Call, ClientError> {
        let answer = watch::until_done(client, call).await?;
        log::show(&answer, self.output)
    }
}

/// The call is accepted, whatever happened then.
fn unseen(accepted: &Accepted, error: ClientError) -> ClientError {
    ClientError::AcceptedUnseen { ids: accepted.ids(), spoken: spoken(), source: Box::new(error) }
}

fn accepted(accepted: &Accepted) -> String {
    let Some(elements) = &accepted.calls else {
        return format!("accepted {0}\nsee what came of it: {1} log {0}", accepted.id, spoken());
    };
    let lines = elements.iter().map(|element| match (&element.id, &element.duplicate_of) {
        (Some(id), _) => format!("accepted {id}"),
        (None, Some(first)) => format!("duplicate of {first}"),
        (None, None) => "neither accepted nor a duplicate".to_owned(),
    });
    lines.collect::<Vec<String>>().join("\n")
}

/// Where the body comes from.
#[derive(Debug, Clone)]
enum Data {
    Inline(String),
    File(PathBuf),
    Stdin,
}

impl std::str::FromStr for Data {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.strip_prefix('@') {
            Some(file) => Data::File(file.into()),
            None if text == "-" => Data::Stdin,
            None => Data::Inline(text.to_owned()),
        })
    }
}

impl Data {
    async fn read(&self) -> Result<Bytes, ClientError> {
        match self {
            Data::Inline(text) => Ok(Bytes::copy_from_slice(text.as_bytes())),
            Data::File(path) => {
                let read = tokio::fs::read(path).await;
                let file = |source| ClientError::File { path: path.clone(), source };
                as_utf8(read.map_err(file)?).map_err(file)
            }
            Data::Stdin => {
                let mut body = Vec::new();
                let file = |source| ClientError::File { path: "standard input".into(), source };
                tokio::io::stdin().read_to_end(&mut body).await.map_err(file)?;
                as_utf8(body).map_err(file)
            }
        }
    }
}

/// What editors and PowerShell write: a byte order mark, or UTF-16. What is sent is UTF-8 without a mark.
fn as_utf8(body: Vec<u8>) -> std::io::Result<Bytes> {
    // Bytes that are packed are no text.
    if body.starts_with(&[0x1f, 0x8b]) || body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Ok(body.into());
    }
    let text =
        to_utf8(&body, None).map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))?;
    Ok(Bytes::from(text.into_owned()))
}

/// One header as curl writes it.
#[derive(Debug, Clone)]
struct Header(HeaderName, HeaderValue);

impl std::str::FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once(':').ok_or("write `Name: value`")?;
        let name = name.trim().parse().map_err(|_| format!("`{name}` is not a header's name"))?;
        let value = value.trim().parse().map_err(|_| "the value has characters a header may not have")?;
        Ok(Header(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_sent_in_utf_8_however_its_editor_wrote_it() {
        let text = r#"{"city": "Köln"}"#;
        let wide = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
        };
        let with_mark = [b"\xef\xbb\xbf", text.as_bytes()].concat();
        for body in [text.as_bytes().to_vec(), with_mark, wide(u16::to_le_bytes), wide(u16::to_be_bytes)] {
            assert_eq!(as_utf8(body).unwrap(), text.as_bytes());
        }
        let packed = vec![0x1f, 0x8b, 8, 0, 0, 0];
        assert_eq!(as_utf8(packed.clone()).unwrap(), packed);
        let utf32 = text.bytes().flat_map(|byte| [byte, 0, 0, 0]).collect();
        assert!(as_utf8(utf32).unwrap_err().to_string().contains("UTF-32"));
    }
}

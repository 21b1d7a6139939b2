//! `fanfare credentials`: what `fanfare dev` generated, from its data folder.
//!
//! They are printed because somebody asked for them by name; nothing else prints them.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::client::ClientError;
use super::client_command;
use super::dev::credentials::{Credential, DevCredentials};
use super::exit::Exit;
use super::output::{OutputArgs, print, print_value, table};

/// Show the credentials that `fanfare dev` generated: its owner's key, and those of triggers and ApiKeys.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  fanfare credentials\n  fanfare credentials weather-alert\n  \
    eval \"$(fanfare credentials --env)\" && fanfare log\n\n\
    Exit codes: 0 shown; 1 there are none; 2 wrong usage")]
pub struct CredentialsCommand {
    /// Only those of this trigger.
    trigger: Option<String>,

    /// The data folder of `fanfare dev`.
    #[arg(long, env = "FANFARE_DATA", default_value = ".fanfare", value_name = "FOLDER")]
    data: PathBuf,

    /// Print `export FANFARE_API_KEY=…` for a shell: the owner's key, which may do everything, or the trigger's.
    #[arg(long)]
    env: bool,

    #[command(flatten)]
    output: OutputArgs,
}

impl CredentialsCommand {
    pub(super) fn run(self) -> ExitCode {
        client_command::run(async move { self.show() })
    }

    fn show(&self) -> Result<Exit, ClientError> {
        let credentials = DevCredentials::read(&self.data).map_err(|error| self.none(&error.to_string()))?;
        let rows = self.rows(&credentials);
        let Some((_, first)) = rows.first() else {
            return Err(self.none(match self.trigger {
                Some(_) => "none for this trigger; its own Secret or only ApiKeys may open it",
                None => "nothing was generated there yet; is --data the folder of a `fanfare dev`?",
            }));
        };
        match (self.env, self.output.is_json()) {
            (true, _) => print(&format!("export FANFARE_API_KEY='{}:{}'", first.username, first.password))?,
            (_, true) => print_value(&to_json(&rows))?,
            _ => print(&to_table(&rows))?,
        }
        Ok(Exit::Done)
    }

    /// The owner's first, then triggers, then ApiKeys.
    fn rows<'a>(&self, credentials: &'a DevCredentials) -> Vec<(String, &'a Credential)> {
        let triggers = credentials.triggers.iter();
        if let Some(wanted) = &self.trigger {
            let own = triggers.filter(|(name, _)| *name == wanted);
            return own.map(|(name, credential)| (format!("trigger {name}"), credential)).collect();
        }
        let owner = credentials.owner.iter().map(|credential| ("owner".to_owned(), credential));
        let triggers = triggers.map(|(name, credential)| (format!("trigger {name}"), credential));
        let keys = credentials.api_keys.iter().map(|(name, credential)| (format!("key {name}"), credential));
        owner.chain(triggers).chain(keys).collect()
    }

    fn none(&self, reason: &str) -> ClientError {
        ClientError::Credentials { data: self.data.clone(), reason: reason.to_owned() }
    }
}

fn to_table(rows: &[(String, &Credential)]) -> String {
    let cells = rows.iter().map(|(whose, credential)| match credential.is_token {
        true => [whose.clone(), "-".to_owned(), credential.password.clone()],
        false => [whose.clone(), credential.username.clone(), credential.password.clone()],
    });
    let has_token = rows.iter().any(|(_, credential)| credential.is_token);
    let note = "\n(without a username: a Public key's token, sent as `Authorization: Token <token>`)";
    format!("{}{}", table(["whose", "username", "password"], cells), if has_token { note } else { "" })
}

fn to_json(rows: &[(String, &Credential)]) -> serde_json::Value {
    let items = rows.iter().map(|(whose, credential)| match credential.is_token {
        true => json!({"whose": whose, "token": credential.password}),
        false => json!({"whose": whose, "username": credential.username, "password": credential.password}),
    });
    items.collect()
}

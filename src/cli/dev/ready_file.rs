//! What a script needs to know of a running `dev`: where it serves, and the credentials to everything.
//!
//! The file is written whole once calls are served, and readable by its owner only, as it holds passwords.

use std::path::Path;
use std::{fs, io};

use serde::Serialize;

use super::credentials::{Credential, DevCredentials};
use super::keyring::own_credential;
use super::private_file::write_whole;
use super::secrets::UserSecrets;
use crate::compile::{Snapshot, Trigger, curl};

/// The ready file's content.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// `http://127.0.0.1:8080`
    pub server: String,
    /// A key that may do everything.
    pub api_key: Option<Credential>,
    /// Every trigger that can be called.
    pub triggers: Vec<ReadyTrigger>,
}

/// One trigger's endpoint.
#[derive(Serialize)]
pub struct ReadyTrigger {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where calls are posted to.
    pub url: String,
    /// Its own credentials, if it has any.
    #[serde(flatten)]
    pub credentials: Option<Credential>,
    /// An example payload.
    pub example: serde_json::Value,
    /// A command that sends the example.
    pub curl: String,
    /// The same for where others read along: curl asks for the password.
    #[serde(skip)]
    pub curl_without_password: String,
}

impl Ready {
    /// Says what is in force at this server.
    pub fn of(
        server: String,
        snapshot: &Snapshot,
        generated: &DevCredentials,
        secrets: &UserSecrets,
    ) -> Self {
        let ready = |trigger| {
            // One whose Secret cannot be read was named when it was put in force.
            let own = own_credential(trigger, generated, secrets).ok().flatten();
            ready_trigger(&server, &snapshot.namespace, trigger, own, generated.owner.as_ref())
        };
        let triggers = snapshot.triggers.values().map(|trigger| ready(trigger)).collect();
        Ready { api_key: generated.owner.clone(), triggers, server }
    }

    /// Writes it so that a reader sees all of it or nothing. A file that says the same already is left alone: it may
    /// stand in the folder that is watched.
    ///
    /// # Errors
    /// The system says why not.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(self).map_err(io::Error::from)?;
        text.push('\n');
        if fs::read_to_string(path).is_ok_and(|there| there == text) {
            return Ok(());
        }
        write_whole(path, text.as_bytes())
    }
}

fn ready_trigger(
    server: &str,
    namespace: &str,
    trigger: &Trigger,
    own: Option<Credential>,
    owner: Option<&Credential>,
) -> ReadyTrigger {
    let url = format!("{server}/in/{namespace}/{}", trigger.name);
    let user = own.as_ref().or(owner).map(|user| format!("'{}:{}'", user.username, user.password));
    let name = own.as_ref().or(owner).map_or("'<username>'", |user| user.username.as_str());
    let curl_without_password = curl(&url, name, &trigger.example);
    let curl = curl(&url, user.as_deref().unwrap_or("'<username>:<password>'"), &trigger.example);
    ReadyTrigger {
        namespace: namespace.to_owned(),
        name: trigger.name.to_string(),
        url,
        credentials: own,
        example: trigger.example.clone(),
        curl,
        curl_without_password,
    }
}

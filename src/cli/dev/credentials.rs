//! The credentials that `dev` generates, kept in the data folder: what Secrets are in a cluster.
//!
//! Each is made once and stays, so that what a provider was given keeps working across restarts. The file is
//! written whole, to disk, and readable by its owner only.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::private_file::write_whole;
use crate::compile::{BasicSource, Snapshot, Trigger};
use crate::domain::credentials::{GenerateError, generate_secret, generate_username};

/// The file's name within the data folder.
pub const FILE: &str = "credentials.json";
/// The person who runs `dev` may do everything; this is their key.
const OWNER: &str = "dev";

/// A username and a password. A Public key has only the token, as its password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The username; for an ApiKey, its id.
    pub username: String,
    /// The password; for a Public key, its token.
    pub password: String,
    /// Whether the password is a token that is sent alone, as `Authorization: Token <token>`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_token: bool,
}

/// Everything that was generated.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DevCredentials {
    /// The key of the person who runs `dev`, with every permission.
    pub owner: Option<Credential>,
    /// Of triggers, by their names.
    #[serde(default)]
    pub triggers: BTreeMap<String, Credential>,
    /// Of ApiKeys, by their names.
    #[serde(default)]
    pub api_keys: BTreeMap<String, Credential>,
}

/// Why credentials cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read or written.
    #[error("cannot keep credentials in {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("{} is damaged ({source}); restore it, or remove it to generate new credentials", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// There is no randomness.
    #[error(transparent)]
    Generate(#[from] GenerateError),
}

impl DevCredentials {
    /// Reads what the data folder holds; nothing, if it has none yet.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn read(data: &Path) -> Result<Self, CredentialsError> {
        let path = data.join(FILE);
        match fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).map_err(|source| CredentialsError::Damaged { path, source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(DevCredentials::default()),
            Err(source) => Err(CredentialsError::File { path, source }),
        }
    }

    /// Generates what the snapshot needs and does not have, and keeps it before anyone is told.
    ///
    /// # Errors
    /// There is no randomness, or the file cannot be written: then nothing has changed.
    pub fn complete(&mut self, snapshot: &Snapshot, data: &Path) -> Result<(), CredentialsError> {
        let mut completed = self.clone();
        if completed.owner.is_none() {
            completed.owner = Some(generate(OWNER)?);
        }
        let generated = |trigger: &&Arc<Trigger>| trigger.basic == Some(BasicSource::Generated);
        for trigger in snapshot.triggers.values().filter(generated) {
            add(&mut completed.triggers, trigger.name.as_str())?;
        }
        for (name, key) in &snapshot.api_keys {
            add(&mut completed.api_keys, name)?;
            if let Some(credential) = completed.api_keys.get_mut(name) {
                credential.is_token = key.public;
            }
        }
        if completed != *self {
            completed.write(data)?;
            *self = completed;
        }
        Ok(())
    }

    fn write(&self, data: &Path) -> Result<(), CredentialsError> {
        let path = data.join(FILE);
        let text = serde_json::to_vec_pretty(self).expect("credentials are texts by text keys");
        write_whole(&path, &text).map_err(|source| CredentialsError::File { path, source })
    }
}

fn add(kept: &mut BTreeMap<String, Credential>, name: &str) -> Result<(), GenerateError> {
    if !kept.contains_key(name) {
        kept.insert(name.to_owned(), generate(name)?);
    }
    Ok(())
}

fn generate(purpose: &str) -> Result<Credential, GenerateError> {
    let (username, password) = (generate_username(purpose)?, generate_secret()?.expose().to_owned());
    Ok(Credential { username, password, is_token: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::{Sources, compile};

    fn snapshot() -> Snapshot {
        let spec = serde_json::json!({"permissions": ["Track"]});
        let mut sources = Sources { namespace: "default".into(), ..Sources::default() };
        sources.api_keys.insert("crm".into(), serde_json::from_value(spec).unwrap());
        compile(&sources).snapshot
    }

    #[test]
    fn what_was_generated_stays_and_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mut first = DevCredentials::read(folder.path()).unwrap();
        first.complete(&snapshot(), folder.path()).unwrap();
        assert!(first.owner.is_some() && first.api_keys.contains_key("crm"));
        let mut second = DevCredentials::read(folder.path()).unwrap();
        second.complete(&snapshot(), folder.path()).unwrap();
        assert!(first == second, "a restart generated other credentials");
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_named_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        let error = DevCredentials::read(folder.path()).err().expect("damage goes unnoticed");
        assert!(error.to_string().contains("credentials.json is damaged"));
    }
}

//! `credentials.json` in the data folder: generated once, readable by its owner only, replaced atomically.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Known;
use crate::compile::{BasicSource, Snapshot};
use crate::domain::credentials::{GenerateError, generate_secret, generate_username};
use crate::domain::secret::Secret;

/// An id and its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The username, or the key's id.
    pub username: String,
    /// The password, or the key's secret.
    #[serde(serialize_with = "write_secret", deserialize_with = "read_secret")]
    pub password: Secret,
}

/// Why credentials could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum CredentialFileError {
    /// The file could not be read or written.
    #[error("cannot keep credentials in {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something else wrote it.
    #[error("{} is not a file of credentials: {source}; move it away to have new ones generated", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// No randomness.
    #[error(transparent)]
    Generate(#[from] GenerateError),
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    /// The key of the one who runs the server: it may do everything.
    operator: Option<Pair>,
    #[serde(default)]
    triggers: BTreeMap<String, Pair>,
    #[serde(default)]
    api_keys: BTreeMap<String, Pair>,
}

/// The generated credentials of one data folder.
#[derive(Debug)]
pub struct CredentialFile {
    path: PathBuf,
    kept: Kept,
}

impl CredentialFile {
    /// Opens the folder's credentials; there may be none yet.
    ///
    /// # Errors
    /// See [`CredentialFileError`].
    pub fn open(folder: &Path) -> Result<Self, CredentialFileError> {
        let path = folder.join("credentials.json");
        let kept = match fs::read(&path) {
            Ok(content) => serde_json::from_slice(&content)
                .map_err(|source| CredentialFileError::Unreadable { path: path.clone(), source })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::default(),
            Err(source) => return Err(CredentialFileError::Io { path, source }),
        };
        Ok(CredentialFile { path, kept })
    }

    /// Generates what the snapshot needs and is not there. What is there stays, also of objects that are gone: they
    /// may come back, and whoever pasted their credentials somewhere then finds them working.
    ///
    /// # Errors
    /// See [`CredentialFileError`].
    pub fn ensure(&mut self, snapshot: &Snapshot) -> Result<(), CredentialFileError> {
        let mut changed = false;
        let operator = self.kept.operator.is_none().then(|| generate("operator")).transpose()?;
        if let Some(operator) = operator {
            self.kept.operator = Some(operator);
            changed = true;
        }
        let generated = snapshot.triggers.values().filter(|it| it.basic == Some(BasicSource::Generated));
        for trigger in generated {
            changed |= add(&mut self.kept.triggers, trigger.name.as_str())?;
        }
        for name in snapshot.api_keys.keys() {
            changed |= add(&mut self.kept.api_keys, name)?;
        }
        if changed {
            let failed = |source| CredentialFileError::Io { path: self.path.clone(), source };
            write_atomically(&self.path, &self.kept).map_err(failed)?;
        }
        Ok(())
    }

    /// The key of the one who runs the server; `None` before [`Self::ensure`].
    pub fn operator(&self) -> Option<&Pair> {
        self.kept.operator.as_ref()
    }

    /// A trigger's generated credentials.
    pub fn trigger(&self, name: &str) -> Option<&Pair> {
        self.kept.triggers.get(name)
    }

    /// A shared key's id and secret; of a public key the secret is its token.
    pub fn api_key(&self, name: &str) -> Option<&Pair> {
        self.kept.api_keys.get(name)
    }
}

/// The folder's credentials, where no user's Secret can be read.
impl Known for CredentialFile {
    fn of_trigger(&self, trigger: &str) -> Vec<Pair> {
        self.trigger(trigger).cloned().into_iter().collect()
    }

    fn of_secret(&self, _secret: &str) -> Option<Pair> {
        None
    }

    fn of_api_key(&self, name: &str) -> Vec<Pair> {
        self.api_key(name).cloned().into_iter().collect()
    }

    fn of_operator(&self) -> Option<Pair> {
        self.operator().cloned()
    }
}

fn add(pairs: &mut BTreeMap<String, Pair>, name: &str) -> Result<bool, GenerateError> {
    if pairs.contains_key(name) {
        return Ok(false);
    }
    pairs.insert(name.to_owned(), generate(name)?);
    Ok(true)
}

fn generate(purpose: &str) -> Result<Pair, GenerateError> {
    Ok(Pair { username: generate_username(purpose)?, password: generate_secret()? })
}

/// A crash leaves the old file or the new one, whole: a half one would lock every caller out.
fn write_atomically(path: &Path, kept: &Kept) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let next = path.with_extension("json.new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&next)?;
    serde_json::to_writer_pretty(&mut file, kept).map_err(io::Error::from)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&next, path)?;
    File::open(folder)?.sync_all()
}

fn write_secret<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

fn read_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::compile::{Sources, compile};

    #[test]
    fn credentials_are_generated_once_and_kept_for_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let mut sources = Sources::default();
        sources.triggers.insert("storm".into(), serde_json::from_str("{}").unwrap());
        let snapshot = compile(&sources).snapshot;

        let mut first = CredentialFile::open(folder.path()).unwrap();
        first.ensure(&snapshot).unwrap();
        let mut again = CredentialFile::open(folder.path()).unwrap();
        again.ensure(&snapshot).unwrap();

        assert_eq!(again.trigger("storm"), first.trigger("storm"));
        assert_eq!(again.operator(), first.operator());
        let mode = fs::metadata(folder.path().join("credentials.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let shown = format!("{first:?}");
        assert!(!shown.contains(first.trigger("storm").unwrap().password.expose()), "{shown}");
    }
}

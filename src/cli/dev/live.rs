//! What is in force in a running `dev`, and how an edit of the folder changes it.

use jiff::Timestamp;

use super::announce;
use super::data_folder::{DataFolder, DataFolderError};
use super::folder::{Folder, FolderError, Reading};
use super::keyring::gather;
use super::secrets::UserSecrets;
use crate::compile::Settled;
use crate::manifests::Diagnostic;
use crate::runtime::configuration::{Applied, Configuration};
use crate::store::StoreError;

/// Why something could not be put in force; what was in force stays.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The folder cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// New credentials cannot be kept.
    #[error(transparent)]
    Data(#[from] DataFolderError),
    /// The version cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The folder and what it puts in force.
pub struct Live {
    /// The folder of manifests.
    pub folder: Folder,
    /// What is in force.
    pub configuration: Configuration,
    /// The user's Secrets, as they were read last.
    pub secrets: UserSecrets,
}

impl Live {
    /// Reads the folder, says what is wrong with it, and puts the rest in force.
    ///
    /// # Errors
    /// Nothing could be put in force; what was stays.
    pub async fn reload(&mut self, data: &mut DataFolder) -> Result<Applied, LiveError> {
        let reading = self.folder.read(self.configuration.in_force())?;
        self.apply(reading, data).await
    }

    /// Puts what was read in force.
    ///
    /// # Errors
    /// Nothing could be put in force; what was stays.
    pub async fn apply(&mut self, reading: Reading, data: &mut DataFolder) -> Result<Applied, LiveError> {
        let Reading { wanted, secrets, diagnostics, manifests } = reading;
        let namespace = wanted.namespace.clone();
        let settled = self.configuration.settle(wanted).await;
        announce::diagnostics(&diagnostics);
        let located = settled.problems.iter().filter_map(|problem| manifests.locate(&namespace, problem));
        announce::diagnostics(&located.collect::<Vec<Diagnostic>>());
        say_what_is_held_back(&settled);
        data.complete_credentials(&settled.compilation.snapshot)?;
        let gathered = gather(&settled.compilation.snapshot, &data.credentials, &secrets);
        for (trigger, reason) in &gathered.unavailable {
            tracing::error!(trigger, "the trigger's own credentials cannot be read: {reason}");
        }
        let applied = self.configuration.apply(settled, gathered.keyring, &secrets, Timestamp::now()).await?;
        announce::unconnected(&applied.unconnected);
        self.secrets = secrets;
        Ok(applied)
    }
}

fn say_what_is_held_back(settled: &Settled) {
    for object in &settled.held_back {
        let (kind, name) = (object.kind, &object.name);
        tracing::error!(%kind, name, "does not compile: its last good version stays in force, if it has one");
    }
}

//! `fanfare backup` and `fanfare restore`: the files of a SQLite store as one archive, and back.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;

use super::dev::data_folder::{DataFolder, DataFolderError};
use super::output::warn;
use crate::domain::pause::{Pause, PauseScope};
use crate::store::StoreError;
use crate::store::pauses::PauseBook as _;
use crate::store::sqlite::{ArchiveError, Ledger, SqliteOpenError, read_archive, write_archive};

/// Write a copy of a data folder's databases to stdout, as a tar file, while Fanfare works on them.
///
/// It needs as much room in the folder as they take. The credentials that `fanfare dev` generated are in it, so that callers
/// keep theirs: keep it as secret as they are. In a cluster they are Secrets, which are backed up with the cluster.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  fanfare backup --data .fanfare > backup.tar\n  \
    kubectl exec main-runtime-0 -- fanfare backup --data /var/lib/fanfare > backup.tar")]
pub struct BackupCommand {
    /// The folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

/// Make the databases of a data folder from a copy that is read from stdin.
///
/// What was sent after the copy was taken is not known in it and would be sent again: therefore everything is paused until
/// you look and run `fanfare resume runtime`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  fanfare restore --data .fanfare < backup.tar")]
pub struct RestoreCommand {
    /// The folder; it must hold no databases.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
enum BackupError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Folder(#[from] DataFolderError),
    #[error(transparent)]
    Open(#[from] SqliteOpenError),
    #[error("the restored ledger cannot be written: {0}")]
    Store(#[from] StoreError),
    #[error("a backup is no text for a screen; send stdout to a file")]
    Terminal,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl BackupCommand {
    pub(super) fn run(self) -> ExitCode {
        ended(self.write())
    }

    fn write(self) -> Result<(), BackupError> {
        let out = io::stdout();
        if out.is_terminal() {
            return Err(BackupError::Terminal);
        }
        write_archive(&self.data, Timestamp::now(), out.lock())?;
        Ok(())
    }
}

impl RestoreCommand {
    pub(super) fn run(self) -> ExitCode {
        ended(self.read())
    }

    fn read(self) -> Result<(), BackupError> {
        let _held = DataFolder::hold(&self.data)?;
        let taken_at = read_archive(&self.data, io::stdin().lock())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.pause(taken_at))?;
        writeln!(
            io::stdout(),
            "restored as of {taken_at}, and everything is paused: what was sent after that is not known. Look, cancel what \
             must not be sent again, and run `fanfare resume runtime`"
        )?;
        Ok(())
    }

    async fn pause(&self, taken_at: Timestamp) -> Result<(), BackupError> {
        let ledger = Ledger::open(&self.data)?;
        let reason = format!(
            "restored as of {taken_at}: what was sent after that is not known, and would be sent again"
        );
        let pause =
            Pause { scope: PauseScope::Runtime, who: "restore".into(), reason, since: Timestamp::now() };
        let paused = ledger.pause(&pause).await;
        ledger.close().await;
        paused?;
        Ok(())
    }
}

fn ended(result: Result<(), BackupError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            warn(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

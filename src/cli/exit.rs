//! The exit codes of the client commands, and how a command ends.

use std::process::ExitCode;

use super::client::ClientError;
use super::output::warn;

/// For `--help`: what scripts may rely on.
pub(super) const EXIT_CODES: &str = "Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 the server cannot be \
    reached; 4 the key is missing or may not do this";

/// What the shell gets to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// It was done.
    Done = 0,
    /// It was refused, or what was watched failed.
    Failed = 1,
    /// What was typed makes no sense.
    Usage = 2,
    /// Nobody answers at the server's address.
    Unreachable = 3,
    /// The key is missing, unknown, or may not do this.
    NotAllowed = 4,
    /// A call was accepted, and not all that came of it was done.
    AcceptedNotDone = 5,
    /// A call was accepted, or may have been, and what came of it was not seen.
    AcceptedUnseen = 6,
}

/// Runs a client command to its end and says on stderr why it stopped.
pub(super) fn run(command: impl Future<Output = Result<Exit, ClientError>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return stopped(&ClientError::Output(error)),
    };
    match runtime.block_on(command) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => stopped(&error),
    }
}

fn stopped(error: &ClientError) -> ExitCode {
    warn(&format!("error: {error}"));
    ExitCode::from(error.exit() as u8)
}

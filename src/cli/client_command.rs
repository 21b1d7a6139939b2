//! How a command that asks a server runs, and how it ends.

use std::process::ExitCode;

use super::client::ClientError;
use super::exit::Exit;
use super::output::warn;

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

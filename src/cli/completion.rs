//! `fanfare completion`: what a shell needs to complete commands.

use std::process::ExitCode;

use clap::CommandFactory;

use super::client::ClientError;
use super::client_command;
use super::exit::Exit;

/// Print a script that completes this command in a shell.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  fanfare completion bash > ~/.local/share/bash-completion/completions/fanfare\n  \
    fanfare completion zsh > ~/.zfunc/_fanfare\n  fanfare completion fish > ~/.config/fish/completions/fanfare.fish"
)]
pub struct CompletionCommand {
    /// The shell.
    shell: clap_complete::Shell,
}

impl CompletionCommand {
    pub(super) fn run(self) -> ExitCode {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Cli::command(), "fanfare", &mut script);
        client_command::run(async move {
            use std::io::Write;
            std::io::stdout().lock().write_all(&script).map_err(ClientError::Output)?;
            Ok(Exit::Done)
        })
    }
}

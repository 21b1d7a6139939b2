//! What a person types: one file a subcommand.
//!
//! Invariant: a command parses its arguments, calls the library and prints; it holds no logic of its own.

mod backup;
mod call;
mod check_install;
mod completion;
mod crds;
mod credentials;
mod customers;
mod deliveries;
mod dev;
mod import;
mod log;
mod operator;
mod reference;
mod runtime;
mod sandbox;
mod stop;
mod validate;

mod answer;
mod client;
mod client_command;
mod cluster;
mod exit;
mod output;
mod paused;
mod plugin_completion;
mod serving;
mod signals;
mod view;
mod visible;
mod watch;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

/// One call about something that happened in the world reaches every customer it concerns.
#[derive(Debug, Parser)]
#[command(name = "fanfare", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Call a trigger.
    Call(Box<call::CallCommand>),
    /// Show the calls there were, or one of them with what came of it.
    Log(Box<log::LogCommand>),
    /// List deliveries, or decide about one that is held.
    Deliveries(Box<deliveries::DeliveriesCommand>),
    /// Let a call, a scenario, a channel or everything rest.
    Pause(Box<stop::PauseCommand>),
    /// Let go on what rests.
    Resume(Box<stop::ResumeCommand>),
    /// Cancel what has not been sent of what is under way.
    Cancel(Box<stop::CancelCommand>),
    /// Show what is paused.
    Pauses(Box<stop::PausesCommand>),
    /// Bring customers or events in from a file.
    Import(Box<import::ImportCommand>),
    /// Write a copy of a data folder's databases to stdout.
    Backup(backup::BackupCommand),
    /// Make the databases of a data folder from such a copy.
    Restore(backup::RestoreCommand),
    /// Look at customers.
    Customers(Box<customers::CustomersCommand>),
    /// Show the credentials that `fanfare dev` generated.
    Credentials(Box<credentials::CredentialsCommand>),
    /// Check whether the operator of a cluster is installed as it should be.
    CheckInstall(check_install::CheckInstall),
    /// Print a script that completes this command in a shell.
    Completion(completion::CompletionCommand),
    /// Print the CustomResourceDefinitions of all kinds.
    Crds(crds::Crds),
    /// Run a folder of manifests on this machine, with SQLite and without a cluster.
    Dev(Box<dev::DevCommand>),
    /// Run the controllers that make manifests in a cluster real.
    Operator(Box<operator::OperatorCommand>),
    /// Run one process of a Runtime in its cluster: receive calls and dispatch messages.
    Runtime(Box<runtime::RuntimeCommand>),
    /// Run providers to test against: SMTP, a Twilio-shaped API and webhooks that keep what they receive.
    Sandbox(Box<sandbox::SandboxCommand>),
    /// Check manifests as the API server and the operator would, without either.
    Validate(validate::Validate),
}

/// What a person who works with a cluster has no use for.
const NOT_FOR_PLUGIN: [&str; 9] =
    ["backup", "completion", "crds", "credentials", "dev", "operator", "restore", "runtime", "sandbox"];

/// The command line as it is spoken here: kubectl's plugin shows only what is for people who use a cluster.
fn command_line() -> clap::Command {
    match cluster::is_plugin() {
        false => Cli::command(),
        true => NOT_FOR_PLUGIN
            .iter()
            .fold(Cli::command().bin_name("kubectl fanfare"), |command, name| {
                command.mut_subcommand(name, |it| it.hide(true))
            })
            .mut_subcommands(with_plugin_examples)
            .mut_subcommands(with_plugin_server),
    }
}

/// The examples of a command and of those below it as they are typed with kubectl.
fn with_plugin_examples(command: clap::Command) -> clap::Command {
    let help =
        command.get_after_help().map(|help| help.to_string().replace("  fanfare ", "  kubectl fanfare "));
    let command = command.mut_subcommands(with_plugin_examples);
    match help {
        Some(help) => command.after_help(help),
        None => command,
    }
}

/// What `--server` means beside a cluster: it is read from no variable, and the key comes with it.
fn with_plugin_server(command: clap::Command) -> clap::Command {
    let has_server = command.get_arguments().any(|argument| argument.get_id() == "server");
    let command = command.mut_subcommands(with_plugin_server);
    match has_server {
        true => command.mut_arg("server", |argument| {
            argument.help(
                "The address of a server outside of the cluster, to ask it instead; the key is then read from \
                 FANFARE_API_KEY=<username>:<password>",
            )
        }),
        false => command,
    }
}

/// Runs the command a person typed and turns its outcome into an exit code.
pub fn run() -> ExitCode {
    // What a Pod runs may be told to end before it has read its command line.
    if std::env::args_os().nth(1).is_some_and(|command| command == "operator" || command == "runtime") {
        signals::Signals::receive_early();
    }
    if plugin_completion::is_asked() {
        let typed: Vec<String> =
            std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        return match output::print(&plugin_completion::answer(&command_line(), &typed)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let parsed = Cli::from_arg_matches(&command_line().get_matches_from(cluster::words()));
    match parsed.unwrap_or_else(|error| error.exit()).command {
        Command::Call(command) => command.run(),
        Command::Log(command) => command.run(),
        Command::Deliveries(command) => command.run(),
        Command::Pause(command) => command.run(),
        Command::Resume(command) => command.run(),
        Command::Cancel(command) => command.run(),
        Command::Pauses(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Backup(command) => command.run(),
        Command::Restore(command) => command.run(),
        Command::Customers(command) => command.run(),
        Command::Credentials(command) => command.run(),
        Command::CheckInstall(command) => command.run(),
        Command::Completion(command) => command.run(),
        Command::Crds(command) => command.run(),
        Command::Dev(command) => command.run(),
        Command::Operator(command) => command.run(),
        Command::Runtime(command) => command.run(),
        Command::Sandbox(command) => command.run(),
        Command::Validate(command) => command.run(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    fn without_example(command: &clap::Command, path: &str, found: &mut Vec<String>) {
        let path = format!("{path}{} ", command.get_name());
        let helps = [command.get_after_help(), command.get_after_long_help(), command.get_long_about()];
        let example = |help: &clap::builder::StyledStr| help.to_string().contains(path.trim_end());
        let is_leaf = command.get_subcommands().next().is_none();
        if is_leaf && !helps.into_iter().flatten().any(example) {
            found.push(path.clone());
        }
        command.get_subcommands().for_each(|below| without_example(below, &path, found));
    }

    #[test]
    fn every_command_shows_an_example_in_its_help() {
        Cli::command().debug_assert();
        let mut found = Vec::new();
        without_example(&Cli::command(), "", &mut found);
        assert!(found.is_empty(), "give these an Example in after_help: {found:?}");
    }
}

//! Completion of `kubectl fanfare`: kubectl runs `kubectl_complete-fanfare` with what was typed, the last word unfinished.

use clap::Command;

/// Files are not offered where they would be wrong.
const NO_FILES: &str = ":4";
/// The shell offers its files.
const FILES: &str = ":0";

/// Whether kubectl asks what could come next.
pub(super) fn is_asked() -> bool {
    super::cluster::invoked_name().is_some_and(|name| name == "kubectl_complete-fanfare")
}

/// What could come next, a candidate a line, in the form of cobra's completions.
pub(super) fn answer(command: &Command, typed: &[String]) -> String {
    let (last, before) = typed.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let mut here = command;
    for word in before {
        here = here.find_subcommand(word).unwrap_or(here);
    }
    let mut found = match last.starts_with('-') {
        true => flags(here),
        false => subcommands(here),
    };
    found.retain(|(name, _)| name.starts_with(last));
    let files = if here.has_subcommands() { NO_FILES } else { FILES };
    let lines = found.into_iter().map(|(name, about)| format!("{name}\t{about}\n"));
    lines.chain([format!("{files}\n")]).collect()
}

fn subcommands(command: &Command) -> Vec<(String, String)> {
    let shown = command.get_subcommands().filter(|below| !below.is_hide_set());
    shown.map(|below| (below.get_name().to_owned(), first_line(below.get_about()))).collect()
}

fn flags(command: &Command) -> Vec<(String, String)> {
    let named = command.get_arguments().filter(|flag| !flag.is_hide_set());
    named.filter_map(|flag| Some((format!("--{}", flag.get_long()?), first_line(flag.get_help())))).collect()
}

fn first_line(help: Option<&clap::builder::StyledStr>) -> String {
    help.map(ToString::to_string).unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn answered(typed: &[&str]) -> String {
        let typed: Vec<String> = typed.iter().map(|word| (*word).to_owned()).collect();
        answer(&crate::cli::Cli::command(), &typed)
    }

    #[test]
    fn commands_and_flags_are_completed() {
        assert_eq!(answered(&["cu"]), "customers\tLook at customers\n:4\n");
        assert!(answered(&["import", ""]).contains("events\t"));
        assert!(answered(&["import", "events", "--skip"]).starts_with("--skip-invalid\t"));
        assert!(answered(&["import", "events", "x"]).ends_with(":0\n"));
    }
}

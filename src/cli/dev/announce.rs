//! What `dev` tells the person who started it: what is wrong, what is in force, and how to call it.

use std::io::IsTerminal as _;
use std::path::Path;

use super::ready_file::Ready;
use crate::cli::output::{counted, line, warn};
use crate::compile::Snapshot;
use crate::domain::retention::RetentionPolicy;
use crate::manifests::{Diagnostic, DiagnosticSeverity};
use crate::runtime::configuration::Unconnected;

/// Says what is wrong with the manifests: with a caret on a terminal, as log lines elsewhere.
pub fn diagnostics(diagnostics: &[Diagnostic]) {
    let for_people = std::io::stderr().is_terminal();
    for diagnostic in diagnostics {
        let Diagnostic { file, line, column, message, .. } = diagnostic;
        let (object, field) = (diagnostic.object.as_deref(), diagnostic.field.as_deref());
        match diagnostic.severity {
            _ if for_people => warn(&diagnostic.to_string()),
            DiagnosticSeverity::Error => tracing::error!(file, line, column, object, field, "{message}"),
            DiagnosticSeverity::Warning => tracing::warn!(file, line, column, object, field, "{message}"),
            DiagnosticSeverity::Note => tracing::info!(file, line, column, object, field, "{message}"),
        }
    }
}

/// Says which channels hold their messages back, and why.
pub fn unconnected(channels: &[Unconnected]) {
    for Unconnected { channel, reasons } in channels {
        let reasons = reasons.join("; ");
        tracing::error!(%channel, "the channel cannot be used, its messages wait: {reasons}");
    }
}

/// Says where everything is. Passwords are shown on a terminal only: what is written elsewhere is kept, and read by others.
pub fn ready(ready: &Ready, snapshot: &Snapshot, data: &Path) {
    let is_private = std::io::stdout().is_terminal();
    let triggers = counted(ready.triggers.len() as u64, "trigger");
    line(format_args!("Serving {triggers} at {}", ready.server));
    if snapshot.retention != RetentionPolicy::default() {
        line(format_args!("Keeping {}", snapshot.retention.in_words()));
    }
    if let Some(key) = &ready.api_key {
        line(format_args!("\nFor the other commands, in another terminal:"));
        line(format_args!("  export FANFARE_SERVER={}", ready.server));
        match is_private {
            true => line(format_args!("  export FANFARE_API_KEY={}:{}", key.username, key.password)),
            false => line(format_args!("  eval \"$(fanfare credentials --env --data {})\"", data.display())),
        }
    }
    for trigger in &ready.triggers {
        line(format_args!("\nTrigger {}", trigger.name));
        line(format_args!("  url       {}", trigger.url));
        if let Some(own) = &trigger.credentials {
            line(format_args!("  username  {}", own.username));
            match is_private {
                true => line(format_args!("  password  {}", own.password)),
                false => line(format_args!(
                    "  password  shown by `fanfare credentials {} --data {}`",
                    trigger.name,
                    data.display()
                )),
            }
        }
        line(format_args!("  example   {}", trigger.example));
        line(format_args!(
            "  try       {}",
            if is_private { &trigger.curl } else { &trigger.curl_without_password }
        ));
    }
    scenarios(snapshot);
}

fn scenarios(snapshot: &Snapshot) {
    for scenario in snapshot.scenarios.values() {
        line(format_args!("\nScenario {} ({:?})", scenario.name, scenario.spec.state));
        line(format_args!("  audience  {}", scenario.plan_in_words()));
    }
}

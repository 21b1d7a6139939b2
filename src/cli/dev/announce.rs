//! What `dev` tells the person who started it: what is wrong, what is in force, and how to call it.

use std::io::IsTerminal as _;

use super::ready_file::Ready;
use crate::compile::Snapshot;
use crate::manifests::{Diagnostic, Severity};
use crate::runtime::configuration::Unconnected;

/// Says what is wrong with the manifests: with a caret on a terminal, as log lines elsewhere.
pub fn diagnostics(diagnostics: &[Diagnostic]) {
    let for_people = std::io::stderr().is_terminal();
    for diagnostic in diagnostics {
        let Diagnostic { file, line, column, message, .. } = diagnostic;
        let (object, field) = (diagnostic.object.as_deref(), diagnostic.field.as_deref());
        match diagnostic.severity {
            _ if for_people => eprintln!("{diagnostic}"),
            Severity::Error => tracing::error!(file, line, column, object, field, "{message}"),
            Severity::Warning => tracing::warn!(file, line, column, object, field, "{message}"),
            Severity::Note => tracing::info!(file, line, column, object, field, "{message}"),
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

/// Says where everything is.
pub fn ready(ready: &Ready, snapshot: &Snapshot) {
    println!("Serving {} triggers at {}", ready.triggers.len(), ready.server);
    if let Some(key) = &ready.api_key {
        println!("\nFor the other commands, in another terminal:");
        println!("  export FANFARE_SERVER={}", ready.server);
        println!("  export FANFARE_API_KEY={}:{}", key.username, key.password);
    }
    for trigger in &ready.triggers {
        println!("\nTrigger {}", trigger.name);
        println!("  url       {}", trigger.url);
        if let Some(own) = &trigger.credentials {
            println!("  username  {}", own.username);
            println!("  password  {}", own.password);
        }
        println!("  example   {}", trigger.example);
        println!("  try       {}", trigger.curl);
    }
    scenarios(snapshot);
}

fn scenarios(snapshot: &Snapshot) {
    for scenario in snapshot.scenarios.values() {
        println!("\nScenario {} ({:?})", scenario.name, scenario.spec.state);
        println!("  audience  {}", scenario.plan_in_words());
    }
}

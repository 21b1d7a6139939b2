//! `fanfare crds`: prints what `crds/` holds.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::output::warn;
use super::reference;
use crate::api::definitions;

const EXAMPLES: &str = "\
Example, to install or update them:
  fanfare crds | kubectl apply --server-side -f -";

/// Print the CustomResourceDefinitions of all kinds as YAML.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Crds {
    /// Write the reference of every field as Markdown into this folder instead.
    #[arg(long, hide = true, value_name = "FOLDER")]
    reference: Option<PathBuf>,
}

impl Crds {
    pub(super) fn run(&self) -> ExitCode {
        let written = match &self.reference {
            Some(folder) => reference::write(folder),
            None => std::io::stdout().lock().write_all(yaml().as_bytes()),
        };
        match written {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                warn(&format!("fanfare crds: cannot write: {error}"));
                ExitCode::from(2)
            }
        }
    }
}

/// All definitions as one stream of YAML documents.
pub fn yaml() -> String {
    let documents = definitions().into_iter().map(|definition| {
        serde_yaml_ng::to_string(&definition).expect("a definition is plain data with text keys")
    });
    documents.map(|document| format!("---\n{document}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_folder_crds_holds_what_the_command_prints() {
        let committed = include_str!("../../crds/fanfare.yaml");
        assert!(
            committed == super::yaml(),
            "the kinds have changed; run: cargo run -q -- crds > crds/fanfare.yaml"
        );
    }
}

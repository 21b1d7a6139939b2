//! `fanfare crds`: prints what `crds/` holds.

use std::io::Write;
use std::process::ExitCode;

use crate::api::definitions;

/// Print the CustomResourceDefinitions of all kinds as YAML.
///
/// Install or update them: `fanfare crds | kubectl apply --server-side -f -`
#[derive(Debug, clap::Args)]
pub struct Crds {}

impl Crds {
    pub(super) fn run(&self) -> ExitCode {
        match std::io::stdout().lock().write_all(yaml().as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("fanfare crds: cannot write: {error}");
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

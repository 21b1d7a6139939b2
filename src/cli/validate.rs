//! `fanfare validate`: says whether manifests are right, before they are applied.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use super::output::print;
use crate::compile;
use crate::manifests::{self, Diagnostic, Manifests, ReadError, Severity};

const EXAMPLES: &str = "\
Examples:
  fanfare validate examples/weather-alert
  kustomize build overlays/live | fanfare validate -
  fanfare validate -o json . | jq '.diagnostics[] | select(.severity == \"error\")'

Exits with 0 if all is right, 1 if something is wrong, 2 if something could not be read.";

/// Check manifests as the API server and the operator would, without either.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Validate {
    /// A folder (read as `kubectl apply -R -f` does), a file, or `-` for the standard input.
    path: PathBuf,
    /// How to print what was found.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Output {
    /// For people, with the place and a caret.
    Text,
    /// For scripts: `{"objects": n, "diagnostics": […]}`.
    Json,
}

impl Validate {
    pub(super) fn run(&self) -> ExitCode {
        let manifests = match self.read() {
            Ok(manifests) => manifests,
            Err(error) => {
                eprintln!("fanfare validate: {error}");
                return ExitCode::from(2);
            }
        };
        let Verdict { diagnostics, plans } = verdict(&manifests);
        let shown = match self.output {
            Output::Text => shown_as_text(&manifests, &diagnostics, &plans),
            Output::Json => shown_as_json(&manifests, &diagnostics, &plans),
        };
        if let Err(error) = print(&shown) {
            eprintln!("fanfare validate: {error}");
            return ExitCode::from(2);
        }
        ExitCode::from(u8::from(diagnostics.iter().any(Diagnostic::is_error)))
    }

    fn read(&self) -> Result<Manifests, ReadError> {
        if self.path.as_os_str() == "-" {
            return manifests::read_stream("<stdin>", io::stdin().lock());
        }
        manifests::read_folder(&self.path)
    }
}

/// Everything there is to say, and how each scenario's audience would be found.
struct Verdict {
    diagnostics: Vec<Diagnostic>,
    plans: Vec<Plan>,
}

/// How the audience of a scenario would be found.
#[derive(Debug, serde::Serialize)]
struct Plan {
    namespace: String,
    scenario: String,
    audience: String,
}

/// About the text, about each object by itself, and about what they mean together.
fn verdict(manifests: &Manifests) -> Verdict {
    let mut diagnostics = manifests.diagnostics.clone();
    diagnostics.extend(manifests::check(manifests));
    let mut plans = Vec::new();
    for (namespace, sources) in manifests.sources(&diagnostics) {
        let compile::Compilation { snapshot, problems } = compile::compile(&sources);
        diagnostics.extend(problems.iter().filter_map(|problem| manifests.locate(&namespace, problem)));
        plans.extend(snapshot.scenarios.values().map(|scenario| Plan {
            namespace: namespace.clone(),
            scenario: scenario.name.to_string(),
            audience: scenario.plan_in_words(),
        }));
    }
    Verdict { diagnostics, plans }
}

fn shown_as_text(manifests: &Manifests, diagnostics: &[Diagnostic], plans: &[Plan]) -> String {
    for diagnostic in diagnostics {
        eprintln!("{diagnostic}");
    }
    let mut shown = String::new();
    for Plan { namespace, scenario, audience } in plans {
        shown.push_str(&format!("Scenario {namespace}/{scenario}: audience {audience}\n"));
    }
    let count = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    shown + &format!("{} objects, {errors} errors, {warnings} warnings", manifests.objects.len())
}

fn shown_as_json(manifests: &Manifests, diagnostics: &[Diagnostic], plans: &[Plan]) -> String {
    let objects = manifests.objects.len();
    serde_json::json!({ "objects": objects, "diagnostics": diagnostics, "plans": plans }).to_string()
}

//! `fanfare validate`: says whether manifests are right, before they are applied.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use super::output::{counted, print, print_compact, warn};
use crate::compile;
use crate::manifests::{self, Diagnostic, DiagnosticSeverity, Manifests, ReadError};

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
                warn(&format!("fanfare validate: {error}"));
                return ExitCode::from(2);
            }
        };
        let Verdict { diagnostics, plans } = verdict(&manifests);
        let printed = match self.output {
            Output::Text => print(&shown_as_text(&manifests, &diagnostics, &plans)),
            Output::Json => print_compact(&shown_as_json(&manifests, &diagnostics, &plans)),
        };
        if let Err(error) = printed {
            warn(&format!("fanfare validate: {error}"));
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
        warn(&diagnostic.to_string());
    }
    let mut shown = String::new();
    for Plan { namespace, scenario, audience } in plans {
        shown.push_str(&format!("Scenario {namespace}/{scenario}: audience {audience}\n"));
    }
    let count =
        |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count() as u64;
    let (errors, warnings) = (count(DiagnosticSeverity::Error), count(DiagnosticSeverity::Warning));
    let objects = counted(manifests.objects.len() as u64, "object");
    shown + &format!("{objects}, {}, {}", counted(errors, "error"), counted(warnings, "warning"))
}

fn shown_as_json(manifests: &Manifests, diagnostics: &[Diagnostic], plans: &[Plan]) -> serde_json::Value {
    let objects = manifests.objects.len();
    serde_json::json!({ "objects": objects, "diagnostics": diagnostics, "plans": plans })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"
apiVersion: fanfare.dev/v1alpha1
kind: ApiTrigger
metadata: {name: t}
spec:
  parameters:
    - {name: line, type: string}
    - {name: cities, type: list}
    - {name: until, type: timestamp}
    - {name: level, type: integer}
---
apiVersion: fanfare.dev/v1alpha1
kind: Channel
metadata: {name: out}
spec: {log: {}}
"#;

    /// What `fanfare validate` says of manifests.
    fn said(yaml: &str) -> Vec<String> {
        let manifests =
            manifests::read_stream("<stdin>", yaml.as_bytes()).expect("a stream in memory can be read");
        verdict(&manifests).diagnostics.iter().map(ToString::to_string).collect()
    }

    fn scenario(spec: &str) -> String {
        let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
        let head = "apiVersion: fanfare.dev/v1alpha1\nkind: Scenario\nmetadata: {name: s}\nspec:\n";
        format!("{BASE}---\n{head}{spec}")
    }

    fn quoted(text: &str) -> String {
        serde_json::Value::from(text).to_string()
    }

    fn audience(written: &str) -> String {
        scenario(&format!(
            "triggers: [{{triggerRef: {{name: t}}}}]\naudience: {{where: {}}}\nnodes: [{{name: a, message: \
             {{channelRef: {{name: out}}, consent: None, log: {{text: x}}}}}}]",
            quoted(written)
        ))
    }

    fn content(written: &str) -> String {
        scenario(&format!(
            "triggers: [{{triggerRef: {{name: t}}}}]\naudience: {{where: customer.vip}}\nnodes: [{{name: a, message: \
             {{channelRef: {{name: out}}, consent: None, log: {{text: {}}}}}}}]",
            quoted(written)
        ))
    }

    fn mapping(written: &str) -> String {
        let head = "apiVersion: fanfare.dev/v1alpha1\nkind: ApiTrigger\nmetadata: {name: t}\nspec:";
        let from = quoted(written);
        format!("{head}\n  parameters: [{{name: line, type: string, from: {from}, required: false}}]")
    }

    /// Cases of a file: what is written, and the words of which one must be answered.
    fn lines(file: &'static str) -> Vec<(String, &'static str)> {
        let mut cases: Vec<(String, &str)> = Vec::new();
        for line in file.lines().filter(|line| !line.is_empty() && !line.starts_with("# ") && *line != "#") {
            match (line.strip_prefix("    "), cases.last_mut()) {
                (Some(words), Some(case)) => case.1 = words,
                _ => cases.push((line.to_owned(), "")),
            }
        }
        cases
    }

    fn blocks(file: &'static str) -> Vec<(String, &'static str)> {
        let blocks = file.split("\n=== ").skip(1);
        blocks
            .filter_map(|block| block.split_once('\n'))
            .map(|(words, spec)| (spec.to_owned(), words))
            .collect()
    }

    fn is_answered(said: &[String], words: &str) -> bool {
        let alternatives = words.replace(" | ", "\u{1}");
        let mut alternatives = alternatives.split('|').map(|words| words.replace('\u{1}', " | "));
        alternatives.any(|words| said.iter().any(|line| line.contains(&words)))
    }

    #[test]
    fn mistakes_of_newcomers_are_answered_with_what_to_write() {
        let audiences = lines(include_str!("../../tests/mistakes/audiences.txt"));
        let contents = lines(include_str!("../../tests/mistakes/contents.txt"));
        let mappings = lines(include_str!("../../tests/mistakes/mappings.txt"));
        let scenarios = blocks(include_str!("../../tests/mistakes/scenarios.txt"));
        type Written = fn(&str) -> String;
        let sets: [(Vec<(String, &str)>, Written); 4] =
            [(audiences, audience), (contents, content), (mappings, mapping), (scenarios, scenario)];
        let (mut cases, mut unanswered) = (0, Vec::new());
        for (set, manifest) in sets {
            for (written, words) in set {
                cases += 1;
                let said = said(&manifest(&written));
                if words.is_empty() || !is_answered(&said, words) {
                    unanswered
                        .push(format!("{written}\n  should say {words}\n  says {}", said.join("\n       ")));
                }
            }
        }
        assert!(cases >= 250, "{cases} cases were found");
        assert!(unanswered.is_empty(), "{} of {cases}:\n{}", unanswered.len(), unanswered.join("\n"));
    }

    #[test]
    fn what_is_right_is_not_complained_of() {
        for right in
            [audience("customer.city == \"Paris\" and customer.age >= 18"), content("Hi {{ customer.name }}")]
        {
            assert_eq!(said(&right), Vec::<String>::new());
        }
    }
}

//! The reference of every field, as pages in Markdown made from the definitions.
//!
//! `fanfare crds --reference docs/reference` writes them; a test holds that they are up to date.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

use crate::api::definitions;

/// Writes a page for each kind and one that lists them.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    pages().into_iter().try_for_each(|(name, text)| fs::write(folder.join(name), text))
}

/// The pages by the names of their files.
fn pages() -> Vec<(String, String)> {
    let definitions = definitions();
    let mut index = String::from(
        "# Reference\n\nEvery field of every kind of `fanfare.dev/v1alpha1`.\n\n| kind | short | what it is |\n|---|---|---|\n",
    );
    let mut pages = Vec::new();
    for definition in &definitions {
        let names = &definition["spec"]["names"];
        let (kind, short) = (text(&names["kind"]), text(&names["shortNames"][0]));
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        let file = format!("{}.md", text(&names["singular"]));
        let _ =
            writeln!(index, "| [{kind}]({file}) | `{short}` | {} |", flat(&schema["spec"]["description"]));
        pages.push((file, page(kind, short, schema)));
    }
    pages.push(("README.md".to_owned(), index));
    pages
}

fn page(kind: &str, short: &str, schema: &Value) -> String {
    let mut page = format!("# {kind}\n\n`fanfare.dev/v1alpha1`, `kubectl get {short}`.\n");
    let name = &schema["metadata"]["properties"]["name"];
    let _ = writeln!(page, "\n`metadata.name`: {}.", kind_of(name));
    section("spec", &schema["spec"], &mut page);
    section("status", &schema["status"], &mut page);
    page
}

/// An object's description, its fields as a table and its rules; then those of the objects within it.
fn section(path: &str, schema: &Value, page: &mut String) {
    let fields = schema["properties"].as_object();
    let _ = writeln!(page, "\n## `{path}`\n\n{}", flat(&schema["description"]));
    if let Some(fields) = fields {
        let _ = writeln!(page, "\n| field | what it takes | |\n|---|---|---|");
        for (name, field) in fields {
            let _ = writeln!(
                page,
                "| `{name}` | {} | {} |",
                takes(name, field, schema),
                flat(&field["description"])
            );
        }
    }
    let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    for (number, rule) in rules.enumerate() {
        let _ = writeln!(page, "{}- {}", if number == 0 { "\n" } else { "" }, text(&rule["message"]));
    }
    for (name, field) in fields.into_iter().flatten() {
        let inner = if field["items"]["properties"].is_object() { &field["items"] } else { field };
        if inner["properties"].is_object() {
            let list = if inner["properties"] == field["properties"] { "" } else { "[]" };
            section(&format!("{path}.{name}{list}"), inner, page);
        }
    }
}

/// The type and bounds of a field, whether it is required, its default.
fn takes(name: &str, field: &Value, parent: &Value) -> String {
    let mut takes = kind_of(field);
    let required =
        parent["required"].as_array().is_some_and(|names| names.iter().any(|required| required == name));
    if required {
        takes.push_str("; **required**");
    }
    if let Some(default) = field.get("default") {
        let _ = write!(
            takes,
            "; default `{}`",
            default.as_str().map_or_else(|| default.to_string(), str::to_owned)
        );
    }
    for rule in field["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|_| field["items"].is_object())
    {
        let _ = write!(takes, "; {}", text(&rule["message"]));
    }
    takes.replace('|', "\\|")
}

fn kind_of(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| format!("`{}`", text(value))).collect::<Vec<_>>().join(", ");
    }
    match text(&schema["type"]) {
        "array" => {
            let count = between(&schema["minItems"], &schema["maxItems"]);
            format!(
                "list{}{} of {}",
                if count.is_empty() { "" } else { ", " },
                count,
                element(&schema["items"])
            )
        }
        "object" => "object".to_owned(),
        "string" if text(&schema["pattern"]).starts_with("^([0-9]{1,9}d)?") => {
            "length of time, such as `1h30m`".to_owned()
        }
        "string" => {
            let length = between(&schema["minLength"], &schema["maxLength"]);
            let length = if length.is_empty() { length } else { format!(", {length} characters") };
            let pattern =
                schema["pattern"].as_str().map_or(String::new(), |pattern| format!(", matches `{pattern}`"));
            format!("text{length}{pattern}")
        }
        "integer" => {
            format!("whole number {}", between(&schema["minimum"], &schema["maximum"])).trim().to_owned()
        }
        "number" => "number".to_owned(),
        "boolean" => "`true`, `false`".to_owned(),
        _ => "any value".to_owned(),
    }
}

fn element(items: &Value) -> String {
    if items["type"] == "object" { "objects".to_owned() } else { kind_of(items) }
}

fn between(least: &Value, most: &Value) -> String {
    match (least.as_f64(), most.as_f64()) {
        (Some(least), Some(most)) if least == most => format!("{least}"),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (None, Some(most)) => format!("at most {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, None) => String::new(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A description on one line, fit for a cell of a table.
fn flat(description: &Value) -> String {
    text(description).split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_made_from_the_kinds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference");
        for (name, page) in pages() {
            let committed = fs::read_to_string(folder.join(&name)).unwrap_or_default();
            assert!(
                committed == page,
                "{name} is out of date; run: cargo run -q -- crds --reference docs/reference"
            );
        }
    }
}

//! The chart's README lists every value as values.yaml has it.

use serde_json::Value;

use crate::cluster::file;

/// A row of each value that holds no others: its path, its default, and the comment above it.
fn rows(values: &Value, text: &str) -> Vec<String> {
    let mut rows = Vec::new();
    let (mut comment, mut section) = (String::new(), String::new());
    for line in text.lines() {
        if let Some(words) = line.trim_start().strip_prefix("# -- ") {
            words.clone_into(&mut comment);
            continue;
        }
        let is_key = !line.trim_start().starts_with('#') && line.contains(':');
        if !is_key || comment.is_empty() {
            continue;
        }
        let key = line.split(':').next().unwrap_or_default();
        let path = if let Some(key) = key.strip_prefix("  ") {
            format!("{section}.{key}")
        } else {
            key.clone_into(&mut section);
            key.to_owned()
        };
        let pointer = format!("/{}", path.replace('.', "/"));
        let default = values.pointer(&pointer).unwrap_or_else(|| panic!("{path} is not read as it stands"));
        // A heading: its members have rows of their own.
        let heads = line.ends_with(':') && path != "resources";
        let default = if heads { String::new() } else { format!("`{default}`") };
        rows.push(format!("| `{path}` | {default} | {comment} |"));
        comment.clear();
    }
    rows
}

#[test]
fn every_value_is_listed() {
    let text = std::fs::read_to_string(file("charts/fanfare/values.yaml")).unwrap();
    let rows = rows(&serde_yaml_ng::from_str(&text).unwrap(), &text);
    assert!(rows.len() > 40, "{} values found", rows.len());
    let path = file("charts/fanfare/README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, _) = readme.split_once("| value |").expect("the README has a table of the values");
    let wanted = format!("{before}| value | default | what it is |\n|---|---|---|\n{}\n", rows.join("\n"));
    if std::env::var_os("FANFARE_WRITE").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let readme = std::fs::read_to_string(&path).unwrap();
    assert!(readme == wanted, "the table is old; run: FANFARE_WRITE=1 cargo test --test chart readme");
}

//! docs/reference/metrics.md as a test reads it, and what a process shows, in the same shape.

use std::collections::{BTreeMap, BTreeSet};

/// Type and labels, by name.
pub type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

/// The metrics of a section of the page: `Runtime` or `Operator`.
pub fn documented(section: &str) -> Metrics {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/metrics.md")).unwrap();
    let section = page.split("\n## ").find(|part| part.starts_with(section)).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let row = |line: &str| {
        let mut cells = line.split(" | ");
        let name = cells.next().unwrap().trim_end_matches('`').to_owned();
        let kind = cells.next().unwrap().to_owned();
        let labels =
            cells.next().unwrap().split(", ").map(|label| label.trim_matches(['`', ' ', '|']).to_owned());
        (name, (kind, labels.filter(|label| !label.is_empty()).collect()))
    };
    rows.map(row).collect()
}

/// The metrics that a process shows, each with the labels of those series that there are.
pub fn shown(text: &str) -> Metrics {
    let mut shown = Metrics::new();
    let mut now = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            // The text format names a family as its samples, and has no type for what is only said.
            let is_info = kind == "info" || name.ends_with("_info");
            let kind = if is_info { "info" } else { kind };
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            now = if name.ends_with(suffix) { name.to_owned() } else { format!("{name}{suffix}") };
            shown.insert(now.clone(), (kind.to_owned(), BTreeSet::new()));
        } else if let Some((_, rest)) = line.split_once('{').filter(|_| !line.starts_with('#')) {
            let labels = rest.split('}').next().unwrap().split(',').filter_map(|pair| pair.split('=').next());
            let labels = labels.filter(|label| *label != "le" && !label.is_empty()).map(str::to_owned);
            shown.get_mut(&now).unwrap().1.extend(labels);
        }
    }
    shown
}

/// Both must have the same names and types; no series may have a label that is not documented.
#[track_caller]
pub fn compare(documented: &Metrics, shown: &Metrics) {
    let kinds =
        |of: &Metrics| of.iter().map(|(name, (kind, _))| (name.clone(), kind.clone())).collect::<Vec<_>>();
    assert_eq!(
        kinds(documented),
        kinds(shown),
        "left: docs/reference/metrics.md; right: what a process shows"
    );
    for (name, (_, labels)) in shown {
        let more: Vec<_> = labels.difference(&documented[name].1).collect();
        assert!(more.is_empty(), "{name} has labels that docs/reference/metrics.md does not name: {more:?}");
    }
}

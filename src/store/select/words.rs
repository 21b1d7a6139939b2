//! How an audience is found, in a person's words.

use super::plan::{Narrow, Part, Way};
use crate::domain::selection::Selection;

/// A way in words: `index on customer.postcode, then checking consents.sms`.
pub(super) fn words(way: &Way<'_>) -> String {
    match way {
        Way::Nowhere => "nothing".into(),
        Way::Attribute(lookup) => format!("index on {}", lookup.name),
        Way::Ids(lookup) => format!("index on ids.{}", lookup.kind),
        Way::History(history) => history.words(),
        Way::Union(ways) => list(ways.iter().map(words), " plus "),
        Way::Narrow(narrow) => narrowed(narrow),
    }
}

fn narrowed(narrow: &Narrow<'_>) -> String {
    let by = |part: &Part<'_>| part.way.as_ref().map(words);
    let (start, taken) = match narrow.taken.get() {
        Some(taken) => (by(&narrow.parts[taken]).unwrap_or_default(), Some(taken)),
        None => {
            let mut ways: Vec<String> = narrow.parts.iter().filter_map(by).collect();
            ways.dedup();
            match ways.len() {
                1 => (ways.remove(0), narrow.parts.iter().position(|part| part.way.is_some())),
                _ => (format!("the shortest of {}", list(ways, ", ")), None),
            }
        }
    };
    let left = |(place, part): &(usize, &Part<'_>)| match taken {
        Some(taken) => *place != taken || !part.exact,
        None => part.way.is_none(),
    };
    let checks = narrow.parts.iter().enumerate().filter(left).map(|(_, part)| subject(part.selection));
    match list(checks, ", ") {
        checks if checks.is_empty() => start,
        checks => format!("{start}, then checking {checks}"),
    }
}

/// What a selection looks at.
fn subject(selection: &Selection) -> String {
    match selection {
        Selection::Everyone | Selection::Nobody => String::new(),
        Selection::All(parts) | Selection::Any(parts) => list(parts.iter().map(subject), ", "),
        Selection::Attribute { path, .. } => format!("customer.{}", path.join(".")),
        Selection::Id { kind, .. } => format!("ids.{kind}"),
        Selection::Consent { category, .. } => format!("consents.{category}"),
        Selection::Events(wanted) => format!("events({:?})", wanted.event_type),
    }
}

/// Joins what is not empty, each once.
fn list(items: impl IntoIterator<Item = String>, between: &str) -> String {
    let mut once: Vec<String> = Vec::new();
    for item in items {
        if !item.is_empty() && !once.contains(&item) {
            once.push(item);
        }
    }
    once.join(between)
}

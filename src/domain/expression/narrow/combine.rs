//! Joining selections, without parts that say nothing.

use super::Narrowed;
use crate::domain::selection::Selection;

/// Every part holds.
pub(super) fn all(parts: Vec<Narrowed>) -> Narrowed {
    let mut exact = true;
    let mut kept = Vec::new();
    for part in parts {
        exact &= part.exact;
        match part.selection {
            // Nobody is nobody, whatever the others are.
            Selection::Nobody => return Narrowed::exactly(Selection::Nobody),
            Selection::Everyone => {}
            Selection::All(inner) => kept.extend(inner),
            selection => kept.push(selection),
        }
    }
    Narrowed { selection: joined(kept, Selection::Everyone, Selection::All), exact }
}

/// At least one part holds.
pub(super) fn any(parts: Vec<Narrowed>) -> Narrowed {
    let everyone = |part: &Narrowed| part.selection == Selection::Everyone;
    if parts.iter().any(|part| everyone(part) && part.exact) {
        return Narrowed::exactly(Selection::Everyone);
    }
    if parts.iter().any(everyone) {
        return Narrowed::at_most(Selection::Everyone);
    }
    let mut exact = true;
    let mut kept = Vec::new();
    for part in parts {
        exact &= part.exact;
        match part.selection {
            Selection::Nobody => {}
            Selection::Any(inner) => kept.extend(inner),
            selection => kept.push(selection),
        }
    }
    Narrowed { selection: joined(kept, Selection::Nobody, Selection::Any), exact }
}

fn joined(mut parts: Vec<Selection>, empty: Selection, many: fn(Vec<Selection>) -> Selection) -> Selection {
    match (parts.len(), parts.pop()) {
        (_, None) => empty,
        (1, Some(only)) => only,
        (_, Some(last)) => {
            parts.push(last);
            many(parts)
        }
    }
}

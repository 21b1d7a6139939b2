//! How long a file and a function may be. What is hard to read hides mistakes, so the ceiling is low and an exception
//! costs a reason.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::source::Source;

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 60;

/// What may be longer: the file, or the file and `::` and the function, and why it reads better in one piece.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// What is over budget in a file, exceptions left out.
pub fn check(source: &Source) -> Vec<String> {
    excesses(source)
        .into_iter()
        .filter(|excess| !is_excepted(&excess.place))
        .map(|excess| excess.complaint)
        .collect()
}

/// Exceptions that nothing needs any more.
pub fn stale_exceptions(sources: &[Source]) -> Vec<String> {
    let needed: Vec<String> = sources.iter().flat_map(excesses).map(|excess| excess.place).collect();
    EXCEPTIONS
        .iter()
        .filter(|(place, _)| !needed.iter().any(|excess| excess == place))
        .map(|(place, _)| format!("{place} is within budget: remove it from EXCEPTIONS"))
        .collect()
}

struct Excess {
    place: String,
    complaint: String,
}

fn is_excepted(place: &str) -> bool {
    EXCEPTIONS.iter().any(|(excepted, _)| *excepted == place)
}

fn excesses(source: &Source) -> Vec<Excess> {
    let mut found = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX {
        let complaint = format!(
            "{} has {lines} lines, the budget is {FILE_LINES_MAX}: split it by noun, one idea a file",
            source.path
        );
        found.push(Excess { place: source.path.clone(), complaint });
    }
    let mut functions = Functions { path: &source.path, found };
    functions.visit_file(&source.syntax);
    functions.found
}

struct Functions<'a> {
    path: &'a str,
    found: Vec<Excess>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let (from, to) = (signature.span().start().line, body.span().end().line);
        let lines = to + 1 - from;
        if lines > FUNCTION_LINES_MAX {
            let name = &signature.ident;
            let complaint = format!(
                "{}:{from} {name}() has {lines} lines, the budget is {FUNCTION_LINES_MAX}: name its steps and let it \
                 read like a table of contents",
                self.path
            );
            self.found.push(Excess { place: format!("{}::{name}", self.path), complaint });
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.measure(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        check(&Source::parse("src/x.rs", text)).len()
    }

    #[test]
    fn a_planted_giant_is_caught() {
        let body = |lines: usize| "\n    let _ = 1;".repeat(lines);
        assert_eq!(found(&format!("fn f() {{{}\n}}", body(58))), 0);
        assert_eq!(found(&format!("fn f() {{{}\n}}", body(59))), 1);
        assert_eq!(found(&format!("impl X {{ fn f() {{{}\n}} }}", body(59))), 1);
        assert_eq!(found(&format!("mod a {{ fn f() {{{}\n}} }}", body(59))), 1);
        assert_eq!(found(&"// line\n".repeat(600)), 0);
        assert_eq!(found(&"// line\n".repeat(601)), 1);
    }
}

//! Habits that no lint checks as we mean them: no panic on outside data, a header on every module, and nothing that is
//! true on one machine only.

use std::path::Path;

use syn::visit::{self, Visit};

use crate::source::{Source, only_for_tests, root};

/// `unwrap()` and panicking macros outside tests, and `expect` without a proof.
pub fn panics(source: &Source) -> Vec<String> {
    if source.is_test() {
        return Vec::new();
    }
    let mut visitor = Panics { path: &source.path, found: Vec::new() };
    visitor.visit_file(&source.syntax);
    visitor.found
}

struct Panics<'a> {
    path: &'a str,
    found: Vec<String>,
}

/// Shorter than this, an `expect` says what failed and not why it cannot.
const PROOF_CHARS_MIN: usize = 12;

impl Panics<'_> {
    fn complain(&mut self, line: usize, what: &str) {
        self.found.push(format!(
            "{}:{line} {what}: return an error that names the remedy, or expect(\"why it cannot fail\")",
            self.path
        ));
    }
}

impl<'ast> Visit<'ast> for Panics<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !only_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if !only_for_tests(&function.attrs) {
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let line = call.method.span().start().line;
        if call.method == "unwrap" && call.args.is_empty() {
            self.complain(line, "unwrap()");
        }
        if let (true, Some(syn::Expr::Lit(literal))) = (call.method == "expect", call.args.first())
            && let syn::Lit::Str(proof) = &literal.lit
            && proof.value().chars().count() < PROOF_CHARS_MIN
        {
            self.complain(line, "expect() without a proof");
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        if let Some(name) = invocation.path.get_ident()
            && ["panic", "todo", "unimplemented"].iter().any(|forbidden| name == forbidden)
        {
            self.complain(name.span().start().line, &format!("{name}!"));
        }
        visit::visit_macro(self, invocation);
    }
}

/// Names that errors have.
const ERRORS: [&str; 9] = ["error", "err", "e", "source", "cause", "why", "trouble", "failure", "refused"];

/// Errors that are printed as values of this program (`{error:?}`, `?error`) outside tests: people read what they say.
pub fn dumped_errors(source: &Source) -> Vec<String> {
    if source.is_test() || !source.path.starts_with("src/") {
        return Vec::new();
    }
    let mut visitor = Dumps { path: &source.path, found: Vec::new() };
    visitor.visit_file(&source.syntax);
    visitor.found
}

struct Dumps<'a> {
    path: &'a str,
    found: Vec<String>,
}

impl Dumps<'_> {
    fn look(&mut self, line: usize, tokens: &str) {
        let dense: String = tokens.chars().filter(|it| !it.is_whitespace()).collect();
        for name in ERRORS {
            // A sigil stands where a field begins.
            let sigil = |before: &str| {
                ["", ")", ","].iter().any(|after| {
                    let field = format!("{before}?{name}{after}");
                    if after.is_empty() { dense.ends_with(&field) } else { dense.contains(&field) }
                })
            };
            let is_dumped = dense.contains(&format!("{{{name}:?}}"))
                || dense.contains(&format!("{{{name}:#?}}"))
                || sigil(",")
                || sigil("=")
                || dense.starts_with(&format!("?{name},"));
            if is_dumped {
                self.found.push(format!(
                    "{}:{line} prints {name} by Debug: write what it says, as causes::in_words does",
                    self.path
                ));
            }
        }
    }
}

impl<'ast> Visit<'ast> for Dumps<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !only_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if !only_for_tests(&function.attrs) {
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        let line = invocation.path.segments.first().map_or(0, |it| it.ident.span().start().line);
        self.look(line, &invocation.tokens.to_string());
        visit::visit_macro(self, invocation);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta
            && list.path.is_ident("error")
        {
            let line = list.path.segments.first().map_or(0, |it| it.ident.span().start().line);
            self.look(line, &list.tokens.to_string());
        }
        visit::visit_attribute(self, attribute);
    }
}

/// A file that does not begin with `//!`.
pub fn header(source: &Source) -> Vec<String> {
    if source.text.trim_start().starts_with("//!") {
        return Vec::new();
    }
    vec![format!("{}: begin with `//!` and two lines on its place in the whole", source.path)]
}

/// Home folders written into text files. They work on one machine and tell others who wrote them.
pub fn machine_paths() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["src", "tests", "docs", "examples", "crds", "charts", "config", ".ci", "bench", "benches"]
    {
        search(&root().join(folder), &mut found);
    }
    for entry in std::fs::read_dir(root()).expect("the repository can be read").flatten() {
        if entry.path().is_file() {
            search_file(&entry.path(), &mut found);
        }
    }
    found
}

fn search(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            search(&entry.path(), found);
        } else {
            search_file(&entry.path(), found);
        }
    }
}

fn search_file(path: &Path, found: &mut Vec<String>) {
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let homes = ["home", "root", "Users"].map(|folder| format!("/{folder}/"));
    for (index, line) in text.lines().enumerate() {
        if homes.iter().any(|home| has_path(line, home)) {
            let name = path.strip_prefix(root()).unwrap_or(path).display();
            found.push(format!("{name}:{} names a folder of one machine: make it relative", index + 1));
        }
    }
}

/// Whether a line names this folder from the root on, and not as the middle of a longer path or of a URL.
fn has_path(line: &str, home: &str) -> bool {
    line.match_indices(home).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || "/.-_}$)".contains(c)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planted_panics_are_caught() {
        let found = |text| panics(&Source::parse("src/x.rs", text)).len();
        assert_eq!(found("fn f() { g().unwrap(); }"), 1);
        assert_eq!(found("fn f() { g().expect(\"oops\"); }"), 1);
        assert_eq!(found("fn f() { g().expect(\"the regex is a constant and was tested\"); }"), 0);
        assert_eq!(found("fn f() { panic!(\"no\"); }"), 1);
        assert_eq!(found("#[cfg(test)] mod tests { fn f() { g().unwrap(); } }"), 0);
        assert_eq!(found("fn f() { g().unwrap_or(1); }"), 0);
    }

    #[test]
    fn a_planted_dump_is_caught() {
        let found = |text| dumped_errors(&Source::parse("src/x.rs", text)).len();
        assert_eq!(found("fn f() { let it = format!(\"no: {error:?}\"); }"), 1);
        assert_eq!(found("fn f() { tracing::warn!(?error, \"no\"); }"), 1);
        assert_eq!(found("fn f() { tracing::warn!(kind, why = ?error, \"no\"); }"), 1);
        assert_eq!(found("#[derive(Error)] enum E { #[error(\"no: {source:?}\")] A { source: X } }"), 1);
        assert_eq!(found("fn f() { tracing::warn!(%error, \"after {rest:?}\"); }"), 0);
        assert_eq!(found("#[cfg(test)] mod tests { fn f() { format!(\"{error:?}\"); } }"), 0);
    }

    #[test]
    fn a_planted_home_is_caught() {
        let home = ["/ho", "me/"].concat();
        assert!(has_path(&format!("see {home}ann/x"), &home));
        assert!(has_path(&format!("{home}ann/x"), &home));
        assert!(!has_path(&format!("https://example.com{home}ann"), &home));
    }

    #[test]
    fn a_missing_header_is_caught() {
        assert_eq!(header(&Source::parse("src/x.rs", "fn f() {}")).len(), 1);
        assert_eq!(header(&Source::parse("src/x.rs", "//! What it is.\nfn f() {}")).len(), 0);
    }
}

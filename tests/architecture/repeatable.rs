//! What would make two runs of the engine differ though all that happens to them is the same: a simulation of it must give
//! the same for the same seed.

use syn::visit::{self, Visit};

use crate::source::{Source, only_for_tests};

/// Where it is asked.
const ENGINE: &str = "src/runtime/engine/";

/// `select!` without `biased`, which polls its arms in a random order, and waiting on a `watch`, which wakes those who wait in
/// a random order.
pub fn random_choices(source: &Source) -> Vec<String> {
    if source.is_test() || !source.path.starts_with(ENGINE) {
        return Vec::new();
    }
    let mut choices = Choices { path: &source.path, found: Vec::new() };
    choices.visit_file(&source.syntax);
    choices.found
}

/// Who may ask the system what time it is, and why.
const CLOCKS: [(&str, &str); 2] = [
    ("src/runtime/engine/clock.rs", "it is the clock that all others ask"),
    ("src/runtime/engine/cpu_time.rs", "it bounds what a core really does, which no simulation can say"),
];

/// What of a clock reads it.
const READINGS: [&str; 4] = ["Instant::now", "Timestamp::now", "SystemTime::now", "Zoned::now"];

/// Time that is asked elsewhere than of the engine's `Clock`.
pub fn other_clocks(source: &Source) -> Vec<String> {
    let is_allowed = CLOCKS.iter().any(|(path, _)| source.path == *path);
    if is_allowed { Vec::new() } else { readings(source) }
}

/// Files that may ask the system and do not.
pub fn stale_exceptions(sources: &[Source]) -> Vec<String> {
    let is_used = |path: &str| sources.iter().any(|it| it.path == path && !readings(it).is_empty());
    let stale = CLOCKS.iter().filter(|(path, _)| !is_used(path));
    stale.map(|(path, reason)| format!("{path} asks no clock, though {reason}: strike it out")).collect()
}

fn readings(source: &Source) -> Vec<String> {
    if source.is_test() || !source.path.starts_with(ENGINE) {
        return Vec::new();
    }
    let mut clocks = Clocks { path: &source.path, found: Vec::new() };
    clocks.visit_file(&source.syntax);
    clocks.found
}

struct Clocks<'a> {
    path: &'a str,
    found: Vec<String>,
}

impl Clocks<'_> {
    fn complain(&mut self, line: usize, what: &str) {
        self.found.push(format!(
            "{}:{line} {what}: ask the Clock of the context, or take the time as an argument",
            self.path
        ));
    }
}

impl<'ast> Visit<'ast> for Clocks<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !only_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut last = path.segments.iter().rev();
        if let (Some(what), Some(of)) = (last.next(), last.next()) {
            let name = format!("{}::{}", of.ident, what.ident);
            if READINGS.contains(&name.as_str()) {
                self.complain(what.ident.span().start().line, &name);
            }
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if call.method == "elapsed" && call.args.is_empty() {
            self.complain(call.method.span().start().line, "elapsed()");
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        let (line, tokens) = (
            invocation.path.segments.first().map_or(0, |it| it.ident.span().start().line),
            dense(&invocation.tokens),
        );
        for reading in READINGS.into_iter().chain([".elapsed()"]) {
            if tokens.contains(reading) {
                self.complain(line, reading);
            }
        }
    }
}

struct Choices<'a> {
    path: &'a str,
    found: Vec<String>,
}

impl Choices<'_> {
    fn watch(&mut self, line: usize) {
        self.found.push(format!(
            "{}:{line} waits on a watch, which wakes in a random order: use a CancellationToken or a Notify",
            self.path
        ));
    }
}

impl<'ast> Visit<'ast> for Choices<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !only_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(last) = path.segments.last().filter(|last| last.ident == "drawn_jitter") {
            self.found.push(format!(
                "{}:{} draws a jitter at random: take it as an argument",
                self.path,
                last.ident.span().start().line
            ));
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if call.method == "changed" && call.args.is_empty() {
            self.watch(call.method.span().start().line);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        let Some(name) = invocation.path.segments.last().map(|it| &it.ident) else { return };
        let (line, tokens) = (name.span().start().line, dense(&invocation.tokens));
        if name == "select" && !tokens.starts_with("biased;") {
            self.found.push(format!(
                "{}:{line} select! chooses at random: begin with `biased;`, and let no arm that is always ready come before \
                 one that must go on",
                self.path
            ));
        }
        if tokens.contains(".changed()") {
            self.watch(line);
        }
    }
}

fn dense(tokens: &proc_macro2::TokenStream) -> String {
    tokens.to_string().chars().filter(|it| !it.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_clock_is_caught() {
        let found = |path, text| other_clocks(&Source::parse(path, text)).len();
        let of_engine = |text| found("src/runtime/engine/x.rs", text);
        assert_eq!(of_engine("fn f() { let now = std::time::Instant::now(); }"), 1);
        assert_eq!(of_engine("fn f() { g(jiff::Timestamp::now(), since.elapsed()); }"), 2);
        assert_eq!(of_engine("fn f() { g(Timestamp::now) }"), 1);
        assert_eq!(of_engine("fn f() { h!(Instant::now()); }"), 1);
        assert_eq!(of_engine("fn f() { self.clock.now(); }"), 0);
        assert_eq!(of_engine("#[cfg(test)] mod tests { fn f() { Instant::now(); } }"), 0);
        assert_eq!(found("src/runtime/engine/clock.rs", "fn f() { Instant::now(); }"), 0);
        assert_eq!(found("src/runtime/retention.rs", "fn f() { Instant::now(); }"), 0);
        assert_eq!(stale_exceptions(&[]).len(), CLOCKS.len());
    }

    #[test]
    fn a_planted_choice_is_caught() {
        let found = |text| random_choices(&Source::parse("src/runtime/engine/x.rs", text)).len();
        assert_eq!(found("async fn f() { tokio::select! { () = a() => {} } }"), 1);
        assert_eq!(found("fn f() { backoff.failed(drawn_jitter()); }"), 1);
        assert_eq!(found("async fn f() { tokio::select! { biased; () = a() => {} } }"), 0);
        assert_eq!(found("async fn f() { tokio::select! { biased; _ = stop.changed() => {} } }"), 1);
        assert_eq!(found("async fn f() { stop.changed().await; }"), 1);
        assert_eq!(found("#[cfg(test)] mod tests { async fn f() { stop.changed().await; } }"), 0);
    }
}

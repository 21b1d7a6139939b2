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
    fn a_planted_choice_is_caught() {
        let found = |text| random_choices(&Source::parse("src/runtime/engine/x.rs", text)).len();
        assert_eq!(found("async fn f() { tokio::select! { () = a() => {} } }"), 1);
        assert_eq!(found("async fn f() { tokio::select! { biased; () = a() => {} } }"), 0);
        assert_eq!(found("async fn f() { tokio::select! { biased; _ = stop.changed() => {} } }"), 1);
        assert_eq!(found("async fn f() { stop.changed().await; }"), 1);
        assert_eq!(found("#[cfg(test)] mod tests { async fn f() { stop.changed().await; } }"), 0);
    }
}

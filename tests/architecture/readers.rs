//! One file alone calls Jinja's parser and compiler, and refuses a text of which a part was not read.

use syn::visit::{self, Visit};

use crate::source::{Source, only_for_tests};

/// The one file that may.
const READS_TEMPLATES: &str = "src/domain/expression/parse/whole.rs";

/// What of Jinja reads a text.
const READS_A_TEXT: [&str; 12] = [
    "parse_expr",
    "compile_expression",
    "compile_expression_owned",
    "add_template",
    "add_template_owned",
    "template_from_str",
    "template_from_named_str",
    "render_str",
    "render_named_str",
    "set_loader",
    "Tokenizer",
    "CodeGenerator",
];

/// Expressions and templates that are read elsewhere than by `parse_whole`.
pub fn others(source: &Source) -> Vec<String> {
    if source.is_test() || !source.path.starts_with("src/") || source.path == READS_TEMPLATES {
        return Vec::new();
    }
    let mut reader = Readers { path: &source.path, found: Vec::new() };
    reader.visit_file(&source.syntax);
    let of_jinja = crate::mentions::of(source);
    let parse = of_jinja.iter().filter(|mention| mention.path == "minijinja::machinery::parse");
    reader.found.extend(parse.map(|mention| complaint(&source.path, mention.line, "parse")));
    reader.found
}

fn complaint(path: &str, line: usize, what: &str) -> String {
    format!("{path}:{line} {what}: Jinja drops text that its lexer cannot read; go by {READS_TEMPLATES}")
}

struct Readers<'a> {
    path: &'a str,
    found: Vec<String>,
}

impl<'ast> Visit<'ast> for Readers<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !only_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_ident(&mut self, ident: &'ast proc_macro2::Ident) {
        if READS_A_TEXT.iter().any(|name| ident == name) {
            self.found.push(complaint(self.path, ident.span().start().line, &ident.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reads_a_text_elsewhere_is_found() {
        let found = |text| others(&Source::parse("src/domain/x.rs", text)).len();
        assert_eq!(found("fn f() { environment.add_template(a, b); }"), 1);
        assert_eq!(found("use minijinja::machinery::parse;"), 1);
        assert_eq!(found("use minijinja::machinery::{ast, parse};"), 1);
        assert_eq!(found("fn f() { g(minijinja::machinery::parse_expr) }"), 1);
        assert_eq!(found("fn f() { parse_whole(text, form); }"), 0);
    }
}

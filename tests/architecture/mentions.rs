//! What a file mentions outside its tests: every path of a `use`, an expression, a type or a macro's body, made
//! absolute, so that `super::super::cli` is seen for what it is.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::source::{Source, only_for_tests};

/// A path such as `std::fs::read` or `crate::store::calls`, and its line.
#[derive(Debug, PartialEq, Eq)]
pub struct Mention {
    pub path: String,
    pub line: usize,
}

/// Every path a file mentions outside its tests.
pub fn of(source: &Source) -> Vec<Mention> {
    if source.is_test() {
        return Vec::new();
    }
    let mut reader = Reader { module: source.module(), found: Vec::new() };
    reader.visit_file(&source.syntax);
    reader.found
}

struct Reader {
    module: Vec<String>,
    found: Vec<Mention>,
}

impl Reader {
    fn mention(&mut self, segments: &[String], line: usize) {
        let path = self.absolute(segments).join("::");
        self.found.push(Mention { path, line });
    }

    fn absolute(&self, segments: &[String]) -> Vec<String> {
        let ups = segments.iter().take_while(|segment| *segment == "super").count();
        let first = segments.first().map(String::as_str);
        let base: Vec<String> = match first {
            Some("super") => self.module[..self.module.len().saturating_sub(ups)].to_vec(),
            Some("self") => self.module.clone(),
            Some("fanfare") => Vec::new(),
            _ => return segments.to_vec(),
        };
        let rest = segments.iter().skip(ups.max(1)).cloned();
        std::iter::once("crate".to_owned()).chain(base).chain(rest).collect()
    }

    fn use_tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.use_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.mention(&with(&name.ident), name.ident.span().start().line),
            syn::UseTree::Rename(rename) => {
                self.mention(&with(&rename.ident), rename.ident.span().start().line);
            }
            syn::UseTree::Glob(glob) => self.mention(before, glob.star_token.spans[0].start().line),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.use_tree(before, item)),
        }
    }

    /// Macros are not parsed: their bodies are read as tokens, `name::name::name`.
    fn tokens(&mut self, stream: TokenStream) {
        let (mut segments, mut colons, mut line) = (Vec::new(), 0, 0);
        for token in stream {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.finish(&mut segments, line);
                        line = ident.span().start().line;
                    }
                    segments.push(ident.to_string());
                    colons = 0;
                }
                other => {
                    self.finish(&mut segments, line);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.finish(&mut segments, line);
    }

    fn finish(&mut self, segments: &mut Vec<String>, line: usize) {
        if segments.len() > 1 {
            self.mention(segments, line);
        }
        segments.clear();
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !only_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.use_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let (true, Some(first)) = (segments.len() > 1, path.segments.first()) {
            self.mention(&segments, first.ident.span().start().line);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        self.visit_path(&invocation.path);
        self.tokens(invocation.tokens.clone());
    }
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(path: &str, text: &str) -> Vec<String> {
        of(&Source::parse(path, text)).into_iter().map(|mention| mention.path).collect()
    }

    #[test]
    fn sees_every_way_to_name_something() {
        assert_eq!(paths("src/domain/x.rs", "use std::{fs, io::Read};"), ["std::fs", "std::io::Read"]);
        assert_eq!(paths("src/domain/x.rs", "use super::super::store::calls;"), ["crate::store::calls"]);
        assert_eq!(paths("src/domain/mod.rs", "use super::store;"), ["crate::store"]);
        assert_eq!(paths("src/domain/x.rs", "mod a { use super::super::b; }"), ["crate::domain::b"]);
        assert_eq!(paths("src/domain/x.rs", "fn f() { tokio::spawn(g()); }"), ["tokio::spawn"]);
        assert_eq!(paths("src/domain/x.rs", "fn f(x: kube::Client) {}"), ["kube::Client"]);
        assert_eq!(paths("src/domain/x.rs", "fn f() { println!(\"{}\", std::fs::x()); }"), ["std::fs::x"]);
        assert_eq!(
            paths("src/domain/x.rs", "macro_rules! m { () => { crate::cli::run() } }"),
            ["crate::cli::run"]
        );
    }

    #[test]
    fn passes_over_tests() {
        assert!(paths("src/domain/x.rs", "#[cfg(test)] mod tests { use std::fs; }").is_empty());
        assert!(paths("src/domain/tests.rs", "use std::fs;").is_empty());
    }
}

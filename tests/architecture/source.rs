//! One source file: where it is, its text and its syntax, and whether it is test code.

use std::path::{Path, PathBuf};

/// A parsed file of `src/` or `tests/`.
pub struct Source {
    /// Relative to the repository, with `/`.
    pub path: String,
    pub text: String,
    pub syntax: syn::File,
    declared_for_tests: bool,
}

impl Source {
    pub fn parse(path: &str, text: &str) -> Source {
        let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{path} does not parse: {error}"));
        Source { path: path.to_owned(), text: text.to_owned(), syntax, declared_for_tests: false }
    }

    /// Whether all of it is test code: the folder `tests/`, `tests.rs` beside the code, and what is declared as
    /// `#[cfg(test)] mod name;`.
    pub fn is_test(&self) -> bool {
        self.declared_for_tests
            || self.path.split('/').any(|part| matches!(part, "benches" | "tests" | "tests.rs"))
    }

    /// Where the files of its `#[cfg(test)] mod name;` are: `src/a/name` for `src/a/name.rs` and `src/a/name/`.
    fn test_modules(&self) -> Vec<String> {
        let folder = match self.path.strip_suffix("/mod.rs").or_else(|| self.path.strip_suffix("/lib.rs")) {
            Some(folder) => folder,
            None => self.path.trim_end_matches(".rs"),
        };
        let declared = self.syntax.items.iter().filter_map(|item| match item {
            syn::Item::Mod(module) if module.content.is_none() && only_for_tests(&module.attrs) => {
                Some(format!("{folder}/{}", module.ident))
            }
            _ => None,
        });
        declared.collect()
    }

    /// The module path within the library: `["compile", "plan"]` for `src/compile/plan.rs`.
    pub fn module(&self) -> Vec<String> {
        let inner = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
        if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            parts.pop();
        }
        parts
    }

    /// The layer it belongs to: the first folder or file below `src/`; nothing for `lib.rs`, `main.rs` and tests.
    pub fn layer(&self) -> Option<String> {
        if !self.path.starts_with("src/") {
            return None;
        }
        self.module().into_iter().next()
    }
}

/// The folder of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of `src/`, `tests/` and `benches/`. What the test cluster compiles inside a node is not part of the crate.
pub fn all() -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in ["src", "tests", "benches"] {
        collect(&root().join(folder), &mut paths);
    }
    paths.sort();
    let mut sources: Vec<Source> = paths.iter().map(|path| read(path)).collect();
    let for_tests: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    for source in &mut sources {
        let path = source.path.trim_end_matches(".rs");
        let within = |module: &String| path == *module || path.starts_with(&format!("{module}/"));
        source.declared_for_tests = for_tests.iter().any(within);
    }
    assert!(sources.len() > 20, "only {} files found: is the path right?", sources.len());
    sources
}

fn read(path: &Path) -> Source {
    let name =
        path.strip_prefix(root()).expect("collected below the root").to_string_lossy().replace('\\', "/");
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    Source::parse(&name, &text)
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder is part of the repository") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            if path != root().join("tests/cluster") {
                collect(&path, into);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Whether attributes keep an item out of everything but tests.
pub fn only_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_cfg_test = attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"));
        is_cfg_test || attribute.path().is_ident("test")
    })
}

//! Files that take something from each other in a circle: none of them can be understood, or moved, without the others.
//!
//! One file takes from another what that one defines. A module that only hands on what its children define takes nothing
//! from them, and what is taken by its path is taken from the child. What a child takes from the module that it is a part
//! of does not count: a folder and its children are read together.

use std::collections::{BTreeMap, BTreeSet};

use crate::mentions;
use crate::source::{Source, only_for_tests};

/// Circles that stay, each known by one of its files, and why. A circle that is no recursion is to be broken, not copied.
const CIRCLES: &[(&str, &str)] = &[
    (
        "src/compile/before.rs",
        "what is compiled is judged beside the snapshot that was in force before, which it makes",
    ),
    (
        "src/domain/expression/convert.rs",
        "recursion: a value is weighed while it is converted, and holds converted values",
    ),
    (
        "src/domain/expression/evaluate/events.rs",
        "recursion: a term asks for events, whose condition is made of terms",
    ),
    ("src/domain/expression/leaf.rs", "recursion: a leaf of the tree holds an expression, which is a tree"),
    ("src/domain/expression/parse/blocks.rs", "recursion: a block is explained by reading what is in it"),
    ("src/domain/jinja/html.rs", "each takes a helper of the other's: to be broken"),
    (
        "src/domain/left_out/mod.rs",
        "what is counted of a run, and why customers were left out, count each other: to be broken",
    ),
    (
        "src/domain/render/context.rs",
        "recursion: the subject of a text has a function over events, which asks the subject",
    ),
    (
        "src/domain/render/functions.rs",
        "a template has functions, which escape as the template says: to be broken",
    ),
    (
        "src/manifests/alignment.rs",
        "places are looked up in the source that they are places of: to be broken",
    ),
    (
        "src/runtime/engine/dispatch/dispatcher.rs",
        "the dispatcher asks for customers anew and reads what came of it: to be broken",
    ),
    (
        "src/runtime/engine/run/chunk_worker.rs",
        "a worker renders, and the renderer knows the worker's journeys: to be broken",
    ),
    (
        "src/store/postgres/connect.rs",
        "a connection is judged by its socket and settings, which say so in its errors: to be broken",
    ),
    (
        "src/store/postgres/database.rs",
        "a database is migrated, and a migration runs on the database: to be broken",
    ),
    (
        "src/store/postgres/ledger/calls/acceptor.rs",
        "the acceptor collects batches and the batch answers it: to be broken",
    ),
    ("src/store/postgres/ledger/chunks.rs", "a chunk of waiting journeys is a chunk: to be broken"),
    ("src/store/sqlite/database.rs", "a database opens readers, which are of it: to be broken"),
];

/// Where a path leads: the file of the longest module in it, once what is handed on has been followed.
struct Files<'a> {
    by_module: BTreeMap<Vec<String>, &'a Source>,
    /// What a module hands on under a name: the absolute path of it.
    handed_on: BTreeMap<(Vec<String>, String), Vec<String>>,
}

/// Files in circles that no row of [`CIRCLES`] names, and rows whose circle is gone.
pub fn check(sources: &[Source]) -> Vec<String> {
    let found = circles(sources);
    let is_excepted =
        |circle: &Vec<String>| CIRCLES.iter().any(|(file, _)| circle.iter().any(|it| it == file));
    let new = found.iter().filter(|circle| !is_excepted(circle)).map(|circle| {
        format!(
            "{} take from each other: move what they share below them, or give one what it needs as an argument",
            circle.join(", ")
        )
    });
    let is_there = |file: &str| found.iter().any(|circle| circle.iter().any(|it| it == file));
    let stale = CIRCLES.iter().filter(|(file, _)| !is_there(file));
    let stale = stale.map(|(file, _)| format!("{file} is in no circle any more: remove it from CIRCLES"));
    new.chain(stale).collect()
}

/// The files of each circle, in order.
fn circles(sources: &[Source]) -> Vec<Vec<String>> {
    let files = Files::of(sources);
    let takes: BTreeMap<&str, BTreeSet<&str>> =
        files.by_module.values().map(|source| (source.path.as_str(), files.taken_by(source))).collect();
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        takes.keys().map(|file| (*file, reach(&takes, file))).collect();
    let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
    for (file, reached_files) in &reached {
        if reached_files.contains(file) {
            let all = reached_files.iter().filter(|other| reached[*other].contains(file));
            circles.insert(all.map(|other| (*other).to_owned()).collect());
        }
    }
    circles.into_iter().collect()
}

/// All files that a file takes from, and those from which they do.
fn reach<'a>(takes: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(file) = open.pop() {
        for next in takes.get(file).into_iter().flatten() {
            if reached.insert(*next) {
                open.push(next);
            }
        }
    }
    reached
}

impl<'a> Files<'a> {
    fn of(sources: &'a [Source]) -> Self {
        let of_library = sources.iter().filter(|source| source.layer().is_some() && !source.is_test());
        let by_module: BTreeMap<_, _> = of_library.map(|source| (source.module(), source)).collect();
        let mut handed_on = BTreeMap::new();
        for (module, source) in &by_module {
            for item in &source.syntax.items {
                if let syn::Item::Use(item) = item
                    && !matches!(item.vis, syn::Visibility::Inherited)
                    && !only_for_tests(&item.attrs)
                {
                    for (name, path) in names_of(item) {
                        handed_on.insert((module.clone(), name), absolute(module, &path, &by_module));
                    }
                }
            }
        }
        Files { by_module, handed_on }
    }

    /// The files that it takes something from.
    fn taken_by(&self, source: &Source) -> BTreeSet<&'a str> {
        let module = source.module();
        let handed_on: Vec<&Vec<String>> =
            self.handed_on.iter().filter(|((from, _), _)| *from == module).map(|(_, path)| path).collect();
        // `use super::page;` and then `page::Margin`.
        let uses = source.syntax.items.iter().filter_map(|item| match item {
            syn::Item::Use(item) if !only_for_tests(&item.attrs) => Some(item),
            _ => None,
        });
        let brought =
            uses.flat_map(names_of).map(|(name, path)| (name, absolute(&module, &path, &self.by_module)));
        let brought: BTreeMap<String, Vec<String>> = brought.filter(|(_, path)| !path.is_empty()).collect();
        let mentions = mentions::of(source).into_iter();
        let paths = mentions.map(|it| it.path.split("::").map(str::to_owned).collect::<Vec<_>>());
        let paths = paths.map(|path| match brought.get(&path[0]) {
            Some(from) => [from, &path[1..]].concat(),
            None => absolute(&module, &path, &self.by_module),
        });
        let paths = paths.filter(|path| !handed_on.contains(&path));
        let files = paths.filter_map(|path| self.file(&path, 0));
        let is_own = |file: &&str| {
            self.by_module.iter().any(|(of, it)| it.path == **file && module.starts_with(of.as_slice()))
        };
        files.filter(|file| !is_own(file)).collect()
    }

    /// The file that defines what is at a path of the library.
    fn file(&self, path: &[String], followed: usize) -> Option<&'a str> {
        let length = (1..=path.len()).rev().find(|length| self.by_module.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(length);
        if let Some(name) = rest.first().filter(|_| followed < 8)
            && let Some(target) = self.handed_on.get(&(module.to_vec(), name.clone()))
        {
            let target: Vec<String> = target.iter().chain(&rest[1..]).cloned().collect();
            return self.file(&target, followed + 1);
        }
        // A module by itself is a way to something in it, which another path names.
        (!rest.is_empty()).then(|| self.by_module[module].path.as_str())
    }
}

/// The path within the library, `crate` left out: `child::Name` is looked for in the module's own children.
fn absolute(module: &[String], path: &[String], files: &BTreeMap<Vec<String>, &Source>) -> Vec<String> {
    let (mut base, mut rest) = (module.to_vec(), path);
    match path.first().map(String::as_str) {
        Some("crate") => (base, rest) = (Vec::new(), &path[1..]),
        Some("self") => rest = &path[1..],
        Some("super") => {
            while rest.first().is_some_and(|it| it == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        Some(first) => {
            let child = [module, &[first.to_owned()]].concat();
            if !files.contains_key(&child) {
                return Vec::new();
            }
        }
        None => return Vec::new(),
    }
    [base.as_slice(), rest].concat()
}

/// Each name that a `use` brings, and its path as written.
fn names_of(item: &syn::ItemUse) -> Vec<(String, Vec<String>)> {
    let mut names = Vec::new();
    collect(&[], &item.tree, &mut names);
    names
}

fn collect(before: &[String], tree: &syn::UseTree, names: &mut Vec<(String, Vec<String>)>) {
    let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
    match tree {
        syn::UseTree::Path(path) => collect(&with(&path.ident), &path.tree, names),
        syn::UseTree::Name(name) if name.ident == "self" => {
            names.extend(before.last().map(|last| (last.clone(), before.to_vec())));
        }
        syn::UseTree::Name(name) => names.push((name.ident.to_string(), with(&name.ident))),
        syn::UseTree::Rename(rename) => names.push((rename.rename.to_string(), with(&rename.ident))),
        syn::UseTree::Glob(_) => {}
        syn::UseTree::Group(group) => group.items.iter().for_each(|item| collect(before, item, names)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let sources: Vec<Source> = files.iter().map(|(path, text)| Source::parse(path, text)).collect();
        circles(&sources)
    }

    #[test]
    fn a_circle_is_caught_however_long_and_through_what_is_handed_on() {
        let planted = found(&[
            ("src/a/mod.rs", "mod one; mod two; pub use one::One;"),
            ("src/a/one.rs", "use super::two::Two; pub struct One;"),
            ("src/a/two.rs", "use crate::b::Three; pub struct Two;"),
            ("src/b.rs", "pub struct Three; fn f(one: crate::a::One) {}"),
        ]);
        assert_eq!(planted, [["src/a/one.rs", "src/a/two.rs", "src/b.rs"]]);
    }

    #[test]
    fn a_folder_and_its_children_are_read_together() {
        let parent = "mod child; pub struct Own; fn f() { child::g(); }";
        let files = [("src/a/mod.rs", parent), ("src/a/child.rs", "use super::Own; pub fn g() {}")];
        assert!(found(&files).is_empty());
        let elsewhere = ("src/b.rs", "use crate::a::Own; pub fn h() {}");
        let parent = "mod child; pub struct Own; fn f() { crate::b::h(); }";
        assert_eq!(found(&[("src/a/mod.rs", parent), elsewhere]), [["src/a/mod.rs", "src/b.rs"]]);
    }

    #[test]
    fn what_is_taken_through_a_module_that_was_brought_counts() {
        let one = "use super::two; pub struct One; fn f() { two::g(); }";
        let two = "use super::one::{self}; pub fn g() -> one::One { one::One }";
        let planted = found(&[("src/a/mod.rs", ""), ("src/a/one.rs", one), ("src/a/two.rs", two)]);
        assert_eq!(planted, [["src/a/one.rs", "src/a/two.rs"]]);
    }

    #[test]
    fn handing_on_is_no_taking_and_tests_do_not_count() {
        let parent = "mod child; mod other; pub use child::Child; pub struct Own;";
        let child = "use super::{Own, other::Other}; pub struct Child;";
        let other = "pub struct Other; #[cfg(test)] mod tests { use super::super::Child; }";
        let files = [("src/a/mod.rs", parent), ("src/a/child.rs", child), ("src/a/other.rs", other)];
        assert!(found(&files).is_empty(), "{:?}", found(&files));
    }
}

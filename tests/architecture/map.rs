//! The map in ARCHITECTURE.md: every module of the library and its folders is on it, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

/// What the map and the folder `src` do not both have.
pub fn check() -> Vec<String> {
    let text = std::fs::read_to_string("ARCHITECTURE.md").expect("the map is in the repository");
    differences(&on_the_map(&text), &there_are(Path::new("src")))
}

fn differences(on_the_map: &BTreeSet<String>, there_are: &BTreeSet<String>) -> Vec<String> {
    let missing = there_are.difference(on_the_map).map(|name| format!("src/{name} is not on the map"));
    let gone =
        on_the_map.difference(there_are).map(|name| format!("the map has src/{name}, which is not there"));
    missing.chain(gone).collect()
}

/// The names below `src/` on the map, those of folders within a folder as `domain/jinja/`.
fn on_the_map(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut layer = String::new();
    let lines = text.lines().skip_while(|line| *line != "src/").skip(1);
    for line in lines.take_while(|line| line.starts_with("  ")) {
        let name = line.split_whitespace().next().unwrap_or_default();
        match line.len() - line.trim_start().len() {
            2 => {
                layer = name.to_owned();
                names.insert(layer.clone());
            }
            _ => drop(names.insert(format!("{layer}{name}"))),
        }
    }
    names
}

/// Files and folders of `src`, and the folders within those.
fn there_are(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (name, path) in entries(folder) {
        for (below, path) in if path.is_dir() { entries(&path) } else { Vec::new() } {
            // Tests are beside what they test.
            if path.join("mod.rs").exists() && below != "tests" {
                names.insert(format!("{name}/{below}/"));
            }
        }
        names.insert(if path.is_dir() { format!("{name}/") } else { name });
    }
    names
}

fn entries(folder: &Path) -> Vec<(String, std::path::PathBuf)> {
    let entries = std::fs::read_dir(folder).expect("a folder of the repository can be read").flatten();
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_one_of_both_has_is_found() {
        let map = on_the_map(
            "src/\n  main.rs   begins\n  domain/   decisions\n    jinja/   filters\ntests/   stories\n",
        );
        let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<BTreeSet<String>>();
        assert_eq!(map, names(&["main.rs", "domain/", "domain/jinja/"]));
        assert!(differences(&map, &map).is_empty());
        assert_eq!(
            differences(&map, &names(&["main.rs", "domain/", "domain/body/", "domain/jinja/"])).len(),
            1
        );
        assert_eq!(differences(&map, &names(&["main.rs", "domain/"])).len(), 1);
    }
}

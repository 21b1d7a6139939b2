//! One public type name has one meaning: a reader who searches for it finds one definition.

use std::collections::BTreeMap;

use syn::visit::{self, Visit};

use crate::source::{self, Source};

/// Names that are defined more than once, and why.
const DEFINED_TWICE: &[(&str, &str)] = &[];

/// Public types whose name is defined again elsewhere, and exceptions that nothing needs.
pub fn defined_twice(sources: &[Source]) -> Vec<String> {
    let mut definitions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.layer().is_some() && !source.is_test()) {
        let mut types = Types { source, definitions: &mut definitions };
        types.visit_file(&source.syntax);
    }
    definitions.retain(|_, places| places.len() > 1);
    let is_excepted = |name: &str| DEFINED_TWICE.iter().any(|(excepted, _)| *excepted == name);
    let twice = definitions.iter().filter(|(name, _)| !is_excepted(name)).map(|(name, places)| {
        format!("{name} is defined in {}: give all but one a name of its own", places.join(" and "))
    });
    let stale = DEFINED_TWICE.iter().filter(|(name, _)| !definitions.contains_key(*name));
    let stale = stale.map(|(name, _)| format!("{name} is defined once: remove it from DEFINED_TWICE"));
    twice.chain(stale).collect()
}

struct Types<'a> {
    source: &'a Source,
    definitions: &'a mut BTreeMap<String, Vec<String>>,
}

impl Types<'_> {
    fn note(&mut self, visibility: &syn::Visibility, name: &syn::Ident) {
        if matches!(visibility, syn::Visibility::Public(_)) {
            let place = format!("{}:{}", self.source.path, name.span().start().line);
            self.definitions.entry(name.to_string()).or_default().push(place);
        }
    }
}

impl<'ast> Visit<'ast> for Types<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !source::only_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.note(&item.vis, &item.ident);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.note(&item.vis, &item.ident);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.note(&item.vis, &item.ident);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.note(&item.vis, &item.ident);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_definition_is_caught_and_a_private_one_is_not() {
        let sources = [
            Source::parse("src/domain/a.rs", "pub struct Lease;"),
            Source::parse("src/store/b.rs", "pub enum Lease { One }"),
            Source::parse("src/store/c.rs", "struct Lease;"),
        ];
        let found = defined_twice(&sources);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("src/domain/a.rs:1 and src/store/b.rs:1"), "{found:?}");
        assert!(defined_twice(&sources[1..]).is_empty());
    }
}

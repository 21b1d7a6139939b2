//! A document's tree as a JSON value, the way kubectl makes one, with the place of every value and key.
//!
//! Stricter than kubectl in one thing: a key that stands twice in a mapping is refused, where kubectl silently takes
//! the last one.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::path;
use super::places::Places;
use super::scalar;
use super::source::SourcePlace;
use super::tree::{Content, Node};

/// How many values a document may hold once its aliases are expanded.
const MAX_VALUES: usize = 400_000;

/// Why a tree has no JSON value, and where.
#[derive(Debug)]
pub(super) struct ValueError {
    pub place: SourcePlace,
    pub message: String,
}

/// Turns a document's tree into its value.
pub(super) fn build(root: &Rc<Node>) -> Result<(Value, Places), ValueError> {
    let mut builder = Builder { places: Places::of_object(root.place.clone()), values: 0 };
    let value = builder.value(root, "")?;
    Ok((value, builder.places))
}

struct Builder {
    places: Places,
    values: usize,
}

impl Builder {
    fn value(&mut self, node: &Node, at: &str) -> Result<Value, ValueError> {
        self.count(node)?;
        if let Content::Alias(target) = &node.content {
            return self.value(target, at);
        }
        self.places.set_value(at, &node.place);
        match &node.content {
            Content::Scalar { text, tag } => resolve(node, text, tag.as_deref()),
            Content::Sequence(items) => {
                let items = items.iter().enumerate().map(|(i, item)| self.value(item, &path::index(at, i)));
                Ok(Value::Array(items.collect::<Result<_, _>>()?))
            }
            Content::Mapping(entries) => {
                let mut members = Map::new();
                self.mapping(entries, at, &mut members)?;
                Ok(Value::Object(members))
            }
            Content::Alias(_) => unreachable!("an alias names a node that is none"),
        }
    }

    /// Adds the entries of a mapping to `members`; what a merge key brought before is replaced, and the other way round,
    /// as kubectl does it: the later one in the text wins.
    fn mapping(
        &mut self,
        entries: &[(Rc<Node>, Rc<Node>)],
        at: &str,
        members: &mut Map<String, Value>,
    ) -> Result<(), ValueError> {
        let mut own = std::collections::HashSet::new();
        for (key, value) in entries {
            if is_merge(key) {
                self.merge(value, at, members)?;
                continue;
            }
            let name = self.key(key)?;
            if !own.insert(name.clone()) {
                return Err(ValueError {
                    place: key.place.clone(),
                    message: format!("the key `{name}` stands twice in this mapping"),
                });
            }
            let at = path::child(at, &name);
            self.places.set_key(&at, &key.place);
            let value = self.value(value, &at)?;
            members.insert(name, value);
        }
        Ok(())
    }

    /// `<<: *base` or `<<: [*first, *second]`, of which earlier ones win.
    fn merge(&mut self, node: &Node, at: &str, members: &mut Map<String, Value>) -> Result<(), ValueError> {
        self.count(node)?;
        let target = if let Content::Alias(target) = &node.content { target } else { node };
        match &target.content {
            Content::Mapping(entries) => self.mapping(entries, at, members),
            Content::Sequence(items) if std::ptr::eq(target, node) => {
                items.iter().rev().try_for_each(|item| self.merge_one(item, at, members))
            }
            _ => Err(wants_mapping(node)),
        }
    }

    fn merge_one(
        &mut self,
        node: &Node,
        at: &str,
        members: &mut Map<String, Value>,
    ) -> Result<(), ValueError> {
        self.count(node)?;
        let target = if let Content::Alias(target) = &node.content { target } else { node };
        match &target.content {
            Content::Mapping(entries) => self.mapping(entries, at, members),
            _ => Err(wants_mapping(node)),
        }
    }

    fn key(&mut self, node: &Node) -> Result<String, ValueError> {
        let refused = |message: &str| ValueError { place: node.place.clone(), message: message.to_owned() };
        match &node.content {
            Content::Alias(target) => self.key(target),
            Content::Scalar { text, tag } => match resolve(node, text, tag.as_deref())? {
                Value::String(text) => Ok(text),
                Value::Null => Err(refused("a key must be a text, and this one is empty; quote it")),
                other => Ok(other.to_string()),
            },
            _ => Err(refused(
                "a key must be a text, not a list or mapping; a value that begins with `{{` or `[` must be quoted",
            )),
        }
    }

    fn count(&mut self, node: &Node) -> Result<(), ValueError> {
        self.values += 1;
        if self.values <= MAX_VALUES {
            return Ok(());
        }
        let message = format!("with its aliases expanded, the document holds more than {MAX_VALUES} values");
        Err(ValueError { place: node.place.clone(), message })
    }
}

fn resolve(node: &Node, text: &str, tag: Option<&str>) -> Result<Value, ValueError> {
    let value = match tag {
        Some(tag) => scalar::resolve_tagged(tag, text),
        None => scalar::resolve_plain(text),
    };
    value.map_err(|error| ValueError { place: node.place.clone(), message: error.to_string() })
}

fn is_merge(key: &Node) -> bool {
    matches!(&key.content, Content::Scalar { text, tag: None } if text == "<<")
}

fn wants_mapping(node: &Node) -> ValueError {
    ValueError { place: node.place.clone(), message: "`<<` merges mappings; this is none".to_owned() }
}

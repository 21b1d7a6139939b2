//! Every field of a kind's schema that a valid object has, changed to the values at and beyond its bounds: each
//! mutation changes one field of the object and nothing else.

use std::collections::BTreeSet;

use fanfare::api::definitions::schema_of;
use regex::Regex;
use serde_json::{Value, json};

/// A spec in which one field is not as it was.
pub struct Mutation {
    /// The field, such as `Channel.smtp.port`; every element of a list is the same field.
    pub field: String,
    /// What was done to it.
    pub what: String,
    pub spec: Value,
}

/// The schema of what a person writes.
fn spec_schema(kind: &str) -> Value {
    schema_of(kind).unwrap()["properties"]["spec"].clone()
}

/// Every field of a kind, blocks and lists included.
pub fn fields(kind: &str) -> BTreeSet<String> {
    fn walk(place: &str, schema: &Value, found: &mut BTreeSet<String>) {
        for (name, below) in schema["properties"].as_object().into_iter().flatten() {
            let place = format!("{place}.{name}");
            found.insert(place.clone());
            walk(&place, below, found);
        }
        if schema["items"].is_object() {
            let place = format!("{place}[]");
            found.insert(place.clone());
            walk(&place, &schema["items"], found);
        }
    }
    let mut found = BTreeSet::new();
    walk(kind, &spec_schema(kind), &mut found);
    found
}

/// The mutations of one object, but for those of fields that are done already.
pub fn mutations(kind: &str, base: &Value, done: &mut BTreeSet<String>) -> Vec<Mutation> {
    let mut walk = Walk { base, done, found: Vec::new() };
    walk.below(kind, "", &spec_schema(kind));
    walk.found
}

struct Walk<'a> {
    base: &'a Value,
    done: &'a mut BTreeSet<String>,
    found: Vec<Mutation>,
}

impl Walk<'_> {
    fn below(&mut self, place: &str, pointer: &str, schema: &Value) {
        for (name, below) in schema["properties"].as_object().into_iter().flatten() {
            self.field(&format!("{place}.{name}"), &format!("{pointer}/{name}"), below);
        }
        let elements = self.base.pointer(pointer).and_then(Value::as_array).map_or(0, Vec::len);
        for index in (0..elements).filter(|_| schema["items"].is_object()) {
            self.field(&format!("{place}[]"), &format!("{pointer}/{index}"), &schema["items"]);
        }
    }

    fn field(&mut self, place: &str, pointer: &str, schema: &Value) {
        let Some(current) = self.base.pointer(pointer) else { return };
        if self.done.insert(place.to_owned()) {
            for (what, value) in values(schema, current).into_iter().filter(|(_, value)| value != current) {
                let mut spec = self.base.clone();
                *spec.pointer_mut(pointer).unwrap() = value;
                self.found.push(Mutation { field: place.to_owned(), what, spec });
            }
            self.removed(place, pointer);
        }
        self.below(place, pointer, schema);
    }

    fn removed(&mut self, place: &str, pointer: &str) {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let mut spec = self.base.clone();
        let Some(members) = spec.pointer_mut(parent).and_then(Value::as_object_mut) else { return };
        members.remove(name);
        self.found.push(Mutation { field: place.to_owned(), what: "removed".into(), spec });
    }
}

/// The values at and beyond the bounds of a field.
fn values(schema: &Value, current: &Value) -> Vec<(String, Value)> {
    match schema["type"].as_str() {
        Some("string") if schema["enum"].is_array() => choices(schema),
        Some("string") => texts(schema, current.as_str().unwrap()),
        Some("integer" | "number") => numbers(schema, current),
        Some("boolean") => {
            named([("flipped", json!(!current.as_bool().unwrap())), ("a text", json!("yes"))].into())
        }
        Some("array") => lists(schema, current),
        Some("object") => named([("emptied", json!({})), ("a text", json!("text"))].into()),
        _ => named(anything()),
    }
}

fn anything() -> Vec<(&'static str, Value)> {
    let nested = json!({"a": [1, {"b": null}]});
    vec![("null", Value::Null), ("a text", json!("other")), ("a number", json!(7.25)), ("an object", nested)]
}

fn named(values: Vec<(&str, Value)>) -> Vec<(String, Value)> {
    values.into_iter().map(|(what, value)| (what.to_owned(), value)).collect()
}

fn choices(schema: &Value) -> Vec<(String, Value)> {
    let known = schema["enum"].as_array().unwrap().iter().map(|value| (format!("{value}"), value.clone()));
    let wrong = [("unknown", json!("Unheard-of")), ("empty", json!("")), ("a number", json!(7))];
    known.chain(named(wrong.into())).collect()
}

fn numbers(schema: &Value, current: &Value) -> Vec<(String, Value)> {
    let mut values = vec![("a text".to_owned(), json!("many"))];
    match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
        (Some(least), Some(most)) => {
            let bounds = [least - 1, least, most, most + 1];
            values.extend(bounds.map(|value| (format!("{value}"), json!(value))));
            values.push(("a fraction".to_owned(), json!(1.5)));
        }
        _ => {
            let current = current.as_f64().unwrap();
            let around = [-1.0, 0.0, current + 1.0, 1e300];
            values.extend(around.map(|value| (format!("{value}"), json!(value))));
        }
    }
    values
}

fn lists(schema: &Value, current: &Value) -> Vec<(String, Value)> {
    let most = schema["maxItems"].as_u64().unwrap();
    let first = &current[0];
    let other = |number: u64| {
        let mut item = first.clone();
        for key in ["name", "category"] {
            if item[key].is_string() {
                item[key] = json!(format!("x{number}"));
            }
        }
        item
    };
    let too_many: Vec<Value> = (0..=most).map(other).collect();
    let mut values = vec![("empty", json!([])), ("too many", json!(too_many)), ("a text", json!("text"))];
    if current.as_array().unwrap().len() > 1 {
        values.push(("the first only", json!([first])));
    }
    named(values)
}

fn texts(schema: &Value, current: &str) -> Vec<(String, Value)> {
    let most = usize::try_from(schema["maxLength"].as_u64().unwrap()).unwrap();
    let pattern = schema["pattern"].as_str().map(|pattern| Regex::new(pattern).unwrap());
    let matches = |text: &str| pattern.as_ref().is_none_or(|pattern| pattern.is_match(text));
    let mut values = vec![("a number", json!(7)), ("empty", json!(""))];
    let longest = fillings(current, most).into_iter().find(|text| matches(text));
    values.extend(longest.map(|text| ("longest", json!(text))));
    values.push(("too long", json!(fillings(current, most + 1)[0])));
    let against = ["-", "a b!", "\r\n@"].into_iter().find(|text| !matches(text));
    values.extend(against.map(|text| ("against the pattern", json!(text))));
    let others = OTHERS.iter().filter(|text| **text != current && text.len() <= most);
    values.extend(others.filter(|text| matches(text)).take(1).map(|text| ("another", json!(text))));
    let lengths = [("no time at all", "0s"), ("nearly for ever", "999999999d")].into_iter();
    values.extend(
        lengths
            .filter(|(_, text)| pattern.is_some() && matches(text))
            .map(|(what, text)| (what, json!(text))),
    );
    // What is written in a language of its own is only right in its own words.
    values.push(("in other words", json!(current.replace("city", "town"))));
    named(values)
}

/// Texts of many forms, of which one fits.
const OTHERS: [&str; 9] = [
    "other",
    "https://other.example/",
    "Other <other@other.example>",
    "36h",
    "48h",
    "22:15",
    "2Gi",
    "AC11111111111111111111111111111111",
    "Other",
];

/// Texts of this length, of many forms.
fn fillings(current: &str, length: usize) -> Vec<String> {
    let rest = length.saturating_sub(current.len());
    vec![
        "a".repeat(length),
        format!("{current}{}", "a".repeat(rest)),
        format!("{}{current}", "a".repeat(rest)),
        format!("{}{current}", "0".repeat(rest)),
        "000000001d000000001h000000001m1s".chars().take(length).collect(),
    ]
}

//! What is wrong with a trigger's declaration is said once, at its place, with a remedy.

use serde_json::json;

use crate::compile::{Compilation, Sources, compile};

fn compiled(spec: serde_json::Value) -> Compilation {
    let spec = serde_json::from_value(spec).unwrap();
    let mut sources = Sources { namespace: "default".into(), ..Sources::default() };
    sources.triggers.insert("t".into(), spec);
    compile(&sources)
}

fn problems(spec: serde_json::Value) -> Vec<String> {
    let said = compiled(spec).problems.into_iter();
    said.map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
}

#[test]
fn a_good_declaration_has_an_example_that_it_accepts() {
    let compilation = compiled(json!({"parameters": [
        {"name": "alert", "type": "string", "enum": ["flood", "heat"]},
        {"name": "postcodes", "type": "list", "example": ["60200"]},
        {"name": "level", "type": "integer", "minimum": 3},
        {"name": "until", "type": "timestamp", "required": false},
    ]}));
    assert!(compilation.problems.is_empty(), "{:?}", compilation.problems);
    let trigger = compilation.snapshot.triggers.values().next().unwrap();
    assert_eq!(
        trigger.example,
        json!({"alert": "flood", "postcodes": ["60200"], "level": 3, "until": "2026-01-31T18:00:00Z"})
    );
    for parameter in &trigger.parameters {
        let raw = crate::domain::params::Raw::Json(&trigger.example[parameter.name.as_ref()]);
        assert!(parameter.read(raw).is_ok(), "{}", parameter.name);
    }
}

#[test]
fn values_that_yaml_read_as_another_type_are_named() {
    let said = problems(json!({"parameters": [
        {"name": "country", "type": "string", "enum": ["AT", false]},
        {"name": "postcode", "type": "string", "default": 1234},
        {"name": "count", "type": "integer", "example": "5"},
    ]}));
    assert_eq!(
        said,
        [
            "spec.parameters[0].enum[1]: must be a text, found false; YAML read false here: quote it if a text is meant",
            "spec.parameters[1].default: must be a text, found 1234; YAML read 1234 here: quote it if a text is meant",
            "spec.parameters[2].example: must be a whole number of 64 bits, found \"5\"",
        ]
    );
}

#[test]
fn all_problems_are_said_at_once() {
    let said = problems(json!({
        "parameters": [
            {"name": "a", "type": "string", "pattern": "("},
            {"name": "a", "type": "number", "minimum": 2, "maximum": 1},
        ],
        "rateWindow": {"calls": 10, "per": "0s"},
        "expires": {"after": "soon"},
        "auth": {"apiKeys": "Refused"},
    }));
    let paths: Vec<&str> = said.iter().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(
        paths,
        [
            "spec.parameters[0].pattern",
            "spec.parameters[1]",
            "spec.parameters[1]",
            "spec.auth",
            "spec.rateWindow.per",
            "spec.expires.after",
        ]
    );
}

#[test]
fn an_enum_of_a_list_is_of_its_elements() {
    let said = problems(json!({"parameters": [
        {"name": "regions", "type": "list", "enum": ["north", "south"], "default": ["north"], "example": ["east"]},
    ]}));
    assert_eq!(
        said,
        ["spec.parameters[0].example: must be only elements of \"north\", \"south\", found [\"east\"]"]
    );
}

#[test]
fn a_broken_trigger_is_left_out() {
    let compilation = compiled(json!({"parameters": [{"name": "a", "type": "string", "pattern": "("}]}));
    assert!(compilation.snapshot.triggers.is_empty());
}

#[test]
fn an_example_stands_where_the_mapping_reads_it() {
    let compilation = compiled(json!({
        "forEach": "body.features",
        "parameters": [
            {"name": "event", "type": "string", "example": "Flood", "from": "item.properties.event"},
            {"name": "until", "type": "timestamp", "from": "item.properties.ends or item.properties.expires"},
            {"name": "zones", "type": "string", "example": "A", "from": "item.zones[0] | upper"},
            {"name": "sender", "type": "string", "example": "nws", "from": "body.sender"},
            {"name": "id", "type": "string", "example": "1"},
        ],
    }));
    assert!(compilation.problems.is_empty(), "{:?}", compilation.problems);
    let trigger = compilation.snapshot.triggers.values().next().unwrap();
    let properties = json!({"event": "Flood", "ends": "2026-01-31T18:00:00Z"});
    let feature = json!({"properties": properties, "zones": ["A"], "id": "1"});
    assert_eq!(trigger.example, json!({"sender": "nws", "features": [feature]}));
}

#[test]
fn a_rotation_that_never_ends_is_refused() {
    let said = problems(json!({"auth": {"basic": {"rotation": {"every": "0s", "overlap": "0s"}}}}));
    assert_eq!(said, ["spec.auth.basic.rotation.every: must be at least 1m"]);
}

fn example_and_words(spec: serde_json::Value) -> (serde_json::Value, Vec<String>) {
    let compilation = compiled(spec);
    let trigger = compilation.snapshot.triggers.values().next().unwrap();
    let said = compilation.problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message));
    (trigger.example.clone(), said.collect())
}

#[test]
fn an_example_is_one_that_is_taken() {
    let (example, said) = example_and_words(json!({
        "expires": {"at": "params.until"},
        "parameters": [
            {"name": "until", "type": "timestamp"},
            {"name": "code", "type": "string", "required": false, "pattern": "x$"},
        ],
    }));
    assert_eq!(example, json!({"until": "2099-01-31T18:00:00Z"}));
    assert!(said.is_empty(), "{said:?}");
    let (_, said) =
        example_and_words(json!({"parameters": [{"name": "code", "type": "string", "pattern": "x$"}]}));
    assert!(
        said[0].starts_with("spec.parameters[0]: ") && said[0].contains("give it an `example`"),
        "{said:?}"
    );
}

#[test]
fn an_example_that_a_mapping_would_not_find_is_left_out_and_named() {
    let (example, said) = example_and_words(json!({"parameters": [
        {"name": "who", "type": "list", "example": ["C-1"], "from": "body.passengers | map(attribute=\"id\") | list"},
        {"name": "train", "type": "string", "example": "ice-1", "from": "body.train | lower"},
    ]}));
    assert_eq!(example, json!({"train": "ice-1"}));
    assert_eq!(said.len(), 1);
    assert!(said[0].starts_with("spec.parameters[0].from: no example body"), "{said:?}");
}

#[test]
fn a_mapping_that_costs_more_than_it_may_is_refused_with_its_place() {
    for from in [
        "[body.x] * 30000000",
        "[body.x] * 90000000",
        "(body.x ~ 'y') * 90000000",
        "[[body.x] * 9000] * 9000",
    ] {
        let said = problems(json!({"parameters": [{"name": "x", "type": "list", "from": from}]}));
        assert!(
            said.len() == 1 && said[0].starts_with("spec.parameters[0].from: with the example body, "),
            "{said:?}"
        );
    }
    let costly = "([body.x] * 9000) | join('') | upper | lower | upper";
    let parameters: Vec<_> =
        (0..64).map(|n| json!({"name": format!("p{n}"), "type": "string", "from": costly})).collect();
    let said = problems(json!({ "parameters": parameters }));
    assert!(said.iter().any(|said| said.contains("more steps than one evaluation may")), "{said:?}");
}

#[test]
fn the_patterns_of_one_trigger_share_what_they_may_have() {
    let parameters = |count: usize, pattern: &str| -> Vec<serde_json::Value> {
        (0..count)
            .map(
                |n| json!({"name": format!("p{n}"), "type": "string", "required": false, "pattern": pattern}),
            )
            .collect()
    };
    assert_eq!(
        problems(json!({"parameters": parameters(64, "^[A-Z]{2}[0-9]{1,12}$")})),
        Vec::<String>::new()
    );
    let said = problems(json!({"parameters": parameters(64, r"^\w{12}$")}));
    assert!(said.len() > 32, "{}", said.len());
    assert!(
        said[0].contains("the patterns of one trigger have more than 2097152 bytes compiled"),
        "{}",
        said[0]
    );
}

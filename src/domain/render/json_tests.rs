//! A webhook's body stays the JSON that its author wrote, whatever the values hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::*;
use crate::domain::expression::tests::{NOW, call, customer, scope};

const HOSTILE: &[&str] = &[
    "x\", \"role\": \"admin",
    "x\\\", \"role\": \"admin",
    "x\\",
    "\"",
    "line\nbreak\ttab\u{1}",
    "x\u{fdd3}\", \"role\": \"admin",
    "\u{fdd1}1, \"role\": \"admin\u{fdd3}",
    "\u{fdd2}\", \"role\": \"admin\u{fdd3}\u{fdd3}",
    "{{ customer }}",
    "</script>\u{2028}é😀",
    "",
    ",",
    "}",
    "null",
];

fn subject(text: &str) -> Subject {
    let ann = customer(&json!({
        "name": text, "n": 5, "price": 12.5, "whole": 5.0, "vip": true, "tags": ["a", text], "gone": "g",
        "address": {"city": text}
    }));
    Subject {
        call: Arc::new(call(&json!({"alert": text}))),
        customer: Arc::new(ann),
        now: NOW.parse().unwrap(),
        time: Default::default(),
    }
}

fn template(source: &str) -> Template {
    let texts = BTreeMap::from([("part".to_owned(), "{\"city\": \"{{ customer.name }}\"}".to_owned())]);
    Template::compile(source, Escaping::Json, &scope(), &texts)
        .unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn body(source: &str, text: &str) -> Json {
    match template(source).render(&subject(text)) {
        Rendered::Text(body) => serde_json::from_str(&body).unwrap_or_else(|error| panic!("{body}: {error}")),
        other => panic!("{source} with {text:?}: {other:?}"),
    }
}

/// The text as it arrives: without the four code points that stand for no character.
fn arrived(text: &str) -> String {
    text.chars().filter(|character| !('\u{fdd0}'..='\u{fdd3}').contains(character)).collect()
}

#[test]
fn members_come_in_the_order_in_which_they_were_written() {
    let hours = r#"{"mon": 8, "tue": 9, "fri": 7}"#;
    let subject = Subject {
        customer: Arc::new(customer(&serde_json::from_str(&format!(r#"{{"hours":{hours}}}"#)).unwrap())),
        ..subject("")
    };
    for (source, expected) in [
        (r#"{"hours": {{ customer.hours | tojson }}}"#, format!(r#"{{"hours": {hours}}}"#)),
        (
            r#"{"days": "{% for day, hour in customer.hours | items %}{{ day }}={{ hour }} {% endfor %}"}"#,
            r#"{"days": "mon=8 tue=9 fri=7 "}"#.to_owned(),
        ),
        (r#"{"days": "{{ customer.hours | join(',') }}"}"#, r#"{"days": "mon,tue,fri"}"#.to_owned()),
    ] {
        let Rendered::Text(body) = template(source).render(&subject) else { panic!("{source}") };
        assert_eq!(body, expected, "{source}");
    }
}

#[test]
fn a_text_stays_inside_its_string_whatever_it_holds() {
    let macros = "{% macro quote(x) %}\"{{ x }}\"{% endmacro %}{% macro bare(x) %}{{ x }}{% endmacro %}\
                  {% macro outer(x) %}{{ bare(x) }}{% endmacro %}{% macro say(x) %}{{ caller() }}{{ x }}{% endmacro %}";
    for text in HOSTILE {
        let it = arrived(text);
        for (source, expected) in [
            (r#"{"text": "{{ params.alert }}"}"#, json!({"text": it})),
            (r#"{"text": {{ params.alert }}}"#, json!({"text": it})),
            (r#"{"text": {{ params.alert | tojson }}}"#, json!({"text": it})),
            (
                r#"{"text": "a {{ customer.name }} b \" {{ customer.name }}"}"#,
                json!({"text": format!("a {it} b \" {it}")}),
            ),
            (r#"["{{ customer.tags[1] }}", {{ customer.address }}]"#, json!([it, {"city": it}])),
            (r#"{"text": "{{ 'Dear ' ~ customer.name }}"}"#, json!({"text": format!("Dear {it}")})),
            (
                r#"{% set x %}Dear {{ customer.name }}{% endset %}{"text": "{{ x }}"}"#,
                json!({"text": format!("Dear {it}")}),
            ),
            (
                r#"{% set x %}Dear {{ customer.name }}{% endset %}{"text": {{ x | tojson }}}"#,
                json!({"text": format!("Dear {it}")}),
            ),
            (
                r#"{% set x %}{"a": "{{ customer.name }}"}{% endset %}{"text": {{ x }}}"#,
                json!({"text": {"a": it}}),
            ),
            (r#"{"text": {% include 'part' %}}"#, json!({"text": {"city": it}})),
            (
                r#"{% for t in customer.tags %}{% if loop.first %}[{% endif %}{{ t }}{{ "," if not loop.last }}{% endfor %}]"#,
                json!(["a", it]),
            ),
        ] {
            assert_eq!(body(source, text), expected, "{source} with {text:?}");
        }
        for (source, expected) in [
            (r#"{"a": {{ quote(customer.name) }}}"#, json!({"a": it})),
            (r#"{"a": "{{ bare(customer.name) }}!"}"#, json!({"a": format!("{it}!")})),
            (r#"{"a": {{ bare(customer.name) }}}"#, json!({"a": it})),
            (
                r#"{"a": "{% call say(1) %}x{% endcall %}", "b": "{{ outer(customer.name) }}"}"#,
                json!({"a": "x1", "b": it}),
            ),
        ] {
            assert_eq!(body(&format!("{macros}{source}"), text), expected, "{source} with {text:?}");
        }
    }
}

#[test]
fn a_value_outside_of_strings_is_json_of_its_kind() {
    for (source, expected) in [
        (
            r#"{"n": {{ customer.n }}, "p": {{ customer.price }}, "w": {{ customer.whole }}}"#,
            json!({"n": 5, "p": 12.5, "w": 5}),
        ),
        (
            r#"{"vip": {{ customer.vip }}, "no": {{ not customer.vip }}, "none": {{ none }}}"#,
            json!({"vip": true, "no": false, "none": null}),
        ),
        (
            r#"{"tags": {{ customer.tags }}, "n": "{{ customer.n }}", "x": "{{ none }}"}"#,
            json!({"tags": ["a", "t"], "n": "5", "x": ""}),
        ),
        (r#"{"at": {{ now }}, "also": "{{ now }}"}"#, json!({"at": NOW, "also": NOW})),
        (
            r#"{"a": {{ customer.n | tojson }}, "b": {{ [1, none, "x"] }}}"#,
            json!({"a": 5, "b": [1, null, "x"]}),
        ),
        (
            r#"{"json in a string": "{{ customer.address | tojson }}"}"#,
            json!({"json in a string": "{\"city\": \"t\"}"}),
        ),
        (r#"{"{{ customer.gone }}": 1}"#, json!({"g": 1})),
        (r#"{ {{ customer.gone }}: 1}"#, json!({"g": 1})),
        (r#"{"raw": {{ '{"a": [1]}' | safe }}}"#, json!({"raw": {"a": [1]}})),
        (
            r#"{% set x %}{{ customer.n }}{% endset %}{"same": {{ x == "5" }}, "in": {{ x in ["5"] }}, "length": {{ x | length }}, "n": {{ x }}}"#,
            json!({"same": true, "in": true, "length": 1, "n": 5}),
        ),
        (
            r#"{% macro m(a) %}{{ a }}{% endmacro %}{% if m(customer.name) == "t" and "x" != m(1) %}{"a": 1}{% endif %}"#,
            json!({"a": 1}),
        ),
        (r#"{"a": {{ 1 < customer.n <= 5 and customer.nope is not defined }}}"#, json!({"a": true})),
        ("{{ customer.address }}", json!({"city": "t"})),
        (
            r#"[{% for n in [1, 2, 3] %}{{ n }}{{ ", " if not loop.last else "" }}{% endfor %}]"#,
            json!([1, 2, 3]),
        ),
        (
            r#"[{% for n in ["a", "b"] %}{{ "" if loop.first else "," }}{{ n }}{% endfor %}]"#,
            json!(["a", "b"]),
        ),
        (r#"[{{ "" }}, {{ "" }}]"#, json!(["", ""])),
        (r#"{% autoescape false %}{"a": "{{ 'q"' }}"}{% endautoescape %}"#, json!({"a": "q\""})),
        (r#"{"a": "{{ 'x<y' | e }}", "b": "{{ 'é"' | upper }}"}"#, json!({"a": "x&lt;y", "b": "É\""})),
    ] {
        assert_eq!(body(source, "t"), expected, "{source}");
    }
}

#[test]
fn what_is_not_json_skips_the_customer_with_the_place() {
    for (source, what) in [
        ("Hello {{ customer.name }}", "the body is not JSON"),
        ("", "the body is not JSON"),
        (r#"{"a": 1,}"#, "line 1 column 9"),
        (r#"{"a": 1, "a": 2}"#, "the member `a` is there twice"),
        (r#"{"{{ customer.gone }}": 1, "g": 2}"#, "the member `g` is there twice"),
        (r#"{"a": 1} {"b": 2}"#, "trailing characters"),
        (r#"{"a": {{ '1, "role": "admin"' | safe }}}"#, "`safe` takes a text that is JSON"),
        (r#"{"a": {{ customer.nope }}}"#, "`customer.nope` is missing"),
        (r#"{"a": {{ 1e308 * 10 }}}"#, "JSON has no number"),
    ] {
        let Rendered::Failed(reason) = template(source).render(&subject("t")) else { panic!("{source}") };
        assert!(reason.contains(what), "{source}: {reason}");
    }
}

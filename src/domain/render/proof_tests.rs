//! What can be known to be wrong when a template is loaded is known then, and what works for somebody is let pass.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::*;
use crate::domain::expression::tests::scope;
use crate::domain::expression::{Declared, Severity};
use crate::domain::value::Kind;

const PARAMETERS: &[(&str, Kind, bool)] = &[
    ("alert", Kind::Text, false),
    ("level", Kind::Number, false),
    ("until", Kind::Timestamp, true),
    ("stops", Kind::List, false),
    ("place", Kind::Object, false),
    ("note", Kind::Text, true),
];

fn prove(source: &str, escaping: Escaping, attributes: AttributesSeen) -> Vec<TemplateFinding> {
    let mut scope = scope();
    for trigger in &mut scope.triggers {
        let declared = PARAMETERS
            .iter()
            .map(|(name, kind, _)| ((*name).to_owned(), Declared { kind: *kind, word: kind.word() }));
        trigger.parameters = declared.collect();
    }
    let texts = BTreeMap::from([("part".to_owned(), "a\n{{ params.stops - 1 }}".to_owned())]);
    let template = Template::compile(source, escaping, &scope, &texts);
    let template = template.unwrap_or_else(|error| panic!("{source}: {error}"));
    let parameters = PARAMETERS.iter().map(|(name, kind, missing)| {
        ((*name).to_owned(), SampleParameter { kind: *kind, may_be_missing: *missing })
    });
    let samples =
        Samples { triggers: vec![("t".to_owned(), parameters.collect())], attributes: Arc::new(attributes) };
    template.prove(&samples, &texts, &mut RenderingsLeft { declared: 1000, seen: 1000 })
}

#[test]
fn what_nobody_can_be_written_is_an_error() {
    for (source, what) in [
        ("a\n{{ params.stops | round }}", "cannot round value"),
        ("{{ params.alert - 1 }}", "`-` knows no string and number"),
        ("{{ 'abc' | dictsort }}", "cannot convert value into pair list"),
        ("{{ customer.name | round('x') }}", "this cannot be written for any customer"),
        ("{{ params.level.strip() }}", "no method named strip"),
        ("{{ 5 / 0 }}", "cannot be written for any customer"),
        ("{{ customer.name | truncate(1) }}", "expected length >= 3"),
        ("{{ customer.name | replace('a') }}", "`replace` lacks an argument"),
        ("{{ customer.n | join(sep=', ') }}", "`join` takes no `sep`"),
        ("{{ '%d' % 'x' }}", "cannot be written"),
        ("{% include 'part' %}", "`-` knows no sequence and number"),
        ("{{ now.strftime('%&') }}", "is no format of times"),
        ("{{ customer.name }} {{ range(1000000000) | list }}", "cannot be written for any customer"),
        (
            "{% for x in range(90000) %}{% for y in range(90000) %}{{ y }}{% endfor %}{% endfor %}",
            "cannot be written",
        ),
        ("{{ 'x' * 1000000000 }}", "cannot be written for any customer"),
    ] {
        let findings = prove(source, Escaping::None, AttributesSeen::new());
        let [finding] = findings.as_slice() else { panic!("{source}: {findings:?}") };
        assert_eq!(finding.problem.severity, Severity::Error, "{source}");
        assert!(finding.problem.message.contains(what), "{source}: {}", finding.problem.message);
    }
    let found = prove("a\n  {{ params.stops | round }}\n", Escaping::None, AttributesSeen::new());
    assert_eq!(found[0].problem.span, 4..30);
    let inside = prove("{% include 'part' %}", Escaping::None, AttributesSeen::new());
    assert_eq!((inside[0].included.as_deref(), inside[0].problem.span.clone()), (Some("part"), 2..24));
}

#[test]
fn a_body_that_is_never_json_is_an_error() {
    for source in [
        "Hello {{ customer.name }}",
        r#"{"a": 1,}"#,
        r#"{"a": "{{ customer.name }}}"#,
        r#"{"a": {{ customer.name }} {{ params.alert }}}"#,
        r#"{"a": 1, "a": {{ customer.n }}}"#,
        r#"{'a': {{ customer.n }}}"#,
    ] {
        let findings = prove(source, Escaping::Json, AttributesSeen::new());
        let [finding] = findings.as_slice() else { panic!("{source}: {findings:?}") };
        assert!(finding.problem.message.contains("the body is not JSON"), "{source}: {}", finding.problem);
    }
}

#[test]
fn what_works_for_somebody_is_let_pass() {
    for source in [
        "{{ customer.name.strip() }} {{ customer.n + 1 }} {{ customer.tags | join }}",
        "{{ customer.n - customer.m }} {{ customer.since.year }}",
        "{% for o in customer.orders %}{{ o.price * 2 }}{{ o.name.upper() }}{% endfor %}",
        "{% for s in params.stops %}{{ s.name }}{% endfor %} {{ params.stops[0].name }}",
        "{{ params.place.lat | round(2) }} {{ params.place.name.upper() }}",
        "{% if customer.kind == 'a' %}{{ customer.n * 2 }}{% elif customer.kind == 'b' %}x{% else %}{{ abort('no') }}{% endif %}",
        "{% set x = customer.n %}{{ x - 1 }}{% set y = x * 2 %}{{ y - x }}",
        "{% macro m(a) %}{{ a - 1 }}{% endmacro %}{{ m(customer.n) }}",
        "{{ timestamp(customer.since).strftime('%Y') }} {{ number(customer.n) + 1 }}",
        "{{ events('policy').last().car.upper() }} {% for p in events('x') %}{{ p.n - 1 }}{% endfor %}",
        "{{ customer.address.city.upper() }} {{ customer.address.zip | int }}",
        "{{ customer[params.alert] }} {{ customer.a.b.c }}",
        "{{ (now - timestamp(customer.since)).days }}",
        "{{ customer.x | tojson }} {{ customer.x }}",
        "{{ params.alert }} {{ params.level + 1 }} {{ params.place }}",
        "{% for x in range(1500) %}{{ x }}{% endfor %}",
        "{% for x in customer.orders %}{% for y in range(1500) %}{{ y }}{% endfor %}{% endfor %}",
    ] {
        assert_eq!(prove(source, Escaping::None, AttributesSeen::new()), [], "{source}");
    }
    for source in [
        r#"{"a": "{{ customer.name }}", "n": {{ customer.n }}}"#,
        r#"{"a": {{ customer.payload | safe }}}"#,
        r#"{% if customer.kind == 'a' %}{"a": 1}{% elif customer.kind == 'b' %}{"b": 2}{% endif %}"#,
        r#"[{% for t in customer.tags %}{{ t }}{{ "," if not loop.last }}{% endfor %}]"#,
    ] {
        assert_eq!(prove(source, Escaping::Json, AttributesSeen::new()), [], "{source}");
    }
}

#[test]
fn what_fails_for_some_is_a_warning_that_names_the_value() {
    let warned = |source: &str, attributes: AttributesSeen| {
        let findings = prove(source, Escaping::None, attributes);
        assert!(findings.iter().all(|finding| finding.problem.severity == Severity::Warning), "{findings:?}");
        findings.iter().map(|finding| finding.problem.to_string()).collect::<Vec<_>>()
    };
    let [until] = warned("a\n{{ params.until }}", AttributesSeen::new()).try_into().unwrap();
    assert!(
        until
            .starts_with("without `params.until` this cannot be written: `params.until` is missing (line 2)"),
        "{until}"
    );
    assert!(until.contains("default(…)"), "{until}");
    for guarded in [
        "{{ params.until | default('soon') }}",
        "{% if params.until %}{{ params.until }}{% endif %}",
        "{{ params.note if params.note is defined else '' }}",
    ] {
        assert_eq!(warned(guarded, AttributesSeen::new()), Vec::<String>::new(), "{guarded}");
    }
    let [level] =
        warned("{% if params.level > 3 %}{{ params.level | items }}{% endif %}", AttributesSeen::new())
            .try_into()
            .unwrap();
    assert!(level.starts_with("with `params.level` = 5 this cannot be written"), "{level}");
    let seen = |kinds: &[Kind], missing| AttributeSeen {
        kinds: BTreeSet::from_iter(kinds.iter().copied()),
        missing,
    };
    let attributes = AttributesSeen::from([
        ("city".to_owned(), seen(&[Kind::Text], true)),
        ("age".to_owned(), seen(&[Kind::Number, Kind::Text], false)),
        ("name".to_owned(), seen(&[Kind::Text], false)),
    ]);
    let warnings = warned("{{ customer.name }} {{ customer.city }} {{ customer.age - 1 }}", attributes);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings[1].starts_with("without `customer.city` this cannot be written: `customer.city` is missing")
    );
    assert!(warnings[0].starts_with(
        "for customers whose `customer.age` is a text this cannot be written: `-` knows no string"
    ));
}

#[test]
fn a_template_that_runs_away_is_let_go_of_soon() {
    let many: String =
        (0..200).map(|n| format!("{{{{ customer.a{n} - customer.b{n} - customer.c{n} }}}}")).collect();
    for source in [
        "{% for a in range(10000) %}{% for b in range(10000) %}{{ customer.n }}{% endfor %}{% endfor %}",
        "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
        many.as_str(),
    ] {
        assert_eq!(prove(source, Escaping::None, AttributesSeen::new()), [], "{source}");
    }
}

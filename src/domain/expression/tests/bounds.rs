//! No expression costs more than a bound in steps and bytes, whatever its source and its request are.

use serde_json::{Value as Json, json};

use super::*;

fn evaluate(source: &str, body: &Json) -> Result<Option<Value>, String> {
    let request = RequestFacts { body: Value::from_json(body).unwrap(), ..RequestFacts::default() };
    let expression = Expression::compile(source, &Scope::bare(Place::Request))
        .unwrap_or_else(|error| panic!("{source}: {error}"));
    expression
        .evaluate(Facts::of_request(&request, NOW.parse().unwrap()))
        .map_err(|reason| reason.to_string())
}

#[test]
fn what_would_grow_without_end_is_refused() {
    let long = "x".repeat(100_000);
    let body = json!({"x": "ab", "n": 30_000_000, "long": long, "l": vec!["abc"; 1_000]});
    let sources = [
        "[body.x] * 30000000",
        "[body.x] * body.n",
        "body.n * [body.x]",
        "body.x * 30000000",
        "body.x * body.n * body.n",
        "[[body.x] * 1000] * 1000 * 1000",
        "[[[[body.l] * 100] * 100] * 100] * 100",
        "[body.long] * 10000",
        "[body.l] * 20000",
        "([body.x] * 30000000) | length",
        "([body.x] * 30000000) | join('')",
        "([body.x] * 30000000) | list",
        "([body.x] * 30000000) | sort",
        "([body.x] * 30000000) | last",
        "([body.x] * 30000000) | map('upper') | list",
        "([body.x] * 30000000) ~ ''",
        "{'a': [body.x] * 30000000} ~ ''",
        "{'a': [body.x] * 30000000} | tojson",
        "([body.x] * 30000000)[5:]",
        "([body.x] * 30000000)[::-1]",
        "[1] * 5000 | join(body.long)",
        "body.long | replace('x', body.long)",
        "body.long | replace('', body.long)",
        "'%0100000000d' | format(1)",
        "'%100000000s' | format('a')",
        "body.l | batch(100000000, 'x')",
        "body.l | slice(100000000, 'x')",
        "body.l | slice(100000000)",
        "'%(a)0100000000d' | format(a=1)",
        "'%.100000000f' | format(1.5)",
        "'a' | center(1000000000)",
        "body.long | wordwrap(1, wrapstring=body.long)",
        "'a' % body.l if false else '%0100000000d' % 1",
        "body.l | tojson(100000000)",
        "'a\nb' | indent(100000000)",
        "[body.long, body.long] * 100 | sum(start=[]) | length if false else [body.long] * 10000",
        &format!("[body.x] * 100000000{}", " + [1]".repeat(40)),
        &format!("body.x{}", " * 9".repeat(60)),
        &format!("{}body.x{}", "[".repeat(60), "] * 9".repeat(60)),
        &format!("{}body.x{}", "[".repeat(30), "] * 9 | list".repeat(30)),
    ];
    for source in sources {
        if Expression::compile(source, &Scope::bare(Place::Request)).is_err() {
            continue;
        }
        let said = evaluate(source, &body);
        assert!(
            said.is_err(),
            "{source}: {} bytes",
            said.unwrap().map_or(0, |it| it.to_json().to_string().len())
        );
    }
}

#[test]
fn what_people_write_is_not_refused() {
    let features: Vec<Json> =
        (0..2_000).map(|n| json!({"id": format!("id-{n}"), "type": "a", "text": "x".repeat(500)})).collect();
    let body = json!({"l": features, "x": "ab"});
    for source in [
        "body.l | map(attribute='id') | list",
        "body.l | map(attribute='id') | join(',')",
        "body.l | selectattr('type', 'eq', 'a') | list",
        "body.l | selectattr('type') | map(attribute='id') | list | length",
        "body.l[:100]",
        "[body.l[0].text, body.l[1].text]",
        "body.x * 100 ~ body.x",
        "[body.x] * 100 + [body.x]",
    ] {
        assert!(
            evaluate(source, &body).is_ok_and(|value| value.is_some()),
            "{source}: {:?}",
            evaluate(source, &body)
        );
    }
}

#[test]
fn many_comparisons_of_long_values_end() {
    let long: Vec<String> = (0..20_000).map(|n| format!("element {n}")).collect();
    let body = json!({"a": long.clone(), "b": long});
    let source = vec!["body.a == body.b"; 700].join(" and ");
    assert!(evaluate(&source, &body).unwrap_err().contains("more steps than one evaluation may"));
    let texts = json!({"a": "x".repeat(1_000_000)});
    let source = vec!["'y' in body.a"; 700].join(" or ");
    assert!(evaluate(&source, &texts).unwrap_err().contains("more steps than one evaluation may"));
    let source = vec!["(body.l | join('') == 'x')"; 400].join(" or ");
    let said = evaluate(&source, &json!({"l": vec!["abcdefgh"; 1_500]}));
    assert!(said.clone().is_err_and(|said| said.contains("more steps")), "{said:?}");
}

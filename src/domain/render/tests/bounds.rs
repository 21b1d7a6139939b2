//! No template takes a core for longer than a moment, nor more memory than a bound, whatever its values are.

use super::*;

/// A customer and a call with long values.
fn long_subject() -> Subject {
    let list: Vec<_> = (0..20_000).map(|n| json!({"id": n, "name": "a name of some length"})).collect();
    let events: Vec<_> =
        (0..2_000).map(|_| ("visit", "2026-01-01T00:00:00Z", json!({"page": "x"}))).collect();
    Subject {
        call: Arc::new(call(&json!({
            "list": list, "text": "x".repeat(500_000), "numbers": (0..50_000).collect::<Vec<_>>(),
        }))),
        customer: Arc::new(with_events(customer(&json!({"n": 5, "name": "Ann"})), &events)),
        now: NOW.parse().unwrap(),
        time: Default::default(),
    }
}

fn render_long(source: &str) -> Rendered {
    let mut scope = scope();
    for (name, kind, word) in [
        ("list", crate::domain::value::Kind::List, "list"),
        ("numbers", crate::domain::value::Kind::List, "list"),
        ("text", crate::domain::value::Kind::Text, "string"),
    ] {
        let declared = crate::domain::expression::Declared { kind, word };
        scope.triggers[0].parameters.insert(name.to_owned(), declared);
    }
    let compiled = Template::compile(source, Escaping::None, &scope, &BTreeMap::new());
    compiled.unwrap_or_else(|error| panic!("{source}: {error}")).render(&long_subject())
}

/// Lists within lists, each twice in the next.
fn doubled(times: usize) -> String {
    let name = |n: usize| format!("a{n}");
    let steps = (1..=times).map(|n| format!("{{% set {} = [{p}, {p}] %}}", name(n), p = name(n - 1)));
    format!("{{% set a0 = [1] %}}{}{{% set a = a{times} %}}", steps.collect::<String>())
}

/// Ways of using a value `a`, beside `a1` and `a0` that it may hold.
const USES: &[&str] = &[
    "{{ a }}",
    "{{ a == a0 }}",
    "{{ [a] == [a1, a] }}",
    "{{ a < [a1] }}",
    "{{ a ~ '' }}",
    "{{ 'x' ~ a }}",
    "{{ a | tojson }}",
    "{{ a | string }}",
    "{{ a | join(',') }}",
    "{{ [a] | unique | list | length }}",
    "{{ [a, a1] | sort | length }}",
    "{{ [a, a1] | min | length }}",
    "{{ text(a) }}",
    "{{ number(a) }}",
    "{{ [a1] in [a, a] }}",
    "{{ a in [a, [a]] }}",
    "{{ a is eq([a1]) }}",
    "{{ a | upper }}",
    "{{ a | pprint }}",
    "{{ a | urlencode }}",
    "{{ '%s' | format(a) }}",
    "{{ 'x' | replace('x', a) }}",
    "{{ [[a]] | map('string') | list }}",
    "{{ [a] | select('eq', [a1]) | list | length }}",
    "{{ a | groupby(0) | length }}",
    "{{ events('x', p=a).count() }}",
    "{{ a + a }}",
    "{{ [a, a] }}",
    "{% for x in a %}{{ x }}{% endfor %}",
    "{% set ns = namespace(a=a) %}{{ ns.a }}",
    "{{ dict(a=a) }}",
    "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(a) }}",
    "{% if a in [[a1], a0] %}x{% endif %}",
    "{{ a | indent }}",
    "{{ a | e }}",
    "{{ {'k': a} == {'k': [a1]} }}",
    "{{ (a, 1) == (a1, 1) }}",
    "{{ a | batch(2) | list }}",
    "{{ a | sum(start=[]) }}",
    "{{ a[:1] }}",
    "{{ a | reverse }}",
];

#[test]
fn values_that_hold_one_list_many_times_cost_no_more_than_a_bound() {
    let nested = doubled(40);
    let added: String = (1..=60).map(|n| format!("{{% set a{n} = a{p} + a{p} %}}", p = n - 1)).collect();
    let zipped: String =
        (1..=40).map(|n| format!("{{% set a{n} = a{p} | zip(a{p}) %}}", p = n - 1)).collect();
    let mapped: String =
        (1..=40).map(|n| format!("{{% set a{n} = {{'l': a{p}, 'r': a{p}}} %}}", p = n - 1)).collect();
    for (index, built) in [
        nested,
        format!("{{% set a0 = [1] %}}{added}{{% set a1 = [2] %}}{{% set a = a60 %}}"),
        format!("{{% set a0 = [1] %}}{zipped}{{% set a = a40 %}}"),
        format!("{{% set a0 = [1] %}}{mapped}{{% set a = a40 %}}"),
        "{% set a0 = [1] %}{% set a1 = [2] %}{% set ns = namespace(a=[1]) %}{% for i in range(60) %}\
         {% set ns.a = [ns.a, ns.a] %}{% endfor %}{% set a = ns.a %}"
            .to_owned(),
        "{% set a0 = [1] %}{% set a1 = [2] %}{% set a = [1] * 100000000 %}".to_owned(),
        "{% set a0 = [1] %}{% set a1 = [2] %}{% set a = [[1] * 10000] * 10000 %}".to_owned(),
        "{% set a0 = [1] %}{% set a1 = [2] %}{% set a = namespace() %}{% set a.a = a %}{% set a.b = a %}"
            .to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        // The first is used in every way, the others in those that are most unlike.
        for used in USES.iter().take(if index == 0 { USES.len() } else { 6 }) {
            let source = format!("{built}{used}");
            if Template::compile(&source, Escaping::None, &scope(), &BTreeMap::new()).is_err() {
                continue;
            }
            let _ended = render(&source);
        }
        assert!(matches!(render(&format!("{built}{{{{ a }}}}")), Rendered::Failed(_)), "{built}");
    }
}

#[test]
fn values_do_not_nest_without_end() {
    for source in [
        "{% set ns = namespace(a=[1]) %}{% for i in range(20000) %}{% set ns.a = [ns.a] %}{% endfor %}x",
        "{% set ns = namespace(a=[1]) %}{% for i in range(20000) %}{% set ns.a = ns.a[0:] %}{% endfor %}{{ ns.a }}",
        "{% set ns = namespace(a=[1]) %}{% for i in range(20000) %}{% set ns.a = ns.a * 1 %}{% endfor %}{{ ns.a }}",
        "{% set ns = namespace(a=[1]) %}{% for i in range(20000) %}{% set ns.a = ns.a | reverse %}{% endfor %}x",
        "{% set ns = namespace(a=[1]) %}{% for i in range(20000) %}{% set ns.a = ns.a | batch(1) %}{% endfor %}x",
        "{% set ns = namespace(a=1) %}{% for i in range(9000) %}{% set n = namespace(b=ns.a) %}{% set ns.a = n %}\
         {% endfor %}x",
        "{% set ns = namespace(l=[], p=1) %}{% for i in range(400) %}{% set ns.l = ns.l + [namespace(i=i)] %}{% endfor %}\
         {% for n in ns.l %}{% set n.next = ns.p %}{% set ns.p = n %}{% endfor %}{{ ns.p }}",
    ] {
        let rendered = render(source);
        assert!(!matches!(&rendered, Rendered::Text(text) if text.len() > 100), "{source}: {rendered:?}");
    }
}

#[test]
fn long_values_of_a_call_do_not_take_a_core() {
    for source in [
        "{% for x in params.list %}{% if x in params.list %}y{% endif %}{% endfor %}",
        "{% for x in params.list %}{% for y in params.list %}{% if x == y %}y{% endif %}{% endfor %}{% endfor %}",
        "{% for x in range(90000) %}{% if params.text == params.text ~ 'y' %}y{% endif %}{% endfor %}",
        "{% set t = params.text ~ 'y' %}{% for x in range(90000) %}{% if t == params.text %}y{% endif %}{% endfor %}",
        "{% for x in range(90000) %}{% if 'y' in params.text %}y{% endif %}{% endfor %}",
        "{% for x in range(90000) %}{{ params.text[499999] }}{% endfor %}",
        "{% for x in range(90000) %}{{ params.text[-1:] }}{% endfor %}",
        "{% for x in range(90000) %}{{ params.numbers[-1:] }}{% endfor %}",
        "{% for x in range(90000) %}{% if params.list == params.numbers %}y{% endif %}{% endfor %}",
        "{% for x in range(90000) %}{{ params.numbers | sort | first }}{% endfor %}",
        "{% for x in range(90000) %}{{ params.numbers | last }}{% endfor %}",
        "{% for x in range(90000) %}{{ events('visit').count() }}{% endfor %}",
        "{% set e = events('visit') %}{% for x in range(90000) %}{{ e | length }}{{ e.count() }}{% endfor %}",
        "{% for x in range(90000) %}{% if params.text is upper %}y{% endif %}{% endfor %}",
        "{% for x in range(90000) %}{% if params.text.endswith('y') %}y{% endif %}{% endfor %}",
        "{{ params.text | wordwrap(1, wrapstring=params.text) }}",
        "{{ params.text.replace('x', params.text) }}",
        "{{ params.text.replace('', params.text) }}",
        "{{ 'a' | center(1000000000) }}",
        "{{ params.text.join(params.numbers) }}",
    ] {
        let rendered = render_long(source);
        assert!(
            matches!(&rendered, Rendered::Failed(why) if why.contains("more steps")),
            "{source}: {rendered:?}"
        );
    }
}

#[test]
fn widths_that_nobody_means_are_refused() {
    for source in [
        "{{ 'a'.ljust(1000000000) }}",
        "{{ 'a'.ljust(9000, params.text) }}",
        "{{ '{:>1000000000}'.format('a') }}",
        "{{ '{:01000000000d}'.format(1) }}",
        "{{ '{:{w}}'.format('a', w=1000000000) }}",
        "{{ '{:.1000000000f}'.format(1.5) }}",
        "{{ '%1000000000s' % 'a' }}",
        "{{ '%.1000000000f' % 1.5 }}",
        "{{ params.numbers | tojson(1000000000) }}",
        "{{ 'a' | indent(1000000000) }}",
        "{{ 1.5 | round(1000000000) }}",
    ] {
        let rendered = render_long(source);
        let short = |text: &str| text.len() < 1_000;
        assert!(!matches!(&rendered, Rendered::Text(text) if !short(text)), "{source}");
    }
}

#[test]
fn what_people_write_is_not_refused() {
    let mut wrong = Vec::new();
    for (source, expected) in [
        (
            "{{ params.list | length }} {{ params.list[0].id }} {{ params.numbers[:1000] | sum }}",
            "20000 0 499500",
        ),
        ("{% for x in params.list[:3] %}{{ x.id }},{% endfor %}", "0,1,2,"),
        ("{{ params.list | map(attribute='id') | first }}", "0"),
        ("{{ (params.list | selectattr('id', 'eq', 7) | first).name }}", "a name of some length"),
        (
            "{% set ns = namespace(l=[]) %}{% for x in range(300) %}{% set ns.l = ns.l + [x] %}{% endfor %}{{ ns.l | length }}",
            "300",
        ),
        ("{{ [1] * 3 }} {{ [1] + [2] }} {{ 'ab' * 2 }} {{ (1, 2) }}", "[1, 1, 1] [1, 2] abab [1, 2]"),
        ("{% set e = events('visit') %}{{ e.count() }} {{ e.within('1d').count() }}", "2000 0"),
        ("{%- for x in [1, 2] -%} {{ x }} {%- else -%} none {%- endfor %}", "12"),
        ("{% with a = [customer.n], b = 2 %}{{ a }}{{ b }}{% endwith %}", "[5]2"),
        ("{% set a, b = [customer.n, 2] %}{{ a }}{{ b }}", "52"),
        (
            "{% macro m(a, b=[customer.n]) %}{{ a }}{{ b }}{{ caller() }}{% endmacro %}{% call m([customer.n]) %}x{% endcall %}",
            "[5][5]x",
        ),
        ("{% filter replace(customer.name, 'Eve') %}Don't (Ann){% endfilter %}", "Don't (Eve)"),
        ("{% set x | upper %}a{% endset %}{{ x }}", "A"),
        (
            "{% for x in [[1, [customer.n]], [3, [4]]] recursive %}{% if x is number %}{{ x }}{% else %}{{ loop(x) }}{% endif %}{% endfor %}",
            "1534",
        ),
        (
            "{% if customer.n in [customer.n, 2] and not (customer.name ~ 'x') == 'y' %}a{% elif customer.n < 3 %}b{% else %}c{% endif %}",
            "a",
        ),
        ("{{ {'a': {'b': [customer.n]}} }}", "{\"a\": {\"b\": [5]}}"),
        ("{{ 'a' if customer.n is divisibleby 5 else 'b' }}{{ -customer.n | abs }}{{ 2 ** 3 }}", "a58"),
    ] {
        let rendered = render_long(source);
        if rendered != Rendered::Text(expected.to_owned()) {
            wrong.push(format!("{source}: {rendered:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn reasons_show_what_was_written() {
    let failed = |source: &str| match render(source) {
        Rendered::Failed(why) => why,
        other => panic!("{source}: {other:?}"),
    };
    assert_eq!(failed("\n{{ customer.nope | upper }}"), "`customer.nope` is missing (line 2)");
    assert_eq!(
        failed("{{ [customer.n,\n customer.n] }}\n{{ customer.nope ~ 'x' }}"),
        "`customer.nope` is missing (line 3)"
    );
    assert!(!failed("{{ customer.n | sort }}").contains("__"));
    let refused = compile("{% set __built = 1 %}", &[]).unwrap_err().to_string();
    assert!(refused.contains("names that begin with `__` are kept"), "{refused}");
}

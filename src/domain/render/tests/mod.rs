//! What customers read, and what keeps them from reading nonsense.

mod bounds;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::domain::expression::tests::{NOW, call, customer, scope, with_events};
use crate::domain::expression::{Condition, Facts, Scope};
use crate::domain::local_defaults::{LocalDefaults, locale_of, zone_of};

fn subject() -> Subject {
    let ann = customer(&json!({
        "first_name": "Ann <3", "n": 5, "price": 12.5, "whole": 5.0, "vip": true, "tags": ["a", "b"],
        "address": {"city": "Paris"}
    }));
    let events = [
        ("policy", "2026-01-01T00:00:00Z", json!({"car": "Fiat", "price": 10})),
        ("policy", "2026-10-30T00:00:00Z", json!({"car": "Saab", "price": 20})),
        ("claim", "2026-10-31T00:00:00Z", json!({})),
    ];
    Subject {
        call: Arc::new(call(&json!({"alert": "snow", "valid-until": "x"}))),
        customer: Arc::new(with_events(ann, &events)),
        now: NOW.parse().unwrap(),
        time: Default::default(),
    }
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn compile(source: &str, included: &[(&str, &str)]) -> Result<Template, TemplateError> {
    Template::compile(source, Escaping::None, &scope(), &texts(included))
}

fn render(source: &str) -> Rendered {
    compile(source, &[]).unwrap_or_else(|error| panic!("{source}: {error}")).render(&subject())
}

#[test]
fn prints_what_a_person_reads() {
    let cases = [
        ("Hello {{ customer.first_name }}", "Hello Ann <3"),
        ("{{ customer.n }} {{ customer.price }} {{ customer.whole }} {{ 10 / 4 }}", "5 12.5 5 2.5"),
        ("{{ customer.vip }} {{ consents.sms }} {{ consents.mail }}", "true false true"),
        ("{{ now }} {{ call.receivedAt }}", "2026-11-01T12:00:00Z 2026-11-01T12:00:00Z"),
        ("{{ customer.tags }} {{ customer.address.city }}", "[\"a\", \"b\"] Paris"),
        ("{{ params.valid-until }}/{{ params.alert }}/{{ call.trigger }}", "x/snow/weather-alert"),
        ("{{ customer.missing | default('friend') }}", "friend"),
        (
            "{{ customer.missing | default('friend') | tojson }} {{ customer.address | tojson }}",
            "\"friend\" {\"city\": \"Paris\"}",
        ),
        ("{% if customer.missing %}a{% else %}b{% endif %}", "b"),
        (
            "{{ {'who': customer.n, 'when': now} | tojson }}",
            "{\"who\": 5, \"when\": \"2026-11-01T12:00:00Z\"}",
        ),
    ];
    for (source, expected) in cases {
        assert_eq!(render(source), Rendered::Text(expected.to_owned()), "{source}");
    }
}

#[test]
fn an_element_that_is_null_keeps_its_place() {
    let subject = Subject {
        call: Arc::new(call(&json!({"postcodes": ["a", null]}))),
        customer: Arc::new(with_events(
            customer(&json!({"l": [null, 1, {"x": [null]}]})),
            &[("buy", "2026-10-30T00:00:00Z", json!({"items": ["s", null]}))],
        )),
        now: NOW.parse().unwrap(),
        time: Default::default(),
    };
    for (source, expected) in [
        ("{{ customer.l }}", r#"[null, 1, {"x": [null]}]"#),
        ("{{ customer.l | length }}{{ customer.l[1] }}{{ customer.l[0] is none }}", "31true"),
        ("{% for one in customer.l %}{{ loop.index }}{{ one }};{% endfor %}", r#"1;21;3{"x": [null]};"#),
        ("{{ params.postcodes | tojson }} {{ params.postcodes | join('-') }}", r#"["a", null] a-"#),
        ("{{ events('buy').last()['items'] }}", r#"["s", null]"#),
        ("{{ '[null, 1]' | fromjson }} {{ [1, none] }}", "[null, 1] [1, null]"),
    ] {
        let rendered = compile(source, &[]).unwrap().render(&subject);
        assert_eq!(rendered, Rendered::Text(expected.to_owned()), "{source}");
    }
}

#[test]
fn what_the_runtime_says_of_a_place_holds_where_a_filter_says_nothing() {
    let local = LocalDefaults {
        region: "AT".parse().ok(),
        zone: zone_of("Europe/Vienna").unwrap(),
        locale: locale_of("de-AT").unwrap(),
    };
    let scope = Scope { local: Arc::new(local), ..scope() };
    let included = texts(&[("part", "{{ '0664 1234567' | phone }}")]);
    let subject = subject();
    for (source, expected) in [
        ("{{ now | datetime('long') }}", "1. November 2026 um 13:00"),
        ("{{ now | datetime('long', zone='UTC', locale='en') }}", "November 1, 2026 at 12:00\u{202f}PM"),
        ("{{ now | time }} {{ now | format_time('%H:%M') }}", "13:00 13:00"),
        ("{{ 1234.5 | number(2) }} {{ 12 | currency('EUR') }}", "1\u{a0}234,50 12,00\u{a0}EUR"),
        ("{{ '0664/123 45 67' | phone }} {{ '650 253 0000' | phone('US') }}", "+436641234567 +16502530000"),
        ("{% macro own(x) %}{{ x | phone }}{% endmacro %}{{ own('0664 1234567') }}", "+436641234567"),
        ("{% include 'part' %}{{ ['0664 1234567'] | map('phone') | first }}", "+436641234567+436641234567"),
    ] {
        let template = Template::compile(source, Escaping::None, &scope, &included).unwrap();
        assert_eq!(template.render(&subject), Rendered::Text(expected.to_owned()), "{source}");
    }
    let condition = |source: &str| {
        let condition =
            Condition::compile(source, &scope).unwrap_or_else(|error| panic!("{source}: {error}"));
        let facts = Facts::of_call(&subject.call, subject.now).with_customer(&subject.customer);
        condition.decide(facts).known()
    };
    assert_eq!(condition("now | time == '13:00'"), Some(true));
    assert_eq!(condition("text(customer.n) | phone == '+436641234567'"), None);
    assert_eq!(condition("['0664 1234567', customer.n] | first | phone == '+436641234567'"), Some(true));
}

#[test]
fn a_filter_says_what_is_no_number_locale_or_zone() {
    for (source, expected) in [
        ("{{ '0664 12' | phone('AT') }}", "`0664 12` is no phone number: +43 has no such numbers (line 1)"),
        ("{{ '0664 1234567' | phone }}", "no region is known"),
        ("{{ customer.vip | phone('AT') }}", "it is no text"),
        ("{{ '0664 1234567' | phone(customer.first_name) }}", "there is no region `Ann <3`"),
        ("{{ now | datetime(locale=customer.first_name) }}", "is no locale"),
        ("{{ now | datetime(locale='xx') }}", "nothing is known of the language"),
        ("{{ now | time(zone='Vienna') }}", "there is no time zone `Vienna`"),
    ] {
        let Rendered::Failed(reason) = render(source) else { panic!("{source} is rendered") };
        assert!(reason.contains(expected), "{source}: {reason}");
    }
}

#[test]
fn tells_of_events() {
    let cases = [
        ("{{ events('policy').count() }} {{ events('policy', car='Fiat').count() }}", "2 1"),
        (
            "{{ events('policy').last().car }} {{ events('policy').first().timestamp }}",
            "Saab 2026-01-01T00:00:00Z",
        ),
        ("{{ events('policy').within('30d').sum('price') }} {{ events('none').sum('price') }}", "20 0"),
        ("{{ events('policy').since('2026-10-01T00:00:00Z').before(now).avg('price') }}", "20"),
        ("{% for p in events('policy') %}{{ p.car }};{% endfor %}", "Fiat;Saab;"),
        (
            "{{ events('none').last().car | default('nothing') if events('none').count() else 'none' }}",
            "none",
        ),
    ];
    for (source, expected) in cases {
        assert_eq!(render(source), Rendered::Text(expected.to_owned()), "{source}");
    }
    let template =
        compile("{{ events('policy').count() }}{% include 'x' %}", &[("x", "{{ events('claim').count() }}")]);
    let call = subject().call;
    let facts = crate::domain::expression::Facts::of_call(&call, NOW.parse().unwrap());
    let needs = template.unwrap().event_types().settle(facts);
    assert_eq!(needs.types, ["claim".to_owned(), "policy".to_owned()].into());
}

#[test]
fn a_missing_value_that_is_printed_or_compared_skips_the_customer_with_the_place() {
    for (source, what) in [
        ("a\n{{ customer.city }}", "`customer.city` is missing (line 2)"),
        ("{% if customer.age < 18 %}child{% endif %}", "(line 1)"),
        ("{{ customer.address.street.number }}", "(line 1)"),
        ("{{ events('policy', car=customer.car).count() }}", "`car` of events is missing"),
        ("{{ customer.nope | upper }}", "`customer.nope` is missing"),
        ("{{ 'Dear ' ~ customer.nope }}", "`customer.nope` is missing"),
        ("{{ events('none').last().sku }}", "`events('none').last()` is missing"),
        ("{{ events('policy').last().sku | upper }}", "`events('policy').last().sku` is missing"),
        ("{% if customer.nope > 3 %}a{% endif %}", "`customer.nope` is missing (line 1)"),
        (
            "a\n{%- if customer.vip and 3 < customer.nope %}a{% endif %}",
            "`customer.nope` is missing (line 2)",
        ),
        ("{{ customer.address.a.b.c }}", "`customer.address.a` is missing"),
        ("{{ customer.x | default('y') ~ customer.z | upper }}", "`customer.z` is missing"),
        ("{{ customer.nope | tojson }}", "`customer.nope` is missing"),
        ("{{ {'a': [customer.n, customer.nope]} | tojson }}", "`customer.nope` is missing"),
    ] {
        let Rendered::Failed(reason) = render(source) else { panic!("{source}") };
        assert!(reason.contains(what), "{source}: {reason}");
    }
}

#[test]
fn abort_skips_with_its_reason_from_anywhere() {
    assert_eq!(render("a{{ abort('no car') }}"), Rendered::Aborted("no car".into()));
    let template = compile("{% include 'x' %}", &[("x", "{{ abort('inside') }}")]).unwrap();
    assert_eq!(template.render(&subject()), Rendered::Aborted("inside".into()));
}

#[test]
fn html_is_escaped_in_html_bodies_only_whatever_is_included() {
    let html = |source: &str| {
        let included = texts(&[("footer.txt", "{{ customer.first_name }}")]);
        Template::compile(source, Escaping::Html, &scope(), &included).unwrap().render(&subject())
    };
    assert_eq!(html("<b>{{ customer.first_name }}</b>"), Rendered::Text("<b>Ann &lt;3</b>".into()));
    assert_eq!(html("{% include 'footer.txt' %}"), Rendered::Text("Ann &lt;3".into()));
    assert_eq!(render("<b>{{ customer.first_name }}</b>"), Rendered::Text("<b>Ann <3</b>".into()));
}

#[test]
fn what_runs_away_ends_with_a_reason() {
    let endless = "{% for a in range(10000) %}{% for b in range(10000) %}{{ b }}{% endfor %}{% endfor %}";
    let long = "{% for a in range(1000) %}{{ 'x' * 1000 }}{% endfor %}";
    let deep = "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}";
    for source in [endless, long, deep] {
        assert!(matches!(render(source), Rendered::Failed(_)), "{source}");
    }
    let itself = compile("{% include 'x' %}", &[("x", "{% include 'x' %}")]).unwrap();
    assert!(matches!(itself.render(&subject()), Rendered::Failed(_)));
}

#[test]
fn unknown_names_are_found_when_compiling() {
    let cases = [
        ("{{ params.alrt }}", 3..14, "did you mean `params.alert`?"),
        ("{{ custmer.name }}", 3..10, "did you mean `customer`?"),
        ("{{ customer.name | uper }}", 3..23, "did you mean `upper`?"),
        ("{{ abrt('x') }}", 3..7, "did you mean `abort`?"),
        ("{% if customer.x is defind %}{% endif %}", 6..26, "did you mean `is defined`?"),
        ("{{ events('x').cuont() }}", 3..22, "did you mean `.count(…)`?"),
        ("{{ call.recievedAt }}", 3..18, "did you mean `call.receivedAt`?"),
        ("{% include 'foter' %}", 11..18, "did you mean `footer`?"),
        ("{{ customer.name", 12..16, ""),
        ("{% for t in customer.tags %}{{ t }}{% endfor %}{{ t }}", 50..51, ""),
    ];
    for (source, span, remedy) in cases {
        let error = compile(source, &[("footer", "bye")]).unwrap_err();
        let problem = &error.findings[0].problem;
        assert!(problem.to_string().contains(remedy), "{source}: {problem}");
        assert_eq!(problem.span, span, "{source}: {problem}");
    }
    let inside = compile("{% include 'footer' %}", &[("footer", "{{ nope }}")]).unwrap_err();
    assert_eq!(inside.findings[0].included.as_deref(), Some("footer"));
}

#[test]
fn names_that_a_template_gives_itself_are_known() {
    for source in [
        "{% set x = 1 %}{{ x }}",
        "{% for t in customer.tags %}{{ loop.index }}{{ t }}{% endfor %}",
        "{% macro hi(who, mark='!') %}{{ who }}{{ mark }}{% endmacro %}{{ hi('Ann') }}",
        "{% with a = 1 %}{{ a }}{% endwith %}",
        "{% for k, v in customer.address | items %}{{ k }}{{ v }}{% include 'row' %}{% endfor %}",
    ] {
        let rendered = compile(source, &[("row", "{{ k }}")]).map(|template| template.render(&subject()));
        assert!(matches!(rendered, Ok(Rendered::Text(_))), "{source}: {rendered:?}");
    }
}

#[test]
fn what_jinja_users_write_works() {
    for (source, expected) in [
        ("{{ customer.first_name.strip().upper() }}", "ANN <3"),
        ("{{ customer.first_name.split()[0] }} {{ ', '.join(customer.tags) }}", "Ann a, b"),
        ("{% for k, v in customer.address.items() %}{{ k }}={{ v }}{% endfor %}", "city=Paris"),
        ("{{ customer.address.get('nope', 'x') }}", "x"),
        ("{{ '%.2f' % customer.price }} {{ '{:.1f}'.format(customer.n) }}", "12.50 5.0"),
        (
            "{{ now.strftime('%d.%m.%Y %H:%M') }} {{ now.year }} {{ now.isoformat() }}",
            "01.11.2026 12:00 2026 2026-11-01T12:00:00+00:00",
        ),
        ("{{ (now - timestamp('2026-10-30T10:00:00Z')).days }}", "2"),
        ("{{ now - timestamp('2026-10-30T10:00:00Z') }}", "2 days, 2:00:00"),
        (
            "{{ now + timedelta(days=1, hours=2) }} {{ now - timedelta(weeks=1) }}",
            "2026-11-02T14:00:00Z 2026-10-25T12:00:00Z",
        ),
        ("{{ 'late' if now - call.receivedAt > timedelta(minutes=5) else 'now' }}", "now"),
        (
            "{{ customer.nothing | default('x', boolean=true) }} {{ customer.tags | sort(true) | join }}",
            "x ba",
        ),
        (
            "{{ customer.tags | unique(true) | list }} {{ {'b': 1, 'A': 2} | dictsort(true) | first | first }}",
            "[\"a\", \"b\"] A",
        ),
        ("{{ 'a\nb' | indent('> ', true) }}", "> a\n> b"),
    ] {
        assert_eq!(render(source), Rendered::Text(expected.to_owned()), "{source}");
    }
    for source in
        ["{{ customer.first_name.strp() }}", "{{ now.strftme('%Y') }}", "{{ customer.tags.push(1) }}"]
    {
        let error = compile(source, &[]).unwrap_err().to_string();
        assert!(error.contains("there is no method"), "{source}: {error}");
    }
}

#[test]
fn a_value_is_spelled_in_one_way() {
    for (value, spelled) in [
        ("customer.whole", "5"),
        ("10 / 2", "5"),
        ("customer.price", "12.5"),
        ("customer.vip", "true"),
        ("customer.tags", "[\"a\", \"b\"]"),
        ("[1, none, true, 2.0]", "[1, null, true, 2]"),
        ("customer.address", "{\"city\": \"Paris\"}"),
        ("now", "2026-11-01T12:00:00Z"),
        ("none", ""),
    ] {
        for source in [
            format!("{{{{ {value} }}}}"),
            format!("{{{{ ({value}) ~ '' }}}}"),
            format!("{{{{ '' ~ ({value}) }}}}"),
            format!("{{{{ ({value}) | string }}}}"),
            format!("{{{{ [{value}] | join(',') }}}}"),
            format!("{{{{ ','.join([{value}]) }}}}"),
            format!("{{{{ '%s' | format({value}) }}}}"),
            format!("{{{{ '%s' % (({value}),) }}}}"),
            format!("{{% set x %}}{{{{ {value} }}}}{{% endset %}}{{{{ x }}}}"),
            format!("{{{{ [{value}] | map('string') | first }}}}"),
            format!("{{{{ ({value}) | trim }}}}"),
        ] {
            assert_eq!(render(&source), Rendered::Text(spelled.to_owned()), "{source}");
        }
    }
}

#[test]
fn a_missing_value_is_an_error_in_every_filter() {
    let scope = scope();
    for filter in
        crate::domain::expression::content_filters().filter(|name| !matches!(*name, "default" | "d"))
    {
        for escaping in [Escaping::None, Escaping::Html, Escaping::Json] {
            let source = format!("{{{{ customer.nope | {filter} }}}}");
            let template = Template::compile(&source, escaping, &scope, &BTreeMap::new());
            let template = template.unwrap_or_else(|error| panic!("{source}: {error}"));
            let Rendered::Failed(reason) = template.render(&subject()) else { panic!("{source}") };
            assert!(reason.contains("`customer.nope` is missing"), "{source}: {reason}");
        }
    }
    for source in [
        "{{ [1, customer.nope] }}",
        "{{ [1, customer.nope] | join(',') }}",
        "{{ [1, customer.nope] | sum }}",
        "{{ [1, customer.nope] | max }}",
        "{{ [{'a': 1}, {}] | sum(attribute='a') }}",
        "{{ [{'a': 1}, {}] | sort(attribute='a') }}",
        "{{ [{'a': 1}, {}] | map(attribute='a') | join(',') }}",
        "{{ {'a': customer.nope} }}",
        "{{ 'a' | replace('a', customer.nope) }}",
        "{{ '%s' % customer.nope }}",
        "{{ 1 - customer.nope }}",
        "{{ 'a'.replace('a', customer.nope) }}",
        "{{ customer.nope.strip() }}",
    ] {
        assert!(matches!(render(source), Rendered::Failed(_)), "{source}: {:?}", render(source));
    }
    assert_eq!(render("{{ customer.nope | default('x') | upper }}"), Rendered::Text("X".into()));
}

#[test]
fn html_escapes_what_html_needs_and_no_slash() {
    let html = |source: &str| Template::compile(source, Escaping::Html, &scope(), &BTreeMap::new()).unwrap();
    let rendered = html("<a href=\"{{ 'https://x.example/a?b=1&c=\"\\'<>' }}\">").render(&subject());
    assert_eq!(
        rendered,
        Rendered::Text("<a href=\"https://x.example/a?b=1&amp;c=&#34;&#39;&lt;&gt;\">".into())
    );
}

#[test]
fn what_repeats_itself_ends_while_it_is_written() {
    let doubled =
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}";
    for source in [
        format!("{doubled}{{{{ ns.x }}}}"),
        format!("{doubled}{{{{ ns.x | tojson }}}}"),
        format!("{doubled}{{{{ ns.x ~ '' }}}}"),
        format!("{doubled}{{{{ [ns.x] | join }}}}"),
        format!("{doubled}{{{{ ns.x | pprint }}}}"),
        "{{ 'x' | center(100000000000) }}".to_owned(),
        "{{ 'x'.ljust(100000000000) }}".to_owned(),
        "{{ ('a\n' * 10000) | indent(100000) }}".to_owned(),
    ] {
        assert!(matches!(render(&source), Rendered::Failed(_)), "{source}");
    }
}

#[test]
fn times_and_numbers_are_written_as_people_of_a_place_write_them() {
    for (source, expected) in [
        ("{{ now | datetime }}", "Nov 1, 2026, 12:00\u{202f}PM"),
        ("{{ now | datetime('long', zone='Europe/Vienna', locale='de') }}", "1. November 2026 um 13:00"),
        ("{{ now | datetime('short', 'America/New_York', 'en-US') }}", "11/1/26, 7:00\u{202f}AM"),
        ("{{ now | date('long', locale='fr') }} {{ now | time(locale='de') }}", "1 novembre 2026 12:00"),
        ("{{ now | datetime('%d.%m.%Y %H:%M', zone='Asia/Tokyo') }}", "01.11.2026 21:00"),
        ("{{ '2026-11-01' | date('%d.%m.%Y', zone='America/Lima') }}", "01.11.2026"),
        ("{{ '2026-11-01T00:30:00+02:00' | date('%d.%m.%Y') }}", "31.10.2026"),
        ("{{ 1793534400 | from_timestamp('%d/%m/%Y') }}", "01/11/2026"),
        (
            "{{ 1793534400 | from_timestamp('%H:%M', 'Europe/Prague') }} {{ now | format_time('%Y') }}",
            "13:00 2026",
        ),
        (
            "{{ 1234567.891 | number }} {{ 1234567.891 | number(2, locale='de') }}",
            "1,234,567.891 1.234.567,89",
        ),
        ("{{ customer.n | number(2) }} {{ '1234.5' | number(1, 'de-CH') }}", "5.00 1'234.5"),
        (
            "{{ customer.price | currency('EUR', 'de') }} {{ 1200 | currency('JPY') }}",
            "12,50\u{a0}EUR 1,200\u{a0}JPY",
        ),
        ("{{ ('{\"a\": [1, {\"b\": true}]}' | fromjson).a[1].b }}", "true"),
        (
            "{{ 'Order A-17' | regex_search('[A-Z]-([0-9]+)') }} {{ ('x' | regex_search('y')) or 'none' }}",
            "17 none",
        ),
        (
            "{{ '+43 1 23' | regex_replace('[^0-9+]', '') }} {{ 'ab' | regex_replace('(a)(b)', '\\\\2$1') }}",
            "+43123 ba",
        ),
    ] {
        assert_eq!(render(source), Rendered::Text(expected.to_owned()), "{source}");
    }
    for (source, what) in [
        ("{{ now | datetime(zone='Vienna') }}", "there is no time zone `Vienna`"),
        ("{{ now | datetime('huge') }}", "`datetime` knows no `huge`"),
        ("{{ now | date(locale='deutsch!') }}", "is no locale"),
        ("{{ 'soon' | date }}", "`soon` is no time"),
        ("{{ 'x' | number }}", "`x` is no number"),
        ("{{ 5 | currency('euro') }}", "takes a code such as `EUR`"),
        ("{{ '{' | fromjson }}", "the text is not JSON"),
        ("{{ 'x' | regex_search('(') }}", "is no regular expression"),
        ("{{ 'x' | regex_replace('(a|b){1000}{1000}', '') }}", "is no regular expression"),
    ] {
        let Rendered::Failed(reason) = render(source) else { panic!("{source}") };
        assert!(reason.contains(what), "{source}: {reason}");
    }
}

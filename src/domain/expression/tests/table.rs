//! One test for each row of the table of meanings.

use super::*;

#[test]
fn comparing_with_a_missing_value_or_another_kind_is_unknown() {
    // In Jinja each of these is true or an error.
    check(
        &json!({"n": "5", "b": true}),
        &[
            ("customer.age < 18", None),
            ("customer.age >= 18", None),
            ("customer.age == 18", None),
            ("customer.age != 18", None),
            ("customer.n > 18", None),
            ("customer.n != 18", None),
            ("customer.b == 1", None),
            ("18 > customer.age", None),
        ],
    );
}

#[test]
fn reasons_name_the_path_and_the_value() {
    let customer = customer(&json!({"age": "5"}));
    let reason = |source| match decide(source, &customer, &json!({})) {
        Truth::Unknown(reason) => reason.to_string(),
        known => panic!("{source} is {known:?}"),
    };
    assert_eq!(reason("customer.height < 18"), "customer.height is missing");
    assert!(reason("customer.age < 18").starts_with("customer.age is the text `5`"));
}

#[test]
fn in_a_list_is_membership_by_kind_and_value() {
    check(
        &json!({"a": 1, "tags": ["x", 1, true], "none": []}),
        &[
            ("customer.a in [1, 2]", Some(true)),
            ("customer.a in [1.0]", Some(true)),
            ("customer.a in ['1', true]", Some(false)),
            ("customer.a not in ['1', true]", Some(true)),
            ("customer.missing in [1]", None),
            ("customer.missing not in [1]", None),
            ("1 in customer.missing", None),
            ("'x' in customer.tags", Some(true)),
            ("'y' in customer.tags", Some(false)),
            ("'x' in customer.none", Some(false)),
            ("'x' in customer.a", None),
            ("customer.a in params.postcodes", None),
            ("customer.a in [customer.missing, 1]", Some(true)),
            ("customer.a in [customer.missing, 2]", None),
            ("customer.a not in [customer.missing, 2]", None),
        ],
    );
}

#[test]
fn an_element_that_is_null_keeps_its_place_and_equals_nothing() {
    check(
        &json!({"a": 1, "l": [null, 1, null], "same": [null, 1, null], "nulls": [null]}),
        &[
            ("customer.l | length == 3", Some(true)),
            ("customer.l[1] == 1", Some(true)),
            ("customer.l[0] is defined", Some(false)),
            ("customer.l[0] == 1", None),
            ("customer.l[2] | default(7) == 7", Some(true)),
            ("customer.a in customer.l", Some(true)),
            ("customer.a in customer.nulls", Some(false)),
            ("customer.a not in customer.nulls", Some(true)),
            ("customer.l == customer.same", Some(true)),
            ("customer.l == customer.nulls", Some(false)),
            ("customer.nulls", Some(true)),
        ],
    );
}

#[test]
fn in_a_text_is_a_substring_of_texts_only() {
    check(
        &json!({"a": "bc", "n": 5}),
        &[
            ("customer.a in 'abcd'", Some(true)),
            ("customer.a in 'xyz'", Some(false)),
            ("customer.n in '456'", None),
            ("customer.missing in '456'", None),
            ("'b' in customer.a", Some(true)),
            ("'b' in customer.n", None),
        ],
    );
}

#[test]
fn and_or_not_follow_kleene_in_either_order() {
    check(
        &json!({"t": true}),
        &[
            ("customer.t == true or customer.x < 1", Some(true)),
            ("customer.x < 1 or customer.t == true", Some(true)),
            ("customer.t == false and customer.x < 1", Some(false)),
            ("customer.x < 1 and customer.t == false", Some(false)),
            ("customer.t == true and customer.x < 1", None),
            ("customer.x < 1 or customer.t == false", None),
            ("not customer.x < 1", None),
            ("not (customer.x < 1 or customer.t == true)", Some(false)),
        ],
    );
}

#[test]
fn a_bare_value_has_jinjas_truth_and_missing_is_false() {
    check(
        &json!({"vip": true, "zero": 0, "empty": "", "none": [], "o": {}, "text": "x"}),
        &[
            ("customer.vip", Some(true)),
            ("customer.missing", Some(false)),
            ("not customer.missing", Some(true)),
            ("customer.zero", Some(false)),
            ("customer.empty", Some(false)),
            ("customer.none", Some(false)),
            ("customer.o", Some(false)),
            ("customer.text", Some(true)),
            ("customer.text.deeper.still", Some(false)),
        ],
    );
}

#[test]
fn defined_and_default_are_as_in_jinja() {
    check(
        &json!({"a": {"b": 1}, "t": "x", "z": 0}),
        &[
            ("customer.a.b is defined", Some(true)),
            ("customer.a.c is defined", Some(false)),
            ("customer.t.c.d is undefined", Some(true)),
            ("customer.missing.way.down is not defined", Some(true)),
            ("customer.missing.down | default(3) == 3", Some(true)),
            ("customer.a.b | default(3) == 1", Some(true)),
            ("customer.z | default(3) == 0", Some(true)),
            ("customer.z | default(3, true) == 3", Some(true)),
            ("customer['a']['b'] == 1", Some(true)),
        ],
    );
}

#[test]
fn comparing_with_none_is_an_error_that_names_is_defined() {
    for (source, meant) in [
        ("customer.age == none", "undefined"),
        ("none != customer.age", "defined"),
        ("customer.age != null", "defined"),
        ("nil == customer.age", "undefined"),
        ("customer.age != None", "defined"),
        ("customer.age is none", "undefined"),
        ("customer.age is not none", "defined"),
        ("not customer.age is null", "defined"),
    ] {
        let text = problems(source)[0].to_string();
        assert!(text.contains(&format!("write `customer.age is {meant}`")), "{source}: {text}");
    }
}

#[test]
fn text_order_is_by_code_point() {
    // A locale would put these the other way round; UTF-16 would order the last pair otherwise.
    check(
        &json!({"a": "Z", "b": "a", "c": "\u{ff5e}", "d": "\u{1f600}"}),
        &[
            ("customer.a < customer.b", Some(true)),
            ("customer.b < 'ä'", Some(true)),
            ("customer.c < customer.d", Some(true)),
        ],
    );
}

#[test]
fn numbers_compare_by_exact_value() {
    check(
        &json!({"big": 9007199254740993_i64, "half": 0.5, "zero": 0}),
        &[
            ("customer.big == 9007199254740992.0", Some(false)),
            ("customer.big > 9007199254740992.0", Some(true)),
            ("customer.big == 9007199254740993", Some(true)),
            ("customer.half == 0.50", Some(true)),
            ("customer.half > -1", Some(true)),
            ("customer.zero == -0.0", Some(true)),
        ],
    );
}

#[test]
fn chained_comparisons_hold_between_each_pair() {
    check(
        &json!({"age": 17}),
        &[
            ("13 <= customer.age < 18", Some(true)),
            ("18 <= customer.age < 65", Some(false)),
            ("18 <= customer.age < customer.missing", Some(false)),
            ("1 < customer.age != customer.missing", None),
        ],
    );
}

#[test]
fn kinds_convert_only_by_name_and_what_does_not_is_missing() {
    check(
        &json!({"n": "5", "when": "2026-10-01T00:00:00+02:00", "x": "five", "i": 5}),
        &[
            ("number(customer.n) == 5", Some(true)),
            ("number(customer.x) == 5", None),
            ("number(customer.x) is defined", Some(false)),
            ("text(customer.i) == '5'", Some(true)),
            ("timestamp(customer.when) < now", Some(true)),
            ("timestamp(customer.when) == timestamp('2026-09-30T22:00:00Z')", Some(true)),
            ("customer.when < now", None),
            ("number(customer.missing) > 1", None),
        ],
    );
}

#[test]
fn a_consent_never_given_has_its_categorys_default_else_false() {
    let mut ann = customer(&json!({}));
    check_customer(
        &ann,
        &json!({}),
        &[
            ("consents.mail", Some(true)),
            ("consents.sms", Some(false)),
            ("not consents.sms", Some(true)),
            ("consents.sms == false", Some(true)),
        ],
    );
    ann.consents = Arc::new([("mail".to_owned(), false), ("sms".to_owned(), true)].into());
    check_customer(&ann, &json!({}), &[("consents.mail", Some(false)), ("consents.sms", Some(true))]);
}

#[test]
fn an_error_in_a_filter_is_unknown_with_the_error_as_its_reason() {
    let ann = customer(&json!({"n": "x", "l": [1, 2]}));
    for source in
        ["customer.n | int == 5", "not customer.n | int", "customer.n + 5 > 3", "customer.l | upper | int"]
    {
        let truth = decide(source, &ann, &json!({}));
        assert!(matches!(truth, Truth::Unknown(Reason::Failed(_))), "{source}: {truth:?}");
    }
}

#[test]
fn a_value_is_spelled_as_in_a_message() {
    check(
        &json!({"n": 10.0, "vip": true, "tags": ["a", 1.0], "o": {"k": true}, "since": "2026-01-01"}),
        &[
            ("customer.n ~ '' == '10'", Some(true)),
            ("text(customer.n) == '10'", Some(true)),
            ("'x' ~ customer.n == 'x10'", Some(true)),
            ("(customer.n / 4) ~ '' == '2.5'", Some(true)),
            ("(customer.n / 2) ~ '' == '5'", Some(true)),
            ("customer.vip ~ '' == 'true'", Some(true)),
            ("customer.vip | string == text(customer.vip)", Some(true)),
            ("customer.tags | join('-') == 'a-1'", Some(true)),
            ("customer.tags ~ '' == '[\"a\", 1]'", Some(true)),
            ("customer.o | string == '{\"k\": true}'", Some(true)),
            ("'%.1f' % customer.n == '10.0'", Some(true)),
            ("customer.n - 3 == 7 and customer.n - (3 - 1) == 8 and customer.n - 3 - 1 == 6", Some(true)),
            ("customer.n % 3 == 1 and customer.n + 1 == 11", Some(true)),
            ("(now - timestamp(customer.since)) | string | length > 0", Some(true)),
            ("(now - timestamp(customer.since)).days > 300", Some(true)),
        ],
    );
}

#[test]
fn leaves_are_strict_about_what_is_missing() {
    check(
        &json!({"first": "Ann"}),
        &[
            ("(customer.first ~ customer.last) == 'Ann'", None),
            ("customer.last | lower", None),
            ("not customer.last | lower", None),
            ("customer.first | lower == 'ann'", Some(true)),
            ("customer.last | default('x') | upper == 'X'", Some(true)),
            ("customer.last is string", None),
            ("customer.first is string", Some(true)),
            ("customer.first is not number", Some(true)),
        ],
    );
}

#[test]
fn a_character_of_a_text_is_as_in_a_content() {
    check(
        &json!({"name": "Ännie", "o": {"names": ["Bo"]}, "n": 5}),
        &[
            ("customer.name[0] == 'Ä'", Some(true)),
            ("customer.name[-1] == 'e'", Some(true)),
            ("customer.name[0][0] == 'Ä'", Some(true)),
            ("customer.o.names[0][1] == 'o'", Some(true)),
            ("customer.name[9] is defined", Some(false)),
            ("customer.n[0] is defined", Some(false)),
        ],
    );
}

#[test]
fn a_customers_own_ids_are_texts_by_kind() {
    check(
        &json!({"id": "not this"}),
        &[
            ("ids.registered == 'ann'", Some(true)),
            ("ids['registered'] in ['ann', 'bob']", Some(true)),
            ("ids.registered != 'bob'", Some(true)),
            ("ids.registered is startingwith('a')", Some(true)),
            ("ids.cookie is defined", Some(false)),
            ("ids.cookie == 'x'", None),
        ],
    );
    let warned = problems("customer.ids.cookie == 'x'");
    assert!(warned[0].to_string().contains("write `ids.cookie`"), "{warned:?}");
    assert!(problems("customer_ids.registered == 'x'")[0].to_string().contains("`ids.registered`"));
    assert!(problems("ids == 'x'")[0].to_string().contains("name the kind of id"));
}

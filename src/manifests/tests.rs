//! What reading promises: values as kubectl reads them, and for each the place it was written at.

use serde_json::json;

use super::*;

fn read(text: &str) -> Manifests {
    read_stream("a.yaml", text.as_bytes()).unwrap()
}

fn messages(text: &str) -> Vec<String> {
    let manifests = read(text);
    let found = manifests.diagnostics.iter().cloned().chain(check(&manifests));
    found.map(|diagnostic| diagnostic.to_string()).collect()
}

/// The line and column of `needle` in a field's text, as `Diagnostic::within` finds them.
fn find(text: &str, field: &str, needle: &str) -> (usize, usize) {
    let manifests = read(text);
    let manifest = &manifests.objects[0];
    let value = manifest.object.pointer(&format!("/{}", field.replace('.', "/"))).unwrap().as_str().unwrap();
    let at = value.find(needle).unwrap();
    let diagnostic = Diagnostic::within(manifest.places.value(field), value, at..at + needle.len(), "here");
    (diagnostic.line, diagnostic.column)
}

fn config_map(data: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n{data}")
}

#[test]
fn a_part_of_a_scalar_is_found_however_it_was_written() {
    let cases = [
        ("  a: one two", (5, 10)),
        ("  a: 'it''s two'", (5, 13)),
        ("  a: \"\\u00e9\\\"x\\\" two\"", (5, 19)),
        ("  a: |\n    one\n      more\n    two\n", (8, 5)),
        ("  a: >-\n    one\n    two\n", (7, 5)),
        ("  a: >-\n\n    ünï\n\n\n    one two\n", (10, 9)),
        ("  a: one\n    more\n    two", (7, 5)),
        ("  a: \"one \\\n    two\"", (6, 5)),
        ("  a: &anchor two", (5, 14)),
        ("  a: |2-\n      x\n    two", (7, 5)),
    ];
    for (data, place) in cases {
        assert_eq!(find(&config_map(data), "data.a", "two"), place, "{data}");
    }
}

#[test]
fn a_diagnostic_shows_file_place_line_and_caret() {
    let text =
        "apiVersion: fanfare.dev/v1alpha1\nkind: ApiTrigger\nmetadata: {name: a}\nspec:\n  paramters: []\n";
    assert_eq!(
        messages(text),
        [concat!(
            "a.yaml:5:3: error: ApiTrigger default/a: spec.paramters: unknown field; did you mean `parameters`?\n",
            " 5 |   paramters: []\n",
            "   |   ^^^^^^^^^"
        )]
    );
}

#[test]
fn of_a_long_line_only_the_part_around_the_place_is_shown() {
    let text = format!("a: {}\u{fc} \"{}", "x".repeat(500), "y: ".repeat(200));
    let shown = messages(&text)[0].clone();
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[1].chars().count() < 200, "{shown}");
    let column = lines[2].chars().position(|c| c == '^').unwrap();
    assert_eq!(lines[1].chars().nth(column), Some(':'), "{shown}");
}

#[test]
fn one_broken_document_leaves_the_others() {
    let text = format!("{}\n---\na: {{{{ x }}}}, b\n---\n{}", config_map("  a: b"), config_map("  c: d"));
    let manifests = read(&text);
    assert_eq!(manifests.objects.len(), 2);
    assert_eq!(manifests.diagnostics.len(), 1);
    assert_eq!(manifests.diagnostics[0].line, 7);
}

#[test]
fn errors_of_unquoted_templates_and_expressions_name_the_remedy() {
    let cases = [
        ("a: {{ customer.city }}", "must be quoted"),
        ("a: {{ customer.city }}, come home", "must be quoted, or put into a block"),
        ("a: \"snowstorm\" == params.alert", "put the whole of it into other quotes"),
        ("a: {body: {{ x }}, b: c}", "must be quoted"),
        ("a: {if: f(x, \"y\"), else: End}", "with a comma"),
        ("a: Snow: {{ x }}", "a colon and a space"),
        ("a: @home", "must be quoted"),
    ];
    for (text, expected) in cases {
        let messages = messages(text);
        assert!(messages[0].contains(expected), "{text}: {messages:?}");
    }
}

#[test]
fn an_expression_cut_at_a_comma_names_the_comma() {
    let scenario = |audience: &str| {
        format!(
            "apiVersion: fanfare.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: a}}\nspec: {{audience: {audience}}}\n"
        )
    };
    for audience in [
        "{where: events(\"bought\", product=\"car\").count() > 0}",
        "{where: events(\"bought\", product, \"car\").count() > 0}",
        "{where: f(a, b) > 0}",
    ] {
        let messages = messages(&scenario(audience));
        assert!(
            messages.iter().all(|text| text.contains("a value with a comma")),
            "{audience}: {messages:?}"
        );
    }
    let typo = messages(&scenario("{were: \"x\"}"));
    assert!(typo[0].contains("did you mean `where`?"), "{typo:?}");
}

#[test]
fn aliases_and_merge_keys_are_read_as_kubectl_reads_them() {
    let text = config_map("  base: &b x\n  c: *b\n  <<: {d: one, e: two}\n  e: three\n");
    assert_eq!(
        read(&text).objects[0].object["data"],
        json!({"base": "x", "c": "x", "d": "one", "e": "three"})
    );
}

#[test]
fn what_aliases_expand_to_is_bounded() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        text += &format!("a{level}: &a{level} [{}]\n", before.trim_end_matches(", "));
    }
    assert!(messages(&text)[0].contains("aliases expanded"), "{:?}", messages(&text));
    assert!(messages("a: &a [*a]")[0].contains("within the value it names"));
}

#[test]
fn nesting_is_bounded() {
    assert!(messages(&"[".repeat(150))[0].contains("nested more than 100 deep"));
    assert!(messages(&"[".repeat(100_000))[0].contains("recursion limit"));
}

#[test]
fn a_key_written_twice_is_refused() {
    assert!(messages(&config_map("  a: b\n  a: c\n"))[0].contains("`a` stands twice"));
}

#[test]
fn a_list_is_read_as_its_items() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: x}\n  data: {k: 1}\n";
    let messages = messages(text);
    assert!(
        messages[0].starts_with("a.yaml:7:13: error: ConfigMap default/x: data.k: must be a text"),
        "{messages:?}"
    );
}

#[test]
fn nulls_are_left_out_and_defaults_filled_in() {
    let text = "apiVersion: fanfare.dev/v1alpha1\nkind: ApiTrigger\nmetadata: {name: a}\nspec: {forEach: , maxBodyBytes: ~}\n";
    let manifests = read(text);
    let spec = &manifests.objects[0].object["spec"];
    assert_eq!(spec, &json!({"maxBodyBytes": 1_048_576, "unknownFields": "Ignore"}));
    manifests.objects[0].spec::<crate::api::ApiTriggerSpec>().unwrap();
}

#[test]
fn an_object_written_twice_is_an_error() {
    let text = format!("{}\n---\n{}", config_map("  a: b"), config_map("  a: c"));
    assert!(messages(&text)[0].contains("also written in a.yaml:1"), "{:?}", messages(&text));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_reading_fail_badly(
        text in "([a-c]: |- |\n|\n  |\n    |[a-z]|[&*!|>%@]|\"|'|\\\\|[{}\\[\\],:#]|é|\t|---|<<: |\\{\\{ x \\}\\}|\\PC){0,40}",
        from in 0usize..40,
        length in 0usize..10,
    ) {
        let manifests = read(&format!("{}{text}", config_map("  a: ")));
        for diagnostic in manifests.diagnostics.iter().chain(&check(&manifests)) {
            proptest::prop_assert!(diagnostic.to_string().starts_with("a.yaml:"));
        }
        for manifest in &manifests.objects {
            let value = manifest.object["data"]["a"].as_str().unwrap_or_default();
            let found = Diagnostic::within(manifest.places.value("data.a"), value, from..from + length, "here");
            proptest::prop_assert!(found.line >= 1 && found.column >= 1);
        }
    }
}

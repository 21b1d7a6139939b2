//! The rules of parameters, each with what it lets pass and what it refuses.

use super::*;
use serde_json::json;

fn parameter(kind: ParameterKind) -> DeclaredParameter {
    DeclaredParameter {
        name: "p".into(),
        kind,
        required: true,
        default: None,
        allowed: None,
        pattern: None,
        minimum: None,
        maximum: None,
    }
}

fn refusal(parameter: &DeclaredParameter, json: &serde_json::Value) -> String {
    parameter.read(Raw::Json(json)).unwrap_err().to_string()
}

#[test]
fn a_required_parameter_is_missed_and_an_optional_one_is_not() {
    let mut declared = parameter(ParameterKind::String);
    assert_eq!(refusal(&declared, &json!(null)), "p: expected a text, found nothing");
    declared.required = false;
    assert_eq!(declared.read(Raw::Missing), Ok(None));
    declared.required = true;
    declared.default = Some(Value::text("x"));
    assert_eq!(declared.read(Raw::Missing), Ok(Some(Value::text("x"))));
}

#[test]
fn enum_is_of_the_value_and_for_a_list_of_its_elements() {
    let mut declared = parameter(ParameterKind::String);
    declared.allowed = Some(Allowed::new(vec![Value::text("flood"), Value::text("heat")]));
    assert_eq!(
        refusal(&declared, &json!("hail")),
        "p: expected one of \"flood\", \"heat\", found the text `hail`"
    );
    declared.kind = ParameterKind::List;
    assert!(declared.read(Raw::Json(&json!(["heat", "flood"]))).is_ok());
    assert!(refusal(&declared, &json!(["heat", "hail"])).contains("only elements of"));
}

#[test]
fn a_pattern_is_searched_and_bounds_are_exact() {
    let mut declared = parameter(ParameterKind::String);
    declared.pattern = Some(Pattern::new("^[0-9]{5}$", &mut PATTERNS_BYTES_MAX.to_owned()).unwrap());
    assert!(declared.read(Raw::Json(&json!("01234"))).is_ok());
    assert!(refusal(&declared, &json!("1234")).contains("^[0-9]{5}$"));

    let mut declared = parameter(ParameterKind::Number);
    declared.minimum = Some(Number::Integer(9_007_199_254_740_993));
    assert!(declared.read(Raw::Json(&json!(9_007_199_254_740_993_i64))).is_ok());
    assert!(refusal(&declared, &json!(9_007_199_254_740_992.0)).contains("at least 9007199254740993"));
}

#[test]
fn what_was_stored_comes_back_with_its_kinds() {
    let declared = [DeclaredParameter { name: "until".into(), ..parameter(ParameterKind::Timestamp) }];
    let value = declared[0].read(Raw::Json(&json!("2026-01-31T19:00:00+01:00"))).unwrap().unwrap();
    let params = Params::from_iter([("until".to_owned(), value)]);
    let stored = params_to_json(&params);
    assert_eq!(stored, r#"{"until":"2026-01-31T18:00:00Z"}"#);
    assert_eq!(params_from_stored(&declared, &serde_json::from_str(&stored).unwrap()), params);
}

#[test]
fn a_pattern_that_would_exhaust_memory_is_refused() {
    let mut left = PATTERNS_BYTES_MAX;
    assert!(Pattern::new("(((a{100}){100}){100})", &mut left).is_err());
    assert!(Pattern::new(&format!("{}a{}", "(".repeat(100), ")".repeat(100)), &mut left).is_err());
    assert_eq!(left, PATTERNS_BYTES_MAX);
    assert!((0..64).all(|_| Pattern::new("^[A-Z]{2}[0-9]{1,12}$", &mut left).is_ok()));
}

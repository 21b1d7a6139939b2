//! An expression that gives a value: a parameter's `from`, `forEach`, `deduplicate.by`, `expires.at`.

use std::sync::Arc;

use super::depends::EventTypes;
use super::evaluate::{Found, Steps, find, find_within};
use super::facts::Facts;
use super::parse;
use super::problem::{CompileError, ExpressionProblem};
use super::scope::Scope;
use super::tree::Term;
use super::truth::Reason;
use crate::domain::value::Value;

/// A compiled expression that gives a value. Comparisons in it follow the same table as conditions do; filters
/// that sort and compare are allowed.
#[derive(Debug, Clone)]
pub struct Expression {
    source: Arc<str>,
    term: Arc<Term>,
    warnings: Arc<[ExpressionProblem]>,
}

impl Expression {
    /// Compiles a source; an outer `{{ }}` is taken off.
    ///
    /// # Errors
    /// Names every part that is wrong, with its bytes in the source.
    pub fn compile(source: &str, scope: &Scope) -> Result<Self, CompileError> {
        let compiled = parse::value(source, scope)?;
        Ok(Expression {
            source: source.into(),
            term: Arc::new(compiled.tree),
            warnings: compiled.warnings.into(),
        })
    }

    /// The source, as its author wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What can be used but is probably not meant.
    pub fn warnings(&self) -> &[ExpressionProblem] {
        &self.warnings
    }

    /// The types of events it asks for.
    pub fn event_types(&self) -> EventTypes {
        let mut events = Vec::new();
        self.term.events(&mut events);
        EventTypes::of(&events)
    }

    pub(super) fn term(&self) -> &Term {
        &self.term
    }

    /// Gives the value; `None` is missing. A filter over something missing is missing too, and so is
    /// a comparison, a list or a choice with a missing part: `from: body.until | lower` and `from: body.until == "x"` are
    /// as absent as `body.until`.
    ///
    /// # Errors
    /// Why it cannot be told: a filter failed, or values of different kinds were compared.
    pub fn evaluate(&self, facts: Facts<'_>) -> Result<Option<Value>, Reason> {
        settled(find(&self.term, facts))
    }

    /// The same, with what is left of the steps that several evaluations share.
    ///
    /// # Errors
    /// Why it cannot be told; that it takes more steps than are left is one reason.
    pub fn evaluate_within(&self, facts: Facts<'_>, steps: &Steps) -> Result<Option<Value>, Reason> {
        settled(find_within(&self.term, facts, steps))
    }
}

fn settled(found: Found<'_>) -> Result<Option<Value>, Reason> {
    match found {
        Found::Value(value) => Ok(Some(value.into_owned())),
        Found::Missing(_) => Ok(None),
        // What cannot be told because a part of it is missing is as missing as that part.
        Found::Unknown(Reason::Missing(_)) => Ok(None),
        Found::Unknown(reason) => Err(reason),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::domain::expression::tests::{NOW, object};
    use crate::domain::expression::{Place, RequestFacts};

    fn evaluate(source: &str, body: &Json) -> Result<Option<Json>, String> {
        let request = RequestFacts {
            body: Value::from_json(body).unwrap(),
            headers: object(&json!({"x-event": "Storm"})),
            query: object(&json!({"region": "IL"})),
            item: None,
        };
        let scope = Scope::bare(Place::Request);
        let expression =
            Expression::compile(source, &scope).unwrap_or_else(|error| panic!("{source}: {error}"));
        let facts = Facts::of_request(&request, NOW.parse().unwrap());
        let value = expression.evaluate(facts).map_err(|reason| reason.to_string())?;
        Ok(value.map(|value| value.to_json()))
    }

    #[test]
    fn maps_a_request() {
        let body = json!({"properties": {"event": "Winter Storm", "n": null}, "l": [3, 1, 2], "s": "a;b"});
        let cases = [
            ("body.properties.event | lower", json!("winter storm")),
            ("{{ body.properties.event }}", json!("Winter Storm")),
            ("headers['X-Event'] ~ '/' ~ query.region", json!("Storm/IL")),
            ("body.l | sort | join(',')", json!("1,2,3")),
            ("body.s.missing or body.s | split(';')", json!(["a", "b"])),
            ("'snow' if 'Winter' in body.properties.event else 'other'", json!("snow")),
            ("body.l[-1]", json!(2)),
            ("body.l[1:]", json!([1, 2])),
            ("body.l[0] * 2 + 1", json!(7)),
            ("body", body_without_nulls()),
        ];
        for (source, expected) in cases {
            assert_eq!(evaluate(source, &body), Ok(Some(expected)), "{source}");
        }
    }

    fn body_without_nulls() -> Json {
        json!({"properties": {"event": "Winter Storm"}, "l": [3, 1, 2], "s": "a;b"})
    }

    #[test]
    fn what_is_absent_stays_absent_and_what_fails_says_why() {
        let body = json!({"a": null, "t": "x"});
        assert_eq!(evaluate("body.a", &body), Ok(None));
        assert_eq!(evaluate("body.a.b | lower", &body), Ok(None));
        assert!(evaluate("body.t | int", &body).unwrap_err().starts_with("body.t | int failed"));
        assert!(evaluate("'a' if body.t > 1 else 'b'", &body).unwrap_err().contains("the text `x`"));
    }

    #[test]
    fn a_missing_part_makes_the_whole_missing() {
        let body = json!({"there": 1, "text": "x"});
        for source in [
            "body.a == 'x'",
            "body.a != 'x'",
            "body.a > 1",
            "body.a in ['x']",
            "'x' in body.a",
            "'y' if body.a == 'x' else 'z'",
            "[body.a]",
            "[body.there, body.a]",
            "body.a + 1",
            "not body.a > 1",
            "body.there == 1 and body.a == 2",
            "body.a is startingwith('x')",
            "1 < body.a < 5",
            "number(body.a) > 1",
        ] {
            assert_eq!(evaluate(source, &body), Ok(None), "{source}");
        }
        for source in ["body.a is defined", "body.a is defined and body.a > 1"] {
            assert_eq!(evaluate(source, &body), Ok(Some(json!(false))), "{source}");
        }
        assert!(evaluate("body.text > 1", &body).is_err());
        assert!(evaluate("number(body.text) > 1", &body).is_err());
    }

    #[test]
    fn what_a_url_and_a_header_hold_are_texts() {
        let scope = Scope::bare(Place::Element);
        for (source, remedy) in [
            ("query.level > 5", "write `number(query.level)`"),
            ("5 < query['level']", "write `number(query['level'])`"),
            ("'a' if headers['X-Level'] == 5 else 'b'", "write `number(headers"),
            ("query.level in [1, 2]", "write the elements in quotes"),
            ("query.test == true", "compare `query.test` with a text, such as \"true\""),
            ("query.until < now", "write `timestamp(query.until)`"),
            ("query.tags == [1]", "write `query.tags in [1]`"),
        ] {
            let error = Expression::compile(source, &scope).expect_err(source).to_string();
            assert!(error.contains("this is never true") && error.contains(remedy), "{source}: {error}");
        }
        let ordered = Expression::compile("query.level > '18'", &scope).unwrap();
        assert!(ordered.warnings()[0].to_string().contains("`number(query.level) > 18`"));
        for right in
            ["query.level == '5'", "number(query.level) > 5", "headers['x-a'] in ['1']", "query.a > query.b"]
        {
            assert_eq!(Expression::compile(right, &scope).unwrap().warnings(), [], "{right}");
        }
    }

    #[test]
    fn sees_no_customer() {
        let scope = Scope::bare(Place::Request);
        for source in ["customer.age", "params.x", "events('a').count()", "abort('x')", "body.x | nope"] {
            assert!(Expression::compile(source, &scope).is_err(), "{source}");
        }
    }
}

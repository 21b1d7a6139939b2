//! The control API: what was received, and which faults are in force.
//!
//! `GET /sandbox/messages?protocol=&endpoint=&to=&after=&limit=` · `DELETE /sandbox/messages` ·
//! `GET /sandbox/stats` · `GET` and `PUT /sandbox/faults` with `{"rules": [{"protocol": "smtp", …}]}`.

use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::answer::{self, Body, problem};
use crate::sandbox::fault::Rule;
use crate::sandbox::inbox::Filter;
use crate::sandbox::state::SandboxState;

/// Rules in force at a time.
const RULES_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    rules: Vec<Rule>,
}

/// A rule with the number of messages it applied to.
#[derive(Serialize)]
struct InForce {
    #[serde(flatten)]
    rule: Rule,
    applied: u32,
}

pub(super) fn answer(state: &SandboxState, head: &Parts, body: &[u8]) -> Response<Body> {
    match (&head.method, head.uri.path()) {
        (&Method::GET, "/sandbox/messages") => messages(state, head.uri.query().unwrap_or("")),
        (&Method::DELETE, "/sandbox/messages") => {
            state.forget();
            answer::empty(StatusCode::NO_CONTENT)
        }
        (&Method::GET, "/sandbox/stats") => answer::json(StatusCode::OK, &state.stats()),
        (&Method::GET, "/sandbox/faults") => faults(state),
        (&Method::PUT, "/sandbox/faults") => set_faults(state, body),
        (_, "/sandbox/messages" | "/sandbox/stats" | "/sandbox/faults") => {
            problem(StatusCode::METHOD_NOT_ALLOWED, "the method is not one of this resource")
        }
        _ => problem(StatusCode::NOT_FOUND, "nothing is here; see `fanfare sandbox --help`"),
    }
}

fn messages(state: &SandboxState, query: &str) -> Response<Body> {
    match filter(query) {
        Ok(filter) => answer::json(StatusCode::OK, &state.messages(&filter)),
        Err(detail) => problem(StatusCode::BAD_REQUEST, &detail),
    }
}

fn filter(query: &str) -> Result<Filter, String> {
    let mut filter = Filter::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let number = || value.parse::<u64>().map_err(|_| format!("{name}: `{value}` is not a number"));
        match name.as_ref() {
            "protocol" => filter.protocol = Some(value.parse()?),
            "endpoint" => filter.endpoint = Some(value.into_owned()),
            "to" => filter.to = Some(value.into_owned()),
            "after" => filter.after = number()?,
            "limit" => filter.limit = usize::try_from(number()?).unwrap_or(usize::MAX),
            _ => {
                return Err(format!("`{name}` is not one of protocol, endpoint, to, after, limit"));
            }
        }
    }
    Ok(filter)
}

fn faults(state: &SandboxState) -> Response<Body> {
    let rules = state.faults().into_iter().map(|(rule, applied)| InForce { rule, applied });
    answer::json(StatusCode::OK, &serde_json::json!({"rules": rules.collect::<Vec<_>>()}))
}

fn set_faults(state: &SandboxState, body: &[u8]) -> Response<Body> {
    let rules = match serde_json::from_slice::<Rules>(body) {
        Ok(Rules { rules }) => rules,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    if rules.len() > RULES_MAX {
        return problem(StatusCode::BAD_REQUEST, "at most 1,000 rules");
    }
    if let Some(wrong) = rules.iter().find_map(Rule::problem) {
        return problem(StatusCode::BAD_REQUEST, &wrong);
    }
    state.set_faults(rules);
    answer::empty(StatusCode::NO_CONTENT)
}

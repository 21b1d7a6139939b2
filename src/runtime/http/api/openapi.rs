//! The description of all routes, by OpenAPI.

use std::sync::LazyLock;

use axum::Json;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::{calls, customers, deliveries, held, pauses, probes};
use crate::problem_details::ProblemBody;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Fanfare",
        description = "One call about something that happened in the world reaches every customer it concerns."
    ),
    paths(
        call_trigger,
        calls::list,
        calls::detail,
        deliveries::of_call,
        deliveries::list,
        held::resend,
        held::close,
        pauses::list,
        pauses::pause,
        pauses::resume,
        pauses::cancel,
        pauses::pause_runtime,
        pauses::resume_runtime,
        pauses::cancel_runtime,
        customers::post_customers,
        customers::post_events,
        customers::detail,
        document,
        probes::alive,
        probes::ready,
        probes::metrics,
    )
)]
struct Document;

/// This document.
#[utoipa::path(get, path = "/api/openapi.json", tag = "probes",
    responses((status = 200, description = "OpenAPI", body = serde_json::Value)))]
pub(super) async fn document() -> Json<&'static Value> {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(described);
    Json(&DOCUMENT)
}

/// The document, with what is true of all operations said of each.
fn described() -> Value {
    let mut document =
        serde_json::to_value(Document::openapi()).expect("a description holds only texts by text keys");
    let operations = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.iter_mut());
    for (path, methods) in operations {
        for operation in methods.as_object_mut().into_iter().flat_map(|methods| methods.values_mut()) {
            let takes_path = path.contains('{');
            let takes_body = operation.get("requestBody").is_some();
            if let Some(responses) = operation["responses"].as_object_mut() {
                complete(responses, takes_path, takes_body);
            }
        }
    }
    document
}

/// Adds the problems that any operation of its kind may answer, and says of all problems how they are sent.
fn complete(responses: &mut Map<String, Value>, takes_path: bool, takes_body: bool) {
    let of_kinds: [(bool, &[&str]); 3] = [
        (takes_body, &["400", "408", "413", "415"]),
        (takes_path, &["400", "404"]),
        (responses.contains_key("401"), &["429", "500", "503"]),
    ];
    for status in of_kinds.into_iter().filter(|(is_one, _)| *is_one).flat_map(|(_, statuses)| statuses) {
        let problem = json!({"$ref": "#/components/schemas/ProblemBody"});
        let content = json!({"application/json": {"schema": problem}});
        let code = StatusCode::from_bytes(status.as_bytes()).ok().and_then(|it| it.canonical_reason());
        let answer = json!({"description": code.unwrap_or_default(), "content": content});
        responses.entry((*status).to_owned()).or_insert(answer);
    }
    for answer in responses.values_mut() {
        let content = answer.get_mut("content").and_then(Value::as_object_mut);
        let Some(content) = content else { continue };
        let reference = &content.get("application/json").unwrap_or(&Value::Null)["schema"]["$ref"];
        if reference.as_str().is_some_and(|name| name.ends_with("/ProblemBody"))
            && let Some(problem) = content.remove("application/json")
        {
            content.insert("application/problem+json".to_owned(), problem);
        }
    }
}

/// Call a trigger: something happened in the world.
#[utoipa::path(post, path = "/in/{namespace}/{trigger}", tag = "calls",
    params(
        ("namespace" = String, Path, description = "The trigger's namespace"),
        ("trigger" = String, Path, description = "The trigger's name"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is answered as the first time, for 24 hours"),
    ),
    request_body(content = serde_json::Value, description = "JSON or a form, as the trigger declares"),
    responses(
        (status = 202, description = "The call is on disk: `{\"id\": …}`, with forEach also `calls`"),
        (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 405, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 429, body = ProblemBody), (status = 503, body = ProblemBody),
    ))]
#[expect(dead_code, reason = "the endpoint is served before the routes; here it is only described")]
fn call_trigger() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_described_by_their_words() {
        use crate::domain::state::{CallState, DeliveryState, RunState};
        let document = described();
        let schemas = &document["components"]["schemas"];
        let calls = json!(CallState::ALL.iter().map(|state| state.word()).collect::<Vec<_>>());
        assert_eq!(schemas["CallView"]["properties"]["status"]["enum"], calls);
        let runs = json!(RunState::ALL.iter().map(|state| state.word()).collect::<Vec<_>>());
        assert_eq!(schemas["RunView"]["properties"]["state"]["enum"], runs);
        let deliveries = json!(DeliveryState::ALL.iter().map(|state| state.word()).collect::<Vec<_>>());
        assert_eq!(schemas["DeliveryView"]["properties"]["state"]["enum"], deliveries);
        let parameters = document["paths"]["/api/v1/calls"]["get"]["parameters"].as_array().unwrap();
        let status = parameters.iter().find(|parameter| parameter["name"] == "status").unwrap();
        assert_eq!(status["schema"]["enum"], calls, "{status}");
        assert_eq!(status["required"], false, "{status}");
    }

    #[test]
    fn every_problem_is_described_as_it_is_sent() {
        let document = described();
        let mut problems = 0;
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let answers = operation["responses"].as_object().unwrap();
                for (status, answer) in answers {
                    let is_problem = answer.to_string().contains("ProblemBody");
                    let types =
                        answer["content"].as_object().map(|content| content.keys().collect::<Vec<_>>());
                    if is_problem {
                        assert_eq!(types.unwrap(), ["application/problem+json"], "{method} {path} {status}");
                        problems += 1;
                    }
                }
                let is_authenticated = answers.contains_key("401");
                assert!(!is_authenticated || answers.contains_key("429"), "{method} {path}");
                assert!(!path.contains('{') || answers.contains_key("400"), "{method} {path}");
                assert!(
                    operation.get("requestBody").is_none() || answers.contains_key("413"),
                    "{method} {path}"
                );
            }
        }
        assert!(problems > 100, "{problems}");
        let described = &document["components"]["schemas"]["ProblemBody"]["properties"];
        for field in ["type", "title", "status", "detail", "errors"] {
            assert!(described[field].is_object(), "{field}");
        }
    }
}

//! The webhook sink: takes any body at `POST /hooks/{name}` and answers 200.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode, header};

use super::answer::{self, Body, Hangup};
use crate::sandbox::message::{Protocol, ReceivedContent};
use crate::sandbox::state::SandboxState;

pub(super) async fn receive(
    state: &SandboxState,
    hook: &str,
    head: &Parts,
    body: Bytes,
) -> Result<Response<Body>, Hangup> {
    let to = [hook.to_owned()];
    let describe = || ReceivedContent {
        endpoint: hook.to_owned(),
        message_id: message_id(&head.headers),
        text: Some(String::from_utf8_lossy(&body).into_owned()),
        headers: headers(&head.headers),
        ..ReceivedContent::default()
    };
    let reply = state.receive(Protocol::Webhook, &to, describe).await;
    answer::tell(reply, || answer::empty(StatusCode::OK), answer::worded).await
}

/// What repeated attempts have in common: `webhook-id` (Standard Webhooks) or `Idempotency-Key`.
pub(super) fn message_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("webhook-id").or_else(|| headers.get("idempotency-key"))?;
    Some(String::from_utf8_lossy(id.as_bytes()).into_owned())
}

/// All headers but credentials.
pub(super) fn headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    headers
        .iter()
        .filter(|(name, _)| ![header::AUTHORIZATION, header::COOKIE].contains(name))
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}

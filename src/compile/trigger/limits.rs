//! Who may call, how often, how large and how late.

use std::time::Duration;

use super::{BasicSource, Deduplication, Expiry, Findings};
use crate::api::{ApiKeys, ApiTriggerSpec, DurationText, TriggerAuth};
use crate::compile::rotation_schedule;
use crate::domain::duration::duration_from_text;
use crate::domain::expression::{Place, Scope, TriggerScope};
use crate::domain::rate_window::RateLimit;

/// Where the trigger's own credentials come from, and whether shared keys are taken.
pub(super) fn access(auth: Option<&TriggerAuth>, findings: &mut Findings<'_>) -> (Option<BasicSource>, bool) {
    let Some(auth) = auth else { return (Some(BasicSource::Generated), true) };
    let api_keys = auth.api_keys == ApiKeys::Allowed;
    let basic = auth.basic.as_ref().map(|basic| match (&basic.secret_ref, basic.generate) {
        (Some(secret), None | Some(false)) => BasicSource::Secret(secret.name.clone()),
        (None, None | Some(true)) => BasicSource::Generated,
        (Some(_), Some(true)) | (None, Some(false)) => {
            findings.error("spec.auth.basic", "exactly one of generate: true and secretRef must be set");
            BasicSource::Generated
        }
    });
    let rotation = auth.basic.as_ref().and_then(|basic| basic.rotation.as_ref());
    if let Some(Err((field, message))) = rotation.map(rotation_schedule) {
        findings.error(format!("spec.auth.basic.rotation.{field}"), message);
    }
    if basic.is_none() && !api_keys {
        findings.error("spec.auth", "no call could get in: set basic, or apiKeys: Allowed");
    }
    (basic, api_keys)
}

pub(super) fn rate(spec: &ApiTriggerSpec, findings: &mut Findings<'_>) -> Option<RateLimit> {
    let window = spec.rate_window.as_ref()?;
    let per = length(&window.per, "spec.rateWindow.per", findings)?;
    let calls = u32::try_from(window.calls).ok().filter(|calls| *calls > 0);
    if calls.is_none() {
        findings.error("spec.rateWindow.calls", "must be at least 1");
    }
    Some(RateLimit { calls: calls?, per })
}

pub(super) fn deduplicate(
    spec: &ApiTriggerSpec,
    scope: &TriggerScope,
    findings: &mut Findings<'_>,
) -> Option<Deduplication> {
    let declared = spec.deduplicate.as_ref()?;
    let seen = admission(scope, findings);
    let by = findings.expression("spec.deduplicate.by", &declared.by, &seen);
    let within = length(&declared.within, "spec.deduplicate.within", findings);
    Some(Deduplication { by: by?, within: within? })
}

pub(super) fn expiry(
    spec: &ApiTriggerSpec,
    scope: &TriggerScope,
    findings: &mut Findings<'_>,
) -> Option<Expiry> {
    let expires = spec.expires.as_ref()?;
    match (&expires.after, &expires.at) {
        (Some(after), None) => length(after, "spec.expires.after", findings).map(Expiry::After),
        (None, Some(at)) => {
            let seen = admission(scope, findings);
            findings.expression("spec.expires.at", at, &seen).map(Expiry::At)
        }
        _ => {
            findings.error("spec.expires", "exactly one of after and at must be set");
            None
        }
    }
}

/// What `deduplicate.by` and `expires.at` see.
fn admission(scope: &TriggerScope, findings: &Findings<'_>) -> Scope {
    findings.scope(Place::Admission, vec![scope.clone()])
}

pub(super) fn body_bytes_max(spec: &ApiTriggerSpec, findings: &mut Findings<'_>) -> usize {
    match usize::try_from(spec.max_body_bytes) {
        Ok(bytes @ 1..) => bytes,
        _ => {
            findings.error("spec.maxBodyBytes", "must be at least 1");
            0
        }
    }
}

/// A length of time that is not none at all: nothing could ever be within it.
fn length(text: &DurationText, path: &str, findings: &mut Findings<'_>) -> Option<Duration> {
    match duration_from_text(&text.0) {
        Ok(Duration::ZERO) => {
            findings.error(path, "must be longer than nothing");
            None
        }
        Ok(length) => Some(length),
        Err(error) => {
            findings.error(path, error.to_string());
            None
        }
    }
}

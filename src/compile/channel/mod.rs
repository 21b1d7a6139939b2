//! A channel that can be connected: its provider, and how fast, how often and how long it tries. Without its secrets.

mod provider;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::confined::confined;
use super::problem::Severity;
use super::{ObjectKind, ObjectName, Problem, Problems, Sources};
use crate::api::{ChannelSpec, DurationText, OnUnknown};
use crate::domain::concurrency;
use crate::domain::duration::duration_from_text;
use crate::domain::name::ChannelName;

/// A channel's settings, without its secrets.
#[derive(Debug)]
pub struct CompiledChannel {
    /// Its name.
    pub name: ChannelName,
    /// As it was declared.
    pub spec: ChannelSpec,
    /// The kind of provider.
    pub kind: ChannelKind,
    /// Deliveries that may be opened and without an outcome at once, at each replica; `None` for as many as the
    /// concurrency makes useful.
    pub window: Option<u32>,
    /// Attempts that may be under way at once, at each replica; `None` for as many as the provider turns out to bear.
    pub concurrency: Option<u32>,
    /// Attempts a second over all replicas; `None` for as many as the provider takes.
    pub per_second: Option<u32>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Attempts in all, the first included; [`ATTEMPTS_UNCOUNTED`] where the manifest does not count them.
    pub attempts_max: u32,
    /// How long after the first attempt another may begin.
    pub retry_for: Duration,
    /// What becomes of a message of which it is unknown whether it was taken.
    pub on_unknown: OnUnknown,
}

/// The kinds of providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChannelKind {
    /// Mail.
    Smtp,
    /// Text messages.
    Twilio,
    /// HTTP requests.
    Webhook,
    /// Lines in the log.
    Log,
}

impl ChannelKind {
    /// What a channel of this kind does with unknowns unless its manifest says otherwise: it sends again where the
    /// receiver can tell a repetition, by Message-ID or `webhook-id`.
    pub fn on_unknown(self) -> OnUnknown {
        match self {
            ChannelKind::Smtp | ChannelKind::Webhook | ChannelKind::Log => OnUnknown::Resend,
            ChannelKind::Twilio => OnUnknown::Hold,
        }
    }

    /// How many attempts may at most be under way at once where the manifest does not say it.
    pub fn concurrency_max(self) -> usize {
        match self {
            ChannelKind::Smtp => MAIL_CONNECTIONS,
            ChannelKind::Twilio | ChannelKind::Webhook => concurrency::CEILING,
            // A line is written before the next one begins.
            ChannelKind::Log => concurrency::START,
        }
    }
}

/// Postfix takes 50 connections of one client at once (`smtpd_client_connection_count_limit`, postconf(5)), other mail servers
/// fewer; two replicas may be one client to it, and leave it some.
const MAIL_CONNECTIONS: usize = 20;
const TIMEOUT: Duration = Duration::from_secs(30);
/// Time alone, `retry.for`, bounds the attempts of what was certainly not taken.
pub const ATTEMPTS_UNCOUNTED: u32 = u32::MAX;
const RETRY_FOR: Duration = Duration::from_secs(3600);

pub(super) fn compile_all(
    sources: &Sources,
    problems: &mut Problems,
) -> BTreeMap<ChannelName, Arc<CompiledChannel>> {
    let mut compiled = BTreeMap::new();
    for (name, spec) in &sources.channels {
        let object = ObjectName { kind: ObjectKind::Channel, name: name.clone() };
        let channel = confined(&object, problems, |problems| {
            compile(name, spec, &mut Findings { object: object.clone(), problems })
        });
        if let Some(channel) = channel.flatten().filter(|_| !problems.has_errors(&object)) {
            compiled.insert(channel.name.clone(), Arc::new(channel));
        }
    }
    compiled
}

fn compile(name: &str, spec: &ChannelSpec, findings: &mut Findings<'_>) -> Option<CompiledChannel> {
    let kind = provider::kind(spec, findings);
    let rate = spec.rate.unwrap_or_default();
    let retry = spec.retry.clone().unwrap_or_default();
    let kind = kind?;
    Some(CompiledChannel {
        name: ChannelName::new(name),
        spec: spec.clone(),
        kind,
        window: spec.window.map(|window| findings.count(window, "spec.window")),
        concurrency: rate.concurrency.map(|count| findings.count(count, "spec.rate.concurrency")),
        per_second: rate.per_second.map(|rate| findings.count(rate, "spec.rate.perSecond")),
        timeout: findings.length_or(spec.timeout.as_ref(), TIMEOUT, "spec.timeout"),
        attempts_max: findings.count_or(retry.attempts, ATTEMPTS_UNCOUNTED, "spec.retry.attempts"),
        retry_for: findings.length_or(retry.r#for.as_ref(), RETRY_FOR, "spec.retry.for"),
        on_unknown: spec.on_unknown.unwrap_or(kind.on_unknown()),
    })
}

/// What one channel's compilation says is wrong.
struct Findings<'a> {
    object: ObjectName,
    problems: &'a mut Problems,
}

impl Findings<'_> {
    fn error(&mut self, path: &str, message: impl Into<String>) {
        let (object, path, message) = (self.object.clone(), path.into(), message.into());
        self.problems.push(Problem { object, path, span: None, severity: Severity::Error, message });
    }

    fn count(&mut self, number: i32, path: &str) -> u32 {
        u32::try_from(number).ok().filter(|count| *count > 0).unwrap_or_else(|| {
            self.error(path, "must be at least 1");
            1
        })
    }

    fn count_or(&mut self, number: Option<i32>, or: u32, path: &str) -> u32 {
        number.map_or(or, |number| self.count(number, path))
    }

    fn length_or(&mut self, text: Option<&DurationText>, or: Duration, path: &str) -> Duration {
        let Some(text) = text else { return or };
        match duration_from_text(&text.0) {
            Ok(Duration::ZERO) => self.error(path, "must be longer than nothing"),
            Ok(length) => return length,
            Err(error) => self.error(path, error.to_string()),
        }
        or
    }
}

#[cfg(test)]
mod tests;

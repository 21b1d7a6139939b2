//! Which provider a channel names, and whether its address and sender are ones.

use super::{ChannelKind, Findings};
use crate::api::{ChannelSpec, Smtp, Webhook};
use crate::domain::address_range::never_allowed;
use crate::domain::mail_address::Mailbox;

/// The one kind that is set; everything that is wrong with it is found.
pub(super) fn kind(spec: &ChannelSpec, findings: &mut Findings<'_>) -> Option<ChannelKind> {
    let ChannelSpec { smtp, twilio, webhook, log, .. } = spec;
    match (smtp, twilio, webhook, log) {
        (Some(smtp), None, None, None) => {
            check_smtp(smtp, findings);
            Some(ChannelKind::Smtp)
        }
        (None, Some(twilio), None, None) => {
            if let Some(url) = &twilio.base_url {
                check_url("spec.twilio.baseUrl", url, "spec.twilio.authToken", findings);
            }
            Some(ChannelKind::Twilio)
        }
        (None, None, Some(webhook), None) => {
            check_url("spec.webhook.url", &webhook.url, "spec.webhook.authorizationRef", findings);
            check_webhook_headers(webhook, findings);
            Some(ChannelKind::Webhook)
        }
        (None, None, None, Some(_)) => Some(ChannelKind::Log),
        _ => {
            findings.error("spec", "exactly one of smtp, twilio, webhook and log must be set");
            None
        }
    }
}

fn check_smtp(smtp: &Smtp, findings: &mut Findings<'_>) {
    if let Err(error) = Mailbox::parse(&smtp.from) {
        findings.error("spec.smtp.from", error.to_string());
    }
    if let Some(Err(error)) = smtp.reply_to.as_deref().map(Mailbox::parse) {
        findings.error("spec.smtp.replyTo", error.to_string());
    }
    if smtp.port.is_some_and(|port| u16::try_from(port).map_or(true, |port| port == 0)) {
        findings.error("spec.smtp.port", "must be from 1 to 65535");
    }
    check_host("spec.smtp.host", &smtp.host, findings);
    for (place, header) in smtp.headers.iter().enumerate() {
        let path = format!("spec.smtp.headers[{place}]");
        if is_of_mail(&header.name) {
            let message = "is written by Fanfare or by mail servers; the sender is spec.smtp.from, and where \
                           answers go spec.smtp.replyTo";
            findings.error(&path, message);
        }
        let names = smtp.headers.iter().map(|header| header.name.as_str());
        check_header(&path, place, names, &header.value, findings);
    }
}

fn check_webhook_headers(webhook: &Webhook, findings: &mut Findings<'_>) {
    for (place, header) in webhook.headers.iter().enumerate() {
        let path = format!("spec.webhook.headers[{place}]");
        if is_of_requests(&header.name) {
            let message = "is written by Fanfare, or is about the connection; Authorization comes from \
                           spec.webhook.authorizationRef";
            findings.error(&path, message);
        }
        let names = webhook.headers.iter().map(|header| header.name.as_str());
        check_header(&path, place, names, &header.value, findings);
    }
}

/// Names are the same whatever their case, and what stands in a value could begin another header.
fn check_header<'a>(
    path: &str,
    place: usize,
    mut names: impl Iterator<Item = &'a str> + Clone,
    value: &str,
    findings: &mut Findings<'_>,
) {
    let name = names.clone().nth(place).unwrap_or_default();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        findings.error(&format!("{path}.name"), format!("`{}` is not a header's name", name.escape_debug()));
    }
    if names.position(|other| other.eq_ignore_ascii_case(name)).is_some_and(|first| first < place) {
        findings.error(&format!("{path}.name"), format!("the header {name} is there twice"));
    }
    if value.is_empty() || value.trim() != value || !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        findings
            .error(&format!("{path}.value"), "must be one line of printable ASCII without spaces around it");
    }
    if value.contains("{{") || value.contains("{%") {
        findings.error(&format!("{path}.value"), "takes no template: it is the same for every message");
    }
}

/// Header fields of a mail that Fanfare or mail servers write (RFC 5322, 3.6; RFC 2045; RFC 6376; RFC 8601).
fn is_of_mail(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "from",
        "sender",
        "to",
        "cc",
        "bcc",
        "reply-to",
        "subject",
        "date",
        "message-id",
        "mime-version",
        "return-path",
        "received",
        "dkim-signature",
        "authentication-results",
    ];
    let name = name.to_ascii_lowercase();
    let begins = |with: &str| name.starts_with(with);
    NAMES.contains(&name.as_str()) || ["content-", "resent-", "arc-"].into_iter().any(begins)
}

/// Header fields of a request that Fanfare writes, or that are about the connection (RFC 9110, 7.6.1).
fn is_of_requests(name: &str) -> bool {
    const NAMES: [&str; 16] = [
        "authorization",
        "connection",
        "content-length",
        "content-encoding",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "traceparent",
        "tracestate",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    ];
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || name.starts_with("proxy-")
}

fn check_url(path: &str, text: &str, secrets: &str, findings: &mut Findings<'_>) {
    if text.contains("{{") || text.contains("{%") {
        return findings.error(
            path,
            "takes no template: it is the same for every message; write what differs by customer into the \
             message's body",
        );
    }
    match url::Url::parse(text) {
        Err(error) => findings.error(path, format!("`{text}` is not a URL: {error}")),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            findings.error(path, format!("`{text}` must begin with https:// or http://"));
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => findings.error(
            path,
            format!("must not contain a username or password; put them into a Secret that {secrets} names"),
        ),
        Ok(url) => check_host(path, url.host_str().unwrap_or_default(), findings),
    }
}

fn check_host(path: &str, host: &str, findings: &mut Findings<'_>) {
    if let Some(range) = never_allowed(host) {
        findings.error(path, format!("`{host}` is {range}; channels never connect there"));
    }
}

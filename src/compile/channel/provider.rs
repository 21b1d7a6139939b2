//! Which provider a channel names, and whether its address and sender are ones.

use super::{ChannelKind, Findings};
use crate::api::{ChannelSpec, Smtp};
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
                check_url("spec.twilio.baseUrl", url, findings);
            }
            Some(ChannelKind::Twilio)
        }
        (None, None, Some(webhook), None) => {
            check_url("spec.webhook.url", &webhook.url, findings);
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
    if smtp.port.is_some_and(|port| u16::try_from(port).map_or(true, |port| port == 0)) {
        findings.error("spec.smtp.port", "must be from 1 to 65535");
    }
}

fn check_url(path: &str, text: &str, findings: &mut Findings<'_>) {
    match url::Url::parse(text) {
        Err(error) => findings.error(path, format!("`{text}` is not a URL: {error}")),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            findings.error(path, format!("`{text}` must begin with https:// or http://"));
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            findings.error(path, "must not contain a username or password; use a Secret");
        }
        Ok(_) => {}
    }
}

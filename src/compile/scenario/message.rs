//! A message node: its channel, its consent, its address and what it says.

use super::super::{ObjectKind, Sources};
use super::content::{Contents, Place};
use super::report::Report;
use super::scope::missing;
use crate::api::{ChannelSpec, EmailContent, MessageNode, SmsAddresses};
use crate::domain::expression::Scope;
use crate::domain::flow::{ContentTemplates, FlowMessage, Numbers};
use crate::domain::name::ChannelName;
use crate::domain::render::{Escaping, Samples};
use crate::domain::sms;

/// What a message says that needs no consent.
const NO_CONSENT: &str = "None";

pub(super) fn compile(
    declared: &MessageNode,
    path: &str,
    sources: &Sources,
    (scope, samples): (&Scope, &Samples),
    report: &mut Report<'_>,
) -> Option<FlowMessage> {
    let mut contents = Contents { sources, scope, samples, report };
    let content = content(declared, path, &mut contents);
    let to = declared.to.as_deref().map(|to| contents.inline(&format!("{path}.to"), to, Escaping::None));
    check_channel(declared, path, sources, report);
    let to = match to {
        Some(to) => Some(to?),
        None => None,
    };
    let asked = sources.runtime.as_ref().and_then(|runtime| runtime.sms_addresses);
    Some(FlowMessage {
        numbers: match (asked, &declared.sms) {
            (Some(SmsAddresses::E164), Some(_)) => Numbers::E164(scope.local.region),
            _ => Numbers::AsWritten,
        },
        channel: ChannelName::new(declared.channel_ref.name.as_str()),
        consent: (declared.consent != NO_CONSENT).then(|| declared.consent.clone()),
        to,
        content: content?,
    })
}

fn content(
    declared: &MessageNode,
    path: &str,
    contents: &mut Contents<'_, '_, '_>,
) -> Option<ContentTemplates> {
    let place =
        |member: &'static str, field: &'static str| Place { path, member, field, escaping: Escaping::None };
    match (&declared.sms, &declared.email, &declared.webhook, &declared.log) {
        (Some(sms), None, None, None) => {
            let body = contents.one(&place("sms", "body"), sms.body.as_deref(), sms.body_from.as_ref())?;
            if let Some(reason) = sms::too_long(&body.literal_text()) {
                return contents.report.refuse(format!("{path}.sms"), reason);
            }
            Some(ContentTemplates::Sms { body })
        }
        (None, Some(email), None, None) => mail(email, path, contents),
        (None, None, Some(webhook), None) => {
            let from = webhook.body_from.as_ref();
            let place = Place { escaping: Escaping::Json, ..place("webhook", "body") };
            let body = contents.one(&place, webhook.body.as_deref(), from)?;
            Some(ContentTemplates::Webhook { body })
        }
        (None, None, None, Some(log)) => {
            let text = contents.one(&place("log", "text"), log.text.as_deref(), log.text_from.as_ref())?;
            Some(ContentTemplates::Log { text })
        }
        _ => contents.report.refuse(path, "exactly one of sms, email, webhook and log must be set"),
    }
}

fn mail(email: &EmailContent, path: &str, contents: &mut Contents<'_, '_, '_>) -> Option<ContentTemplates> {
    let subject = contents.inline(&format!("{path}.email.subject"), &email.subject, Escaping::None);
    let plain = Place { path, member: "email", field: "text", escaping: Escaping::None };
    let html = Place { path, member: "email", field: "html", escaping: Escaping::Html };
    let text = contents.optional(&plain, email.text.as_deref(), email.text_from.as_ref());
    let html = contents.optional(&html, email.html.as_deref(), email.html_from.as_ref());
    let (text, html) = (text?, html?);
    if text.is_none() && html.is_none() {
        return contents
            .report
            .refuse(format!("{path}.email"), "a mail needs text, textFrom, html or htmlFrom");
    }
    Some(ContentTemplates::Email { subject: subject?, text, html })
}

/// A channel carries one kind of message.
fn check_channel(declared: &MessageNode, path: &str, sources: &Sources, report: &mut Report<'_>) {
    let name = &declared.channel_ref.name;
    let path = format!("{path}.channelRef.name");
    let Some(channel) = sources.channels.get(name) else {
        let message =
            missing(sources, ObjectKind::Channel, name, sources.channels.keys().map(String::as_str));
        let _: Option<()> = report.refuse(path, message);
        return;
    };
    let Some((provider, carried)) = carried(channel) else { return };
    let said = said(declared);
    if said.len() == 1 && !said.contains(&carried) {
        let said = said[0];
        let message =
            format!("the channel {name} is {provider} and carries {carried}, but the message is {said}");
        let _: Option<()> = report.refuse(path, message);
    }
}

fn carried(channel: &ChannelSpec) -> Option<(&'static str, &'static str)> {
    match (&channel.smtp, &channel.twilio, &channel.webhook, &channel.log) {
        (Some(_), None, None, None) => Some(("smtp", "email")),
        (None, Some(_), None, None) => Some(("twilio", "sms")),
        (None, None, Some(_), None) => Some(("webhook", "webhook")),
        (None, None, None, Some(_)) => Some(("log", "log")),
        // The channel itself is told of this.
        _ => None,
    }
}

fn said(declared: &MessageNode) -> Vec<&'static str> {
    let members = [
        ("sms", declared.sms.is_some()),
        ("email", declared.email.is_some()),
        ("webhook", declared.webhook.is_some()),
        ("log", declared.log.is_some()),
    ];
    members.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect()
}

//! Writing one message for one customer: consent, address, content, in this order.

use super::message::{ContentTemplates, FlowMessage, Numbers};
use crate::domain::content::Content;
use crate::domain::permit::{Permit, PermitFacts, permit};
use crate::domain::phone::{self, Region};
use crate::domain::render::{Rendered, Subject, Template};
use crate::domain::sms;
use crate::domain::time_budget::TAKES_TOO_LONG;
use crate::domain::value::{Number, Value};

/// How much of an address that cannot be read stands in the reason.
const ADDRESS_SHOWN_CHARS_MAX: usize = 40;

const WHATSAPP: &str = "whatsapp:";
/// A line of a mail has at most 998 characters (RFC 5322, 2.1.1); a subject that needs more is none.
const SUBJECT_BYTES_MAX: usize = 998;
/// The longest body of a webhook: what Amazon SNS, EventBridge and SQS take.
const WEBHOOK_BODY_BYTES_MAX: usize = 256 * 1024;
/// The longest line of the log: what Kubernetes keeps in one piece (CRI cuts lines at 16 KiB).
const LOG_TEXT_BYTES_MAX: usize = 16 * 1024;
/// The longest address; those of mail have 254 characters (RFC 5321, 4.5.3.1.3).
const ADDRESS_BYTES_MAX: usize = 1024;

/// A message for one customer, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Composed {
    /// It can be sent.
    Ready {
        /// The address; empty for kinds that need none.
        address: String,
        /// What it says.
        text: Content,
    },
    /// This customer gets none, and why.
    Skipped(String),
}

/// Writes a message.
pub fn compose(message: &FlowMessage, subject: &Subject) -> Composed {
    match ready(message, subject) {
        Ok((address, text)) => Composed::Ready { address, text },
        Err(reason) => Composed::Skipped(reason),
    }
}

fn ready(message: &FlowMessage, subject: &Subject) -> Result<(String, Content), String> {
    let consent = message.consent_of(&subject.customer, &subject.call.consent_defaults);
    allowed(&PermitFacts { consent, ..PermitFacts::default() })?;
    let address = address(message, subject)?;
    allowed(&PermitFacts { lacks_address: address.is_none(), consent, ..PermitFacts::default() })?;
    let address = address.unwrap_or_default();
    let text = match &message.content {
        ContentTemplates::Sms { body } => {
            let body = sms::with_plain_spaces(rendered("body", body, subject)?);
            if let Some(reason) = sms::too_long(&body) {
                return Err(reason);
            }
            Content::Sms { body }
        }
        ContentTemplates::Webhook { body } => Content::Webhook {
            body: at_most(WEBHOOK_BODY_BYTES_MAX, "body", rendered("body", body, subject)?)?,
        },
        ContentTemplates::Log { text } => {
            Content::Log { text: at_most(LOG_TEXT_BYTES_MAX, "text", rendered("text", text, subject)?)? }
        }
        ContentTemplates::Email { subject: line, text, html } => {
            let part = |name: &str, part: &Option<Template>| {
                part.as_ref().map(|template| rendered(name, template, subject)).transpose()
            };
            Content::Email {
                subject: at_most(
                    SUBJECT_BYTES_MAX,
                    "subject",
                    one_line(&rendered("subject", line, subject)?),
                )?,
                text: part("text", text)?,
                html: part("html", html)?,
            }
        }
    };
    match says_nothing(&text) {
        true => Err("the text is empty".to_owned()),
        false => Ok((address, text)),
    }
}

/// Whether nobody could read anything in it. A webhook's body is JSON, which is never empty.
fn says_nothing(text: &Content) -> bool {
    let is_blank = |text: &str| text.trim().is_empty();
    match text {
        Content::Sms { body: text } | Content::Log { text } => is_blank(text),
        Content::Email { text, html, .. } => text.iter().chain(html).all(|part| is_blank(part)),
        Content::Webhook { .. } => false,
    }
}

fn allowed(facts: &PermitFacts<'_>) -> Result<(), String> {
    match permit(facts) {
        Permit::Skip(reason) => Err(reason.to_string()),
        Permit::Send | Permit::WaitUntil(..) => Ok(()),
    }
}

/// The address; empty where none is needed, and `None` where there is none.
fn address(message: &FlowMessage, subject: &Subject) -> Result<Option<String>, String> {
    let address = match (&message.to, message.content.address_attribute()) {
        (Some(to), _) => at_most(ADDRESS_BYTES_MAX, "to", rendered("to", to, subject)?)?,
        (None, None) => return Ok(Some(String::new())),
        (None, Some(attribute)) => match subject.customer.attributes.get(attribute) {
            Some(Value::Text(text)) => text.to_string(),
            // A phone number that a CRM keeps as a number.
            Some(Value::Number(Number::Integer(number))) => number.to_string(),
            _ => String::new(),
        },
    };
    match (address.trim(), message.content.address_attribute()) {
        ("", Some(_)) => Ok(None),
        (address, _) => match message.numbers {
            Numbers::AsWritten => Ok(Some(address.to_owned())),
            Numbers::E164(region) => number(address, region).map(Some),
        },
    }
}

/// The address as E.164. Twilio sends what is addressed to `whatsapp:+43…` by WhatsApp.
fn number(address: &str, region: Option<Region>) -> Result<String, String> {
    let (prefix, written) = match address.strip_prefix(WHATSAPP) {
        Some(written) => (WHATSAPP, written),
        None => ("", address),
    };
    match phone::e164(written, region) {
        Ok(number) => Ok(format!("{prefix}{number}")),
        Err(reason) => Err(format!("`{}` is no phone number: {reason}", shortened(address))),
    }
}

fn shortened(address: &str) -> &str {
    address.char_indices().nth(ADDRESS_SHOWN_CHARS_MAX).map_or(address, |(end, _)| &address[..end])
}

/// A part that is longer than its kind may be is not cut: what is left might say the contrary.
fn at_most(bytes_max: usize, part: &str, text: String) -> Result<String, String> {
    match text.len() {
        bytes if bytes > bytes_max => Err(format!("{part} is longer than {bytes_max} bytes: it has {bytes}")),
        _ => Ok(text),
    }
}

fn rendered(part: &str, template: &Template, subject: &Subject) -> Result<String, String> {
    if subject.time.is_used_up() {
        return Err(format!("{part} cannot be written: {TAKES_TOO_LONG}"));
    }
    match template.render(subject) {
        Rendered::Text(text) => Ok(text),
        Rendered::Aborted(reason) => Err(format!("aborted: {reason}")),
        Rendered::Failed(reason) => Err(format!("{part} cannot be written: {reason}")),
    }
}

/// A header is one line of printable text: a line break that a customer's attribute brings along must not add another,
/// and a tab in it is no reason not to write to them.
fn one_line(text: &str) -> String {
    text.split(char::is_control).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

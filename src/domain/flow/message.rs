//! What a message node sends, before and after it is written for a customer.

use std::collections::BTreeMap;

use crate::domain::customer::Customer;
use crate::domain::name::ChannelName;
use crate::domain::permit::Consent;
use crate::domain::phone::Region;
use crate::domain::render::Template;

/// A message node.
#[derive(Debug, Clone)]
pub struct FlowMessage {
    /// The channel it leaves through.
    pub channel: ChannelName,
    /// The category of consent the customer must have given; `None` if it needs none.
    pub consent: Option<String>,
    /// The address; `None` for the attribute that the channel's kind implies.
    pub to: Option<Template>,
    /// How a telephone number is given to the provider.
    pub numbers: Numbers,
    /// What it says.
    pub content: ContentTemplates,
}

/// How a telephone number is given to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Numbers {
    /// As it stands.
    #[default]
    AsWritten,
    /// As E.164. One without a country code belongs to the region; without one it cannot be read.
    E164(Option<Region>),
}

/// What a message says, as templates.
#[derive(Debug, Clone)]
pub enum ContentTemplates {
    /// A text message.
    Sms {
        /// The text.
        body: Template,
    },
    /// A mail: text, HTML or both.
    Email {
        /// The subject.
        subject: Template,
        /// The plain text.
        text: Option<Template>,
        /// The HTML page.
        html: Option<Template>,
    },
    /// A request to a webhook.
    Webhook {
        /// The JSON body.
        body: Template,
    },
    /// A line in the log.
    Log {
        /// The line.
        text: Template,
    },
}
impl ContentTemplates {
    /// The attribute that holds the address for this kind of message; `None` if it needs no address.
    pub fn address_attribute(&self) -> Option<&'static str> {
        match self {
            ContentTemplates::Sms { .. } => Some("phone"),
            ContentTemplates::Email { .. } => Some("email"),
            ContentTemplates::Webhook { .. } | ContentTemplates::Log { .. } => None,
        }
    }
}

impl FlowMessage {
    /// The consent that the customer must have given, where these are the defaults by category; `None` if it needs none.
    pub fn consent_of(&self, customer: &Customer, defaults: &BTreeMap<String, bool>) -> Option<Consent<'_>> {
        self.consent.as_deref().map(|category| Consent::of(customer, category, defaults))
    }

    /// Every template of it.
    pub fn templates(&self) -> Vec<&Template> {
        let mut templates: Vec<&Template> = self.to.iter().collect();
        match &self.content {
            ContentTemplates::Sms { body } | ContentTemplates::Webhook { body } => templates.push(body),
            ContentTemplates::Log { text } => templates.push(text),
            ContentTemplates::Email { subject, text, html } => {
                templates.push(subject);
                templates.extend(text);
                templates.extend(html);
            }
        }
        templates
    }
}

//! What a message says, written for one customer.

/// What a message says to one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A text message.
    Sms {
        /// The text.
        body: String,
    },
    /// A mail: text, HTML or both.
    Email {
        /// The subject; one line.
        subject: String,
        /// The plain text.
        text: Option<String>,
        /// The HTML page.
        html: Option<String>,
    },
    /// A request to a webhook.
    Webhook {
        /// The JSON body.
        body: String,
    },
    /// A line in the log.
    Log {
        /// The line.
        text: String,
    },
}

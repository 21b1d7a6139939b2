//! Messages as lines in the runtime's log: for trying a scenario out.

use crate::domain::content::Content;
use async_trait::async_trait;

use super::{Attempt, Channel, Outgoing, wrong_content};

/// Writes each message at level info.
#[derive(Debug, Clone, Copy, Default)]
pub struct Log;

#[async_trait]
impl Channel for Log {
    async fn attempt(&self, message: &Outgoing) -> Attempt {
        let Content::Log { text } = &message.content else { return wrong_content("a line for the log") };
        tracing::info!(delivery = &*message.key, address = message.address, message = text.as_str());
        Attempt::Sent { provider_id: None }
    }

    async fn close(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_is_sent_and_nothing_else_is() {
        let line = Outgoing {
            key: "0af3".into(),
            address: String::new(),
            content: Content::Log { text: "hi".into() },
            trace: None,
        };
        assert_eq!(Log.attempt(&line).await, Attempt::Sent { provider_id: None });
        let sms = Outgoing { content: Content::Sms { body: "hi".into() }, ..line };
        assert!(matches!(Log.attempt(&sms).await, Attempt::Refused { .. }));
    }
}

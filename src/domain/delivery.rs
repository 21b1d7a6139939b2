//! What names a delivery: the id people use, the key providers see, the digest that tells a changed message.
//!
//! All three are functions of what is already known, so that a crash cannot give a delivery another name.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};

use super::customer::CustomerKey;
use super::name::{CallId, NodeIndex, RunId, ScenarioName};

/// One delivery's place in the ledger; people and scripts see it as `<run>-<customer>-<node>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId {
    /// The run it belongs to.
    pub run: RunId,
    /// The customer it is for.
    pub customer: CustomerKey,
    /// The message node it comes from.
    pub node: NodeIndex,
}

impl DeliveryId {
    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        Some(DeliveryId {
            run: RunId(parts.next()?.parse().ok()?),
            customer: CustomerKey(parts.next()?.parse().ok()?),
            node: NodeIndex(parts.next()?.parse().ok()?),
        })
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}-{}", self.run.0, self.customer.0, self.node.0)
    }
}

/// The first half of a delivery's key: what all customers of a run have in common, digested once.
#[derive(Clone)]
pub struct RunKey(Context);

impl RunKey {
    /// The keys of one scenario's run for one call, within one tenant.
    pub fn new(tenant: &str, call: &CallId, scenario: &ScenarioName) -> Self {
        let mut context = Context::new(&SHA256);
        for part in [tenant, call.as_str(), scenario.as_str()] {
            update(&mut context, part);
        }
        RunKey(context)
    }

    /// The key of the message that the node has for the customer: 32 hexadecimal characters, the same for ever.
    pub fn delivery(&self, node: &str, registered: &str) -> Arc<str> {
        let mut context = self.0.clone();
        update(&mut context, node);
        update(&mut context, registered);
        hexadecimal(&context.finish().as_ref()[..16]).into()
    }
}

/// Tells whether a message rendered again still says the same to the same address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageDigest(pub [u8; 16]);

impl MessageDigest {
    /// Digests the parts of a message; a part that is absent differs from one that is empty.
    pub fn of<'a>(parts: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            match part {
                Some(text) => update(&mut context, text),
                None => context.update(&u64::MAX.to_le_bytes()),
            }
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&context.finish().as_ref()[..16]);
        MessageDigest(digest)
    }
}

/// Lengths go before texts, so that no two lists of parts run into the same bytes.
fn update(context: &mut Context, part: &str) {
    context.update(&(part.len() as u64).to_le_bytes());
    context.update(part.as_bytes());
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lead_back() {
        let id = DeliveryId { run: RunId(7), customer: CustomerKey(31), node: NodeIndex(2) };
        assert_eq!(id.to_string(), "7-31-2");
        assert_eq!(DeliveryId::parse("7-31-2"), Some(id));
        for wrong in ["", "7-31", "7-31-x", "7-31-2-1", "a-1-1"] {
            assert_eq!(DeliveryId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn keys_differ_by_every_part_and_by_nothing_else() {
        let run = |tenant, call, scenario| {
            RunKey::new(tenant, &CallId::new(call), &ScenarioName::new(scenario)).delivery("sms", "ann")
        };
        let key = run("t", "c", "s");
        assert_eq!(key.len(), 32);
        assert!(key.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
        assert_eq!(key, run("t", "c", "s"));
        let again = RunKey::new("t", &CallId::new("c"), &ScenarioName::new("s"));
        let others = [
            run("u", "c", "s"),
            run("t", "d", "s"),
            run("t", "c", "r"),
            run("tc", "", "s"),
            again.delivery("mail", "ann"),
            again.delivery("sms", "bob"),
        ];
        assert!(others.iter().all(|other| *other != key));
    }

    #[test]
    fn digests_tell_absent_from_empty() {
        let of = MessageDigest::of;
        assert_ne!(of([Some("a"), None]), of([Some("a"), Some("")]));
        assert_ne!(of([Some("ab"), Some("c")]), of([Some("a"), Some("bc")]));
        assert_eq!(of([Some("a"), None]), of([Some("a"), None]));
    }
}

//! What names a delivery: the id people use, the key providers see, the digest that tells a changed message.
//!
//! All three are functions of what is already known, so that a crash cannot give a delivery another name.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};

use super::customer::CustomerKey;
use super::name::{CallId, NodeIndex, RunId, ScenarioName};

/// Which of a customer's targets of a message a delivery goes to: 1 to 2147483647, made of the target itself (a device's
/// token), or [`TargetId::ONLY`] where a message goes to one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetId(i32);

impl TargetId {
    /// The target of a message that goes to one address of its customer, whatever that address is at the time.
    pub const ONLY: TargetId = TargetId(0);

    /// As ledgers keep it.
    pub fn number(self) -> i32 {
        self.0
    }

    /// Reads what [`Self::number`] gave; `None` if no target has this number.
    pub fn from_number(number: i32) -> Option<Self> {
        (number >= 0).then_some(TargetId(number))
    }
}

/// One delivery's place in the ledger; people and scripts see it as `<run>-<customer>-<node>`, and with `-<target>` behind
/// that where a message goes to several targets of its customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId {
    /// The run it belongs to.
    pub run: RunId,
    /// The customer it is for.
    pub customer: CustomerKey,
    /// The message node it comes from.
    pub node: NodeIndex,
    /// The target of the customer that it goes to.
    pub target: TargetId,
}

impl DeliveryId {
    /// The delivery of a message that goes to one address of its customer.
    pub fn to_only_target(run: RunId, customer: CustomerKey, node: NodeIndex) -> Self {
        DeliveryId { run, customer, node, target: TargetId::ONLY }
    }

    /// Reads what [`fmt::Display`] writes, and nothing else: a delivery has one spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let run = RunId(parts.next()?.parse().ok()?);
        let customer = CustomerKey(parts.next()?.parse().ok()?);
        let node = NodeIndex(parts.next()?.parse().ok()?);
        let target = match parts.next() {
            None => TargetId::ONLY,
            Some(number) => TargetId::from_number(number.parse().ok()?)?,
        };
        let id = DeliveryId { run, customer, node, target };
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}-{}", self.run.0, self.customer.0, self.node.0)?;
        match self.target {
            TargetId::ONLY => Ok(()),
            target => write!(formatter, "-{}", target.0),
        }
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

    /// The key of the message that the node has for the customer's target: 32 hexadecimal characters, the same for ever.
    pub fn delivery(&self, node: &str, registered: &str, target: TargetId) -> Arc<str> {
        let mut context = self.0.clone();
        update(&mut context, node);
        update(&mut context, registered);
        if target != TargetId::ONLY {
            context.update(&target.0.to_le_bytes());
        }
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
        let id = DeliveryId::to_only_target(RunId(7), CustomerKey(31), NodeIndex(2));
        let of_many = DeliveryId { target: TargetId(2_147_483_647), ..id };
        for (id, text) in [(id, "7-31-2"), (of_many, "7-31-2-2147483647")] {
            assert_eq!(id.to_string(), text);
            assert_eq!(DeliveryId::parse(text), Some(id));
        }
        let wrong = ["", "7-31", "7-31-x", "a-1-1", "7-31-2-", "7-31-2-0", "7-31-2-2147483648", "7-31-2-1-1"];
        for wrong in wrong.into_iter().chain(["07-31-2", "+7-31-2", "7-31-02", "7-31-2-01"]) {
            assert_eq!(DeliveryId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn targets_are_kept_as_they_are() {
        for target in [TargetId::ONLY, TargetId(1), TargetId(2_147_483_647)] {
            assert_eq!(TargetId::from_number(target.number()), Some(target));
        }
        assert_eq!(TargetId::from_number(-1), None);
    }

    #[test]
    fn keys_differ_by_every_part_and_by_nothing_else() {
        let run = |tenant, call, scenario| {
            let run = RunKey::new(tenant, &CallId::new(call), &ScenarioName::new(scenario));
            run.delivery("sms", "ann", TargetId::ONLY)
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
            again.delivery("mail", "ann", TargetId::ONLY),
            again.delivery("sms", "bob", TargetId::ONLY),
            again.delivery("sms", "ann", TargetId(1)),
            again.delivery("sms", "ann", TargetId(2)),
        ];
        assert!(others.iter().all(|other| *other != key));
        let distinct: std::collections::BTreeSet<_> = others.iter().collect();
        assert_eq!(distinct.len(), others.len());
    }

    #[test]
    fn digests_tell_absent_from_empty() {
        let of = MessageDigest::of;
        assert_ne!(of([Some("a"), None]), of([Some("a"), Some("")]));
        assert_ne!(of([Some("ab"), Some("c")]), of([Some("a"), Some("bc")]));
        assert_eq!(of([Some("a"), None]), of([Some("a"), None]));
    }
}

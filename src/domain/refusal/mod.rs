//! What a provider's refusal is about: the recipient, the message, the sender, or the provider itself, where it passes.
//!
//! A table for each kind of channel, written from the standards and from how providers really answer. What refuses us
//! (sender, host, account, quota) must never be a recipient's failure: the next recipient would be refused as well.

pub mod smtp;
pub mod twilio;
pub mod webhook;

/// Whom a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// This recipient: an unknown address, a full mailbox, a person who refuses our messages.
    Recipient,
    /// This message: too large, or of a content that is not taken.
    Message,
    /// Us: the sender, the host, the account, its quota, or how the channel is set up. Everyone would be refused.
    Us,
    /// The provider, which is busy or broken for a while.
    Later,
}

/// How sure that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// A row of the table says so.
    Certain,
    /// A row says so, of an answer that some give to everyone alike.
    Likely,
    /// No row knows the answer; it was judged by when it came and by its first digit alone.
    Unrecognized,
}

/// What a table says of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalFinding {
    /// Whom it is about.
    pub about: About,
    /// How sure that is.
    pub basis: Basis,
}

impl RefusalFinding {
    const fn new(about: About, basis: Basis) -> Self {
        RefusalFinding { about, basis }
    }

    /// Whether all senders are refused or the provider serves none, so that the message waits for the channel.
    pub fn is_the_channels(self) -> bool {
        matches!(self.about, About::Us | About::Later)
    }

    /// Whether no row knows the answer.
    pub fn is_unrecognized(self) -> bool {
        self.basis == Basis::Unrecognized
    }
}

/// How many words of a refusal tell it from another.
const WORDS_COMPARED: usize = 16;

/// What refusals of several recipients have in common where they say the same: the words, without addresses, numbers
/// and ids.
pub fn alike(said: &str) -> String {
    let is_word = |word: &&str| word.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '-'));
    let trim = |word: &'_ str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let code = said.split_whitespace().next().unwrap_or_default().to_owned();
    let words = said.split_whitespace().skip(1).filter(|word| !word.contains(['@', '<', '>']));
    let words = words.map(trim).filter(|word| !word.is_empty() && is_word(&word.as_str()));
    let words: Vec<String> = std::iter::once(code).chain(words).take(WORDS_COMPARED).collect();
    words.join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_alike_whatever_address_and_id_is_in_them() {
        let first = alike("550 5.7.1 <ann@a.example>: Refused by rule 17 (e9-20020a gsmtp)");
        assert_eq!(first, alike("550 5.7.1 <ben@b.example>: Refused by rule 4 (f1-77ab12 gsmtp)"));
        assert_ne!(first, alike("550 5.7.1 <ben@b.example>: Taken by nobody"));
        assert_ne!(alike("550 no"), alike("554 no"));
    }
}

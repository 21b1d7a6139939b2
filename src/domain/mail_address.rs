//! Mail addresses, checked so that none can carry a second header or command.

use std::fmt;

/// An address and perhaps a name: `Example Insurance <warnings@example.com>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The name shown to people.
    pub name: Option<String>,
    /// The address.
    pub address: Address,
}

/// `local@domain`, the domain in ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    at: usize,
}

/// Why a text is not a mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a mail address: {reason}")]
pub struct AddressError {
    text: String,
    reason: &'static str,
}

impl Mailbox {
    /// Reads `address` or `name <address>`; the name may be in double quotes.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let wrong = |reason| AddressError { text: text.escape_debug().to_string(), reason };
        let trimmed = text.trim();
        if trimmed.contains(char::is_control) {
            return Err(wrong("it contains a control character"));
        }
        let (name, address) = match trimmed.strip_suffix('>') {
            Some(named) => named.rsplit_once('<').ok_or_else(|| wrong("it has a > without a <"))?,
            None => ("", trimmed),
        };
        let name = name.trim();
        let name = name.strip_prefix('"').and_then(|quoted| quoted.strip_suffix('"')).unwrap_or(name);
        let name = (!name.is_empty()).then(|| name.to_owned());
        Ok(Mailbox { name, address: Address::parse(address).map_err(wrong)? })
    }
}

impl Address {
    /// The part before the `@`.
    pub fn local(&self) -> &str {
        &self.text[..self.at]
    }

    /// The part behind it.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// Whether only a server with SMTPUTF8 can take it.
    pub fn needs_smtputf8(&self) -> bool {
        !self.text.is_ascii()
    }

    /// The whole of it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let at = text.rfind('@').ok_or("it has no @")?;
        let (local, domain) = (&text[..at], &text[at + 1..]);
        if local.is_empty() || local.len() > 64 || local.contains(is_special) {
            return Err(
                "what is before the @ is empty, too long or has characters that are not allowed there",
            );
        }
        let text = match is_plain_domain(domain) {
            true => text.to_owned(),
            false => {
                format!("{local}@{}", ascii_domain(domain).ok_or("what is behind the @ is not a domain")?)
            }
        };
        match text.len() {
            ..=254 => Ok(Address { text, at }),
            _ => Err("it is longer than 254 bytes"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// What a local part may hold only in quotes, which no provider gives out.
fn is_special(c: char) -> bool {
    c.is_control()
        || c.is_whitespace()
        || matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | ',' | ';' | ':' | '"' | '\\' | '@')
}

fn is_plain_domain(domain: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let last_is_a_name =
        domain.rsplit('.').next().is_some_and(|last| last.bytes().any(|b| b.is_ascii_alphabetic()));
    domain.split('.').all(label) && last_is_a_name
}

/// A domain in another script, in the form the DNS knows it by.
fn ascii_domain(domain: &str) -> Option<String> {
    if domain.is_ascii() {
        return None;
    }
    match url::Host::parse(domain) {
        Ok(url::Host::Domain(ascii)) => is_plain_domain(&ascii).then_some(ascii),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_told_apart() {
        let parsed = |text: &str| Mailbox::parse(text).map(|m| (m.name, m.address.to_string())).unwrap();
        assert_eq!(parsed("ann@example.com"), (None, "ann@example.com".into()));
        assert_eq!(
            parsed(" Ann B. <ann+x@example.com> "),
            (Some("Ann B.".into()), "ann+x@example.com".into())
        );
        assert_eq!(
            parsed(r#""B, Ann" <ann@example.com>"#),
            (Some("B, Ann".into()), "ann@example.com".into())
        );
        assert_eq!(parsed("ann@b\u{fc}cher.example"), (None, "ann@xn--bcher-kva.example".into()));
    }

    #[test]
    fn another_script_before_the_at_needs_smtputf8() {
        assert!(Mailbox::parse("j\u{f6}rg@example.com").unwrap().address.needs_smtputf8());
        assert!(!Mailbox::parse("joerg@b\u{fc}cher.example").unwrap().address.needs_smtputf8());
    }

    #[test]
    fn nothing_gets_in_beside_the_address() {
        let wrong = [
            "",
            "ann",
            "@example.com",
            "ann@",
            "ann@example..com",
            "ann b@example.com",
            "ann@exa mple.com",
            "ann@example.com\r\nBcc: all@example.com",
            "ann@example.com>\r\nDATA",
            "ann@127.0.0.1",
            "ann@[127.0.0.1]",
            "ann@example.com, ben@example.com",
            "<ann@example.com",
            "ann@example.com> SIZE=1",
            "a@b@example.com",
            "Ann\nBcc: x <ann@example.com>",
            "ann\0@example.com",
            "ann@ex%61mple.com",
            "ann@\u{2028}example.com",
        ];
        for text in wrong {
            assert!(Mailbox::parse(text).is_err(), "{text:?} was taken");
        }
    }
}

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
    /// Reads `address` or `name <address>`; the name, or words of it, may be in double quotes, where a backslash stands
    /// before a quotation mark or another backslash (RFC 5322, 3.2.4).
    ///
    /// # Errors
    /// It is not one; the error says why.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let wrong = |reason| AddressError { text: text.escape_debug().to_string(), reason };
        let trimmed = text.trim();
        if trimmed.contains(char::is_control) {
            return Err(wrong("it contains a control character"));
        }
        let (name, address) = match trimmed.strip_suffix('>') {
            Some(named) => {
                let at = last_unquoted(named, '<').ok_or_else(|| wrong("it has a > without a <"))?;
                (&named[..at], &named[at + 1..])
            }
            None => ("", trimmed),
        };
        let name = unquoted(name.trim());
        let name = (!name.is_empty()).then_some(name);
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
        check_local(local)?;
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

/// A local part is a word, or stands in double quotes and may then hold anything printable (RFC 5321, 4.1.2; RFC 6531).
fn check_local(local: &str) -> Result<(), &'static str> {
    if local.is_empty() || local.len() > 64 {
        return Err("what is before the @ is empty, or longer than 64 bytes");
    }
    if let Some(quoted) = local.strip_prefix('"') {
        return check_quoted(quoted);
    }
    match local.contains(is_special) {
        true => Err("what is before the @ has characters that are only allowed in double quotes"),
        false => Ok(()),
    }
}

/// What follows the first quotation mark: each other one, and each backslash, has a backslash before it, but the last.
fn check_quoted(rest: &str) -> Result<(), &'static str> {
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if letters.as_str().is_empty() && rest.len() > 1 => return Ok(()),
            '"' => {
                return Err(
                    "what is before the @ has a quotation mark without a backslash, or nothing in quotes",
                );
            }
            '\\' if !letters.next().is_some_and(|quoted| (' '..='~').contains(&quoted)) => {
                return Err("what is before the @ has a backslash with nothing to quote");
            }
            '\\' | ' ' => {}
            letter if letter.is_control() || letter.is_whitespace() => {
                return Err("what is before the @ has a control character or a space that is none");
            }
            _ => {}
        }
    }
    Err("what is before the @ begins with a quotation mark and does not end with one")
}

/// The last place of a letter that is not in double quotes; where a quotation mark is not closed, its last place.
fn last_unquoted(text: &str, wanted: char) -> Option<usize> {
    let (mut is_quoted, mut is_escaped, mut last) = (false, false, None);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            letter if letter == wanted && !is_quoted => last = Some(at),
            _ => {}
        }
    }
    if is_quoted { text.rfind(wanted) } else { last }
}

/// A name without the quotation marks around its words and the backslashes within them. One that is not closed is a
/// letter as any other.
fn unquoted(name: &str) -> String {
    let (mut plain, mut is_quoted) = (String::with_capacity(name.len()), false);
    let mut letters = name.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if is_quoted => plain.extend(letters.next()),
            '"' => is_quoted = !is_quoted,
            letter => plain.push(letter),
        }
    }
    if is_quoted { name.to_owned() } else { plain }
}

/// What a local part may hold only in quotes.
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
    fn a_local_part_in_quotes_is_one() {
        for address in [
            r#""ann.b."@example.jp"#,
            r#""ann..b"@example.jp"#,
            r#"".ann"@example.jp"#,
            r#""ann b"@example.com"#,
            r#""ann@home"@example.com"#,
            r#""ann\"b\\c"@example.com"#,
            r#""a<b>c,;:()[]"@example.com"#,
            "\"j\u{f6}rg b\"@example.com",
        ] {
            let plain = Mailbox::parse(address).unwrap();
            assert_eq!((plain.name, plain.address.as_str()), (None, address));
            let named = Mailbox::parse(&format!("Ann <{address}>")).unwrap();
            assert_eq!((named.name.as_deref(), named.address.as_str()), (Some("Ann"), address));
        }
        for wrong in [
            r#""ann@example.com"#,
            r#"ann"@example.com"#,
            r#""ann"b"@example.com"#,
            r#""ann\"@example.com"#,
            r#"""@example.com"#,
            "\"ann\u{a0}b\"@example.com",
            "\"ann\tb\"@example.com",
            "\"ann\r\nRCPT TO:<ben@example.com>\"@example.com",
        ] {
            assert!(Mailbox::parse(wrong).is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn a_name_in_quotes_is_read_as_the_standard_says() {
        let name = |text: &str| Mailbox::parse(text).unwrap().name.unwrap();
        assert_eq!(name(r#""The \"Best\" Shop" <a@example.com>"#), r#"The "Best" Shop"#);
        assert_eq!(name(r#""back\\slash" <a@example.com>"#), r"back\slash");
        assert_eq!(name(r#""Ann <the> Boss" <a@example.com>"#), "Ann <the> Boss");
        assert_eq!(name(r#"Ann "B." C <a@example.com>"#), "Ann B. C");
        assert_eq!(name(r#"5" pipes <a@example.com>"#), r#"5" pipes"#);
        assert_eq!(name(r"DOMAIN\ann <a@example.com>"), r"DOMAIN\ann");
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

//! A message as a mail: MIME by mail-builder, ready to follow DATA.

use std::borrow::Cow;

use mail_builder::MessageBuilder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::address::Address as HeaderAddress;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;

use super::encoded_words::{encoded_words, looks_encoded};

use crate::domain::mail_address::Mailbox;

/// Ends a mail.
const END: &[u8] = b"\r\n.\r\n";

/// What a mail consists of.
pub(super) struct Mail<'a> {
    pub(super) key: &'a str,
    pub(super) from: &'a Mailbox,
    pub(super) to: &'a Mailbox,
    pub(super) reply_to: Option<&'a Mailbox>,
    /// Header fields of the channel's own, checked when it was compiled.
    pub(super) headers: &'a [(String, String)],
    pub(super) subject: &'a str,
    pub(super) text: Option<&'a str>,
    pub(super) html: Option<&'a str>,
    /// When it is sent, in Unix seconds.
    pub(super) date: i64,
}

impl Mail<'_> {
    /// The bytes that follow DATA: CRLF lines, dots stuffed, the end included.
    pub(super) fn data(&self) -> Result<Vec<u8>, &'static str> {
        let subject = self.subject.trim();
        if subject.contains(char::is_control) {
            return Err("the subject has a line break or another control character in it");
        }
        let mut builder = MessageBuilder::new()
            .message_id(format!("{}@{}", self.key, self.from.address.domain()))
            .date(self.date)
            .header("From", header_address(self.from))
            .header("To", header_address(self.to))
            .header("Subject", header_text(subject));
        if let Some(reply_to) = self.reply_to {
            builder = builder.header("Reply-To", header_address(reply_to));
        }
        for (name, value) in self.headers {
            builder = builder.header(name.as_str(), Raw::new(value.as_str()));
        }
        if let Some(text) = self.text {
            builder = builder.text_body(whole_lines(text));
        }
        if let Some(html) = self.html {
            builder = builder.html_body(whole_lines(html));
        }
        let mut plain = Vec::with_capacity(1024 + self.bodies_len() * 5 / 4);
        builder.serialize(&mut plain);
        Ok(stuffed(&plain))
    }

    fn bodies_len(&self) -> usize {
        self.text.map_or(0, str::len) + self.html.map_or(0, str::len)
    }
}

/// A name that looks like encoded words is encoded, so that it is shown as it was written.
fn header_address(mailbox: &Mailbox) -> HeaderType<'_> {
    match mailbox.name.as_deref().filter(|name| looks_encoded(name)) {
        Some(name) => Raw::new(format!("{} <{}>", encoded_words(name), mailbox.address)).into(),
        None => HeaderAddress::new_address(mailbox.name.as_deref(), mailbox.address.as_str()).into(),
    }
}

fn header_text(text: &str) -> HeaderType<'_> {
    match looks_encoded(text) {
        true => Raw::new(encoded_words(text)).into(),
        false => Text::new(text).into(),
    }
}

/// A carriage return by itself is a line break to some servers and not to others; a sender who could tell them apart could
/// end a mail early.
fn whole_lines(text: &str) -> Cow<'_, str> {
    match text.contains('\r') {
        true => text.replace("\r\n", "\n").replace('\r', "\n").into(),
        false => text.into(),
    }
}

/// Doubles a dot that begins a line (RFC 5321, 4.5.2) and ends the mail.
fn stuffed(plain: &[u8]) -> Vec<u8> {
    let plain = plain.strip_suffix(b"\r\n").unwrap_or(plain);
    let mut data = Vec::with_capacity(plain.len() + 64);
    if plain.first() == Some(&b'.') {
        data.push(b'.');
    }
    let mut from = 0;
    for at in memchr::memmem::find_iter(plain, b"\n.") {
        data.extend_from_slice(&plain[from..=at]);
        data.push(b'.');
        from = at + 1;
    }
    data.extend_from_slice(&plain[from..]);
    data.extend_from_slice(END);
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(subject: &str, text: Option<&str>, html: Option<&str>) -> Result<String, &'static str> {
        let from = Mailbox::parse("Beispiel, Versicherung <warnings@example.com>").unwrap();
        let to = Mailbox::parse("ann@example.org").unwrap();
        written(&from, &to, subject, text, html)
    }

    fn written(
        from: &Mailbox,
        to: &Mailbox,
        subject: &str,
        text: Option<&str>,
        html: Option<&str>,
    ) -> Result<String, &'static str> {
        let headers = [("X-Campaign".to_owned(), "storm".to_owned())];
        let (reply_to, date) = (Some(from), 1_793_000_000);
        let mail = Mail { key: "0af3", from, to, reply_to, headers: &headers, subject, text, html, date };
        mail.data().map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn what_looks_like_encoded_words_is_shown_as_it_was_written() {
        let from = Mailbox::parse("=?utf-8?q?hi?= <a@example.com>").unwrap();
        let to = Mailbox::parse("ann@example.org").unwrap();
        for subject in ["=?utf-8?q?hi?=", "see =?x?=", "=?UTF-8?B?aGk=?= you", "a =? b"] {
            let mail = written(&from, &to, subject, Some("x"), None).unwrap();
            assert!(!mail.contains(subject) && !mail.contains("=?utf-8?q?hi?="), "{mail}");
            assert!(mail.contains(&format!("Subject: {}\r\n", encoded_words(subject))), "{mail}");
            assert!(mail.contains("From: =?utf-8?B?PT91dGYtOD9xP2hpPz0=?= <a@example.com>\r\n"), "{mail}");
        }
    }

    #[test]
    fn quotation_marks_in_a_name_are_shown() {
        let from = Mailbox::parse(r#""The \"Best\" Shop" <a@example.com>"#).unwrap();
        let to = Mailbox::parse(r#""ann.b."@example.jp"#).unwrap();
        let mail = written(&from, &to, "Snow", Some("x"), None).unwrap();
        assert!(mail.contains(r#"From: "The \"Best\" Shop" <a@example.com>"#), "{mail}");
        assert!(mail.contains(r#"To: <"ann.b."@example.jp>"#), "{mail}");
    }

    #[test]
    fn a_mail_has_the_headers_it_needs() {
        let mail = data("Snow", Some("Hello"), None).unwrap();
        for header in [
            "Message-ID: <0af3@example.com>\r\n",
            "From: \"Beispiel, Versicherung\" <warnings@example.com>\r\n",
            "To: <ann@example.org>\r\n",
            "Subject: Snow\r\n",
            "Date: Mon, 26 Oct 2026 ",
            "Reply-To: \"Beispiel, Versicherung\" <warnings@example.com>\r\n",
            "X-Campaign: storm\r\n",
            "MIME-Version: 1.0\r\n",
            "Content-Type: text/plain; charset=\"utf-8\"\r\n",
        ] {
            assert!(mail.contains(header), "{header} is not in\n{mail}");
        }
        assert!(mail.ends_with("Hello\r\n.\r\n"), "{mail}");
    }

    #[test]
    fn text_and_html_are_alternatives() {
        let mail = data("Snow", Some("Hello"), Some("<p>Hello</p>")).unwrap();
        assert!(mail.contains("Content-Type: multipart/alternative"), "{mail}");
        assert!(mail.find("text/plain").unwrap() < mail.find("text/html").unwrap());
    }

    #[test]
    fn other_scripts_are_encoded() {
        let mail = data("Schn\u{e9}e", Some("Gr\u{fc}\u{df}e"), None).unwrap();
        assert!(mail.is_ascii() && mail.contains("Subject: =?utf-8?"), "{mail}");
    }

    #[test]
    fn a_subject_cannot_carry_a_header() {
        for subject in ["a\r\nBcc: all@example.com", "a\nb", "a\rb", "a\0b"] {
            assert!(data(subject, Some("x"), None).is_err(), "{subject:?}");
        }
        assert!(data("from a block\n", Some("x"), None).unwrap().contains("Subject: from a block\r\n"));
    }

    #[test]
    fn nothing_in_a_text_ends_the_mail_or_breaks_a_line() {
        for text in
            [".", "a\n.\nb", "a\r\n.\r\nb", "a\r.\rb", "..\n.a", "a\n.\r\nb", "\n.\n", "a\n..", "x\r\n.\r\n"]
        {
            for body in [(Some(text), None), (None, Some(text)), (Some(text), Some(text))] {
                let mail = data("Snow", body.0, body.1).unwrap();
                assert_eq!(mail.matches("\r\n.\r\n").count(), 1, "{text:?}: {mail}");
                let bare = mail.replace("\r\n", "");
                assert!(!bare.contains(['\r', '\n']), "{text:?}: {mail:?}");
            }
        }
    }

    #[test]
    fn lines_stay_short_enough() {
        let mail = data("Snow", Some(&"x".repeat(5000)), None).unwrap();
        assert!(mail.lines().all(|line| line.len() <= 998));
    }
}

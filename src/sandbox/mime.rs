//! Reads a mail as far as a person or a checker wants it: headers, subject, plain text, HTML.
//!
//! Lenient: what it does not understand is kept as the text it is. Facts: RFC 5322 (headers), RFC 2045
//! (transfer encodings), RFC 2046 (multipart), RFC 2047 (encoded words).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A multipart within a multipart within …; more levels are kept as text.
const DEPTH_MAX: usize = 8;

/// What is shown of a mail.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Mail {
    /// Names in lower case; a header that comes twice has its values joined by line breaks.
    pub headers: BTreeMap<String, String>,
    pub subject: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
}

impl Mail {
    pub(super) fn parse(raw: &[u8]) -> Self {
        let (headers, body) = split(raw);
        let mut mail =
            Self { subject: headers.get("subject").map(|subject| words(subject)), ..Self::default() };
        mail.take_part(&headers, body, 0);
        mail.headers = headers;
        mail
    }

    fn take_part(&mut self, headers: &BTreeMap<String, String>, body: &[u8], depth: usize) {
        let kind = headers.get("content-type").map_or("text/plain", String::as_str);
        let boundary = parameter(kind, "boundary").filter(|_| is(kind, "multipart/") && depth < DEPTH_MAX);
        if let Some(boundary) = boundary {
            for part in parts(body, boundary) {
                let (headers, body) = split(part);
                self.take_part(&headers, body, depth + 1);
            }
            return;
        }
        let slot = if is(kind, "text/html") { &mut self.html } else { &mut self.text };
        if slot.is_none() {
            let encoding = headers.get("content-transfer-encoding").map_or("", String::as_str);
            *slot = Some(decode(encoding, body));
        }
    }
}

fn is(kind: &str, prefix: &str) -> bool {
    kind.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The headers, unfolded, and the body behind the empty line.
fn split(raw: &[u8]) -> (BTreeMap<String, String>, &[u8]) {
    let mut headers = BTreeMap::<String, String>::new();
    let (mut rest, mut current) = (raw, None::<String>);
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]));
        rest = &rest[end + 1..];
        if line.is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            if let Some(value) = current.as_ref().and_then(|name| headers.get_mut(name)) {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            let name = name.trim().to_ascii_lowercase();
            let values = headers.entry(name.clone()).or_default();
            if !values.is_empty() {
                values.push('\n');
            }
            values.push_str(value.trim());
            current = Some(name);
        }
    }
    (headers, rest)
}

fn parameter<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

/// The parts between `--boundary` lines. The line break before a delimiter belongs to the delimiter.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let delimiter = format!("--{boundary}");
    let (mut parts, mut start, mut at) = (Vec::new(), None, 0);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        if let Some(rest) = line.strip_prefix(delimiter.as_bytes()) {
            if let Some(start) = start {
                let part = &body[start..at];
                let part = part.strip_suffix(b"\n").unwrap_or(part);
                parts.push(part.strip_suffix(b"\r").unwrap_or(part));
            }
            if rest.starts_with(b"--") {
                return parts;
            }
            start = Some(at + line.len());
        }
        at += line.len();
    }
    parts
}

fn decode(encoding: &str, body: &[u8]) -> String {
    let bytes = match encoding.to_ascii_lowercase().as_str() {
        "base64" => {
            let letters: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
            STANDARD.decode(letters).unwrap_or_else(|_| body.to_vec())
        }
        "quoted-printable" => quoted_printable(body),
        _ => body.to_vec(),
    };
    String::from_utf8_lossy(&bytes).replace("\r\n", "\n")
}

fn quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match (byte, behind) {
            (b'=', [b'\r', b'\n', behind @ ..] | [b'\n', behind @ ..]) => rest = behind,
            (b'=', [high, low, behind @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                decoded.push(hex(*high) << 4 | hex(*low));
                rest = behind;
            }
            _ => decoded.push(byte),
        }
    }
    decoded
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Decodes `=?charset?B|Q?…?=`; the space between two such words is not shown. Every charset is read as UTF-8.
fn words(header: &str) -> String {
    let (mut shown, mut rest, mut after_word) = (String::new(), header, false);
    while let Some(start) = rest.find("=?") {
        let Some((word, behind)) = word(&rest[start..]) else {
            shown.push_str(&rest[..start + 2]);
            rest = &rest[start + 2..];
            after_word = false;
            continue;
        };
        let between = &rest[..start];
        if !(after_word && between.trim().is_empty()) {
            shown.push_str(between);
        }
        shown.push_str(&word);
        (rest, after_word) = (behind, true);
    }
    shown + rest
}

fn word(text: &str) -> Option<(String, &str)> {
    let mut fields = text.strip_prefix("=?")?.splitn(3, '?');
    let (_charset, encoding, rest) = (fields.next()?, fields.next()?, fields.next()?);
    let (content, behind) = rest.split_once("?=")?;
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(content).ok()?,
        "Q" | "q" => quoted_printable(content.replace('_', " ").as_bytes()),
        _ => return None,
    };
    Some((String::from_utf8_lossy(&bytes).into_owned(), behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_mail_with_text_and_html() {
        let raw = "Message-ID: <1@x>\r\nSubject: =?utf-8?B?U2NobmVl?=\r\n =?utf-8?Q?sturm_f=C3=BCr?= Ann\r\n\
            MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary=\"b1\"\r\n\r\n\
            --b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            Gr=C3=BC=C3=9Fe, a =\r\nlong line=2E\r\n--b1\r\nContent-Type: text/html\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nPGI+\r\naGk8L2I+\r\n--b1--\r\n";
        let mail = Mail::parse(raw.as_bytes());
        assert_eq!(mail.subject.as_deref(), Some("Schneesturm für Ann"));
        assert_eq!(mail.text.as_deref(), Some("Grüße, a long line."));
        assert_eq!(mail.html.as_deref(), Some("<b>hi</b>"));
        assert_eq!(mail.headers["message-id"], "<1@x>");
        assert_eq!(mail.headers["content-type"], "multipart/alternative; boundary=\"b1\"");
    }

    #[test]
    fn keeps_what_it_does_not_understand() {
        let mail = Mail::parse(b"Subject: a =?x\r\n\r\n=ZZ tail");
        assert_eq!(mail.subject.as_deref(), Some("a =?x"));
        assert_eq!(mail.text.as_deref(), Some("=ZZ tail"));
        assert_eq!(Mail::parse(b"").text.as_deref(), Some(""));
        let multipart = b"Content-Type: multipart/mixed; boundary=b\r\n\r\nno part\r\n";
        assert_eq!(Mail::parse(multipart).text, None);
        assert_eq!(quoted_printable(b"=4G=3d="), b"=4G==");
    }
}

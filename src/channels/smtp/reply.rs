//! What an SMTP server answers (RFC 5321, 4.2), read strictly and within bounds.

/// The longest line that is read; the standard's 512 bytes, doubled for servers that explain themselves.
const LINE_BYTES_MAX: usize = 1024;
/// The most lines of one reply; a greeting with every extension has about thirty.
const LINES_MAX: usize = 64;

/// One reply: a code and the text of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    /// The lines, without codes, joined by line feeds.
    pub(super) text: String,
}

/// Why bytes are not a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReplyError {
    #[error("the server's reply is not SMTP")]
    Malformed,
    #[error("the server's reply is longer than a reply may be")]
    TooLong,
}

impl Reply {
    /// Whether the command was carried out (2xx).
    pub(super) fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// Whether trying again later may help (4xx).
    pub(super) fn is_transient(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// Whether it never will (5xx).
    pub(super) fn is_permanent(&self) -> bool {
        (500..600).contains(&self.code)
    }

    /// Whether the server ends the connection.
    pub(super) fn is_closing(&self) -> bool {
        self.code == 421
    }

    /// Code and text in one printable line, cut off where a person stops reading.
    pub(super) fn said(&self) -> String {
        let line = self.text.chars().map(|c| if c.is_control() { ' ' } else { c });
        format!("{} {}", self.code, line.take(200).collect::<String>()).trim_end().to_owned()
    }
}

/// The reply at the beginning of what was received and its length in bytes; `None` if it is not complete.
pub(super) fn parse(received: &[u8]) -> Result<Option<(Reply, usize)>, ReplyError> {
    let (mut position, mut code, mut text) = (0, None, String::new());
    for _ in 0..LINES_MAX {
        let rest = &received[position..];
        let Some(end) = memchr::memchr(b'\n', rest) else {
            return if rest.len() > LINE_BYTES_MAX { Err(ReplyError::TooLong) } else { Ok(None) };
        };
        if end > LINE_BYTES_MAX {
            return Err(ReplyError::TooLong);
        }
        let (line_code, last, line_text) = parse_line(&rest[..end]).ok_or(ReplyError::Malformed)?;
        if *code.get_or_insert(line_code) != line_code {
            return Err(ReplyError::Malformed);
        }
        if position > 0 {
            text.push('\n');
        }
        text.push_str(&String::from_utf8_lossy(line_text));
        position += end + 1;
        if last {
            return Ok(Some((Reply { code: line_code, text }, position)));
        }
    }
    Err(ReplyError::TooLong)
}

/// Code, whether it is the last line, and text.
fn parse_line(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (&[a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9'], rest) = line.split_first_chunk::<3>()? else {
        return None;
    };
    let digit = |byte: u8| u16::from(byte - b'0');
    let code = digit(a) * 100 + digit(b) * 10 + digit(c);
    match rest {
        [] => Some((code, true, rest)),
        [b' ', text @ ..] => Some((code, true, text)),
        [b'-', text @ ..] => Some((code, false, text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, text: &str) -> Reply {
        Reply { code, text: text.into() }
    }

    #[test]
    fn replies_of_one_and_of_many_lines_are_read() {
        assert_eq!(parse(b"250 2.0.0 Ok\r\n354 "), Ok(Some((reply(250, "2.0.0 Ok"), 14))));
        assert_eq!(parse(b"250\r\n"), Ok(Some((reply(250, ""), 5))));
        let many = b"250-mail.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n";
        assert_eq!(parse(many), Ok(Some((reply(250, "mail.example\nPIPELINING\n8BITMIME"), many.len()))));
        for cut in 0..many.len() {
            assert_eq!(parse(&many[..cut]), Ok(None), "{cut}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in
            ["HTTP/1.1 200 OK\r\n", "25 Ok\r\n", "650 Ok\r\n", "250_Ok\r\n", "250-a\r\n251 b\r\n", "\r\n"]
        {
            assert_eq!(parse(wrong.as_bytes()), Err(ReplyError::Malformed), "{wrong}");
        }
        assert_eq!(parse(&[b'2'; 2000]), Err(ReplyError::TooLong));
        assert_eq!(parse("250-x\r\n".repeat(65).as_bytes()), Err(ReplyError::TooLong));
    }
}

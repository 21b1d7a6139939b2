//! One command line of SMTP (RFC 5321), parsed.

use super::data::SIZE_MAX;

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    Ehlo,
    Helo,
    /// `AUTH <mechanism> [<initial response>]`
    Auth(&'a str),
    Mail(&'a str),
    Rcpt(&'a str),
    Data,
    Rset,
    Noop,
    Vrfy,
    Quit,
    /// Understood by other servers, or by none.
    Unknown,
}

impl<'a> Command<'a> {
    pub(super) fn parse(line: &'a str) -> Self {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => Self::Ehlo,
            "HELO" => Self::Helo,
            "AUTH" => Self::Auth(argument.trim()),
            "MAIL" => Self::Mail(argument),
            "RCPT" => Self::Rcpt(argument),
            "DATA" => Self::Data,
            "RSET" => Self::Rset,
            "NOOP" => Self::Noop,
            "VRFY" => Self::Vrfy,
            "QUIT" => Self::Quit,
            _ => Self::Unknown,
        }
    }
}

/// The refusal of a command: a whole reply line without its line break.
pub(super) type Refusal = &'static str;

/// The sender in `FROM:<…> …`, with the parameters checked.
pub(super) fn sender(argument: &str) -> Result<String, Refusal> {
    let (address, parameters) = path(argument, "FROM:").ok_or("501 5.5.4 Syntax: MAIL FROM:<address>")?;
    let mut utf8 = false;
    for parameter in parameters.split_ascii_whitespace() {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match (key.to_ascii_uppercase().as_str(), value.to_ascii_uppercase().as_str()) {
            ("SMTPUTF8", "") => utf8 = true,
            ("BODY", "7BIT" | "8BITMIME") | ("AUTH", _) => {}
            ("SIZE", size) => match size.parse::<usize>() {
                Ok(size) if size <= SIZE_MAX => {}
                Ok(_) => return Err("552 5.3.4 Message too large"),
                Err(_) => return Err("501 5.5.4 SIZE is a number of bytes"),
            },
            _ => return Err("555 5.5.4 Parameter not known"),
        }
    }
    if !address.is_ascii() && !utf8 {
        return Err("553 5.6.7 This address needs SMTPUTF8");
    }
    if !address.is_empty() && !is_address(address) {
        return Err("553 5.1.7 Sender address not valid");
    }
    Ok(address.to_owned())
}

/// The recipient in `TO:<…>`.
pub(super) fn recipient(argument: &str) -> Result<String, Refusal> {
    let (address, parameters) = path(argument, "TO:").ok_or("501 5.5.4 Syntax: RCPT TO:<address>")?;
    if !parameters.trim().is_empty() {
        return Err("555 5.5.4 Parameter not known");
    }
    if is_address(address) { Ok(address.to_owned()) } else { Err("553 5.1.3 Recipient address not valid") }
}

fn path<'a>(argument: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let start = argument.get(..word.len()).filter(|start| start.eq_ignore_ascii_case(word))?;
    let rest = argument[start.len()..].trim_start().strip_prefix('<')?;
    let (mut quoted, mut escaped) = (false, false);
    for (at, letter) in rest.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            '>' if !quoted => return Some((&rest[..at], &rest[at + 1..])),
            _ => {}
        }
    }
    None
}

fn is_address(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let plain = |text: &str| !text.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    !local.is_empty() && !domain.is_empty() && (quoted || plain(local)) && plain(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_parameters() {
        assert_eq!(sender("FROM:<a@b.c> SIZE=100 BODY=8BITMIME").as_deref(), Ok("a@b.c"));
        assert_eq!(sender("from: <>").as_deref(), Ok(""));
        assert_eq!(sender("FROM:<ü@b.c> SMTPUTF8").as_deref(), Ok("ü@b.c"));
        assert!(sender("FROM:<ü@b.c>").unwrap_err().starts_with("553 5.6.7"));
        assert!(sender("FROM:<a@b.c> SIZE=99999999").unwrap_err().starts_with("552"));
        assert!(sender("FROM:<a@b.c> RET=FULL").unwrap_err().starts_with("555"));
        assert!(sender("FROM:a@b.c").unwrap_err().starts_with("501"));
        assert_eq!(recipient("TO:<a@b.c>").as_deref(), Ok("a@b.c"));
        assert_eq!(recipient("TO:<\"a> b.\"@b.c>").as_deref(), Ok("\"a> b.\"@b.c"));
        assert!(recipient("TO:<a b@c>").unwrap_err().starts_with("553"));
        assert!(recipient("TO:<nobody>").unwrap_err().starts_with("553"));
        assert!(recipient("für:<a@b.c>").unwrap_err().starts_with("501"));
    }
}

//! Becoming ready to send: greeting, EHLO, STARTTLS, authentication.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::line::{Line, Lost};
use super::reply::Reply;
use crate::api::SmtpTls;
use crate::channels::wire::{ConnectError, Network};
use crate::domain::secret::{Secret, without_last_newline};

/// A server and how to enter it.
pub struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// Who we are, if it wants to know.
    pub credentials: Option<SmtpCredentials>,
}

/// A username and a password.
pub struct SmtpCredentials {
    /// The username.
    pub username: Secret,
    /// The password.
    pub password: Secret,
}

/// What the server offers, as far as it is used (the reply to EHLO).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) pipelining: bool,
    pub(super) eight_bit_mime: bool,
    pub(super) smtputf8: bool,
    start_tls: bool,
    auth_plain: bool,
    auth_login: bool,
}

/// Why no session came about. No message was begun.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Lost(#[from] Lost),
    #[error("the server answered {command} with: {said}")]
    Answered { command: &'static str, said: String },
    #[error("the server does not offer {0}")]
    NotOffered(&'static str),
}

/// Connects and makes the line ready for a first mail.
pub(super) async fn open(network: &Network, server: &Server) -> Result<(Line, Offers), SessionError> {
    let protected = matches!(server.tls, SmtpTls::Tls);
    let stream = network.connect(&server.host, server.port, protected).await?;
    let mut line = Line::new(stream);
    let greeting = line.read().await?;
    expect("the connection", &greeting, greeting.is_positive())?;
    let mut offers = hello(&mut line).await?;
    if matches!(server.tls, SmtpTls::StartTls) {
        (line, offers) = start_tls(network, server, line, offers).await?;
    }
    if let Some(credentials) = &server.credentials {
        authenticate(&mut line, offers, credentials).await?;
    }
    Ok((line, offers))
}

async fn start_tls(
    network: &Network,
    server: &Server,
    mut line: Line,
    offers: Offers,
) -> Result<(Line, Offers), SessionError> {
    if !offers.start_tls {
        return Err(SessionError::NotOffered("STARTTLS; set spec.smtp.tls to Tls or None if that is meant"));
    }
    let reply = line.ask("STARTTLS").await?;
    expect("STARTTLS", &reply, reply.is_positive())?;
    let stream = line.into_stream().map_err(Lost::from)?;
    let mut line = Line::new(network.protect(&server.host, stream).await?);
    let offers = hello(&mut line).await?;
    Ok((line, offers))
}

/// EHLO, or HELO for a server that knows no extensions. We have no name of our own, so we give our address.
async fn hello(line: &mut Line) -> Result<Offers, SessionError> {
    let name = match line.local_ip().map_err(Lost::from)? {
        std::net::IpAddr::V4(address) => format!("[{address}]"),
        std::net::IpAddr::V6(address) => format!("[IPv6:{address}]"),
    };
    let reply = line.ask(&format!("EHLO {name}")).await?;
    if matches!(reply.code, 500 | 502) {
        let reply = line.ask(&format!("HELO {name}")).await?;
        expect("HELO", &reply, reply.is_positive())?;
        return Ok(Offers::default());
    }
    expect("EHLO", &reply, reply.is_positive())?;
    Ok(offers(&reply))
}

fn offers(reply: &Reply) -> Offers {
    let mut offers = Offers::default();
    for line in reply.text.lines().skip(1) {
        let line = line.to_ascii_uppercase();
        // Some old servers write `AUTH=LOGIN`.
        let mut words = line.split([' ', '=']);
        match words.next() {
            Some("PIPELINING") => offers.pipelining = true,
            Some("8BITMIME") => offers.eight_bit_mime = true,
            Some("SMTPUTF8") => offers.smtputf8 = true,
            Some("STARTTLS") => offers.start_tls = true,
            Some("AUTH") => words.for_each(|mechanism| match mechanism {
                "PLAIN" => offers.auth_plain = true,
                "LOGIN" => offers.auth_login = true,
                _ => {}
            }),
            _ => {}
        }
    }
    offers
}

/// By PLAIN (RFC 4616) where offered, else by LOGIN. What the server says to a wrong password may quote it back, so
/// only its code is passed on.
async fn authenticate(
    line: &mut Line,
    offers: Offers,
    credentials: &SmtpCredentials,
) -> Result<(), SessionError> {
    let username = without_last_newline(credentials.username.expose());
    let password = without_last_newline(credentials.password.expose());
    let reply = if offers.auth_plain {
        let initial = STANDARD.encode(format!("\0{username}\0{password}"));
        line.ask(&format!("AUTH PLAIN {initial}")).await?
    } else if offers.auth_login {
        let mut reply = line.ask("AUTH LOGIN").await?;
        for answer in [username, password] {
            if reply.code == 334 {
                reply = line.ask(&STANDARD.encode(answer)).await?;
            }
        }
        reply
    } else {
        return Err(SessionError::NotOffered("AUTH PLAIN or LOGIN"));
    };
    let code_only = Reply { text: String::new(), ..reply };
    expect("AUTH", &code_only, code_only.is_positive())
}

fn expect(command: &'static str, reply: &Reply, fulfilled: bool) -> Result<(), SessionError> {
    match fulfilled {
        true => Ok(()),
        false => Err(SessionError::Answered { command, said: reply.said() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_read_whatever_their_case() {
        let text = "mail.example PIPELINING\nPipelining\nSIZE 1000\nAUTH=LOGIN\nauth CRAM-MD5 PLAIN\nSMTPUTF8\nSTARTTLS\n8BITMIME";
        let all = offers(&Reply { code: 250, text: text.into() });
        let expected = Offers {
            pipelining: true,
            eight_bit_mime: true,
            smtputf8: true,
            start_tls: true,
            auth_plain: true,
            auth_login: true,
        };
        assert_eq!(all, expected);
        assert_eq!(offers(&Reply { code: 250, text: "PIPELINING".into() }), Offers::default());
    }
}

//! AUTH PLAIN (RFC 4616) and AUTH LOGIN, as far as a client must be able to log in and to be refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::sandbox::settings::SandboxCredentials;

/// Where an exchange stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    /// Waits for PLAIN's only response.
    Plain,
    /// Waits for LOGIN's user name.
    LoginUser,
    /// Waits for LOGIN's password.
    LoginPassword(String),
}

/// What to do after a line of the exchange.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Send this and wait for a line.
    Ask(&'static str, Exchange),
    /// The client has said who it is.
    Claim(SandboxCredentials),
    /// Not understood.
    Refuse(&'static str),
}

const NOT_BASE64: Outcome = Outcome::Refuse("501 5.5.2 Not base64");

/// Starts an exchange from what stands behind AUTH.
pub(super) fn start(argument: &str) -> Outcome {
    let (mechanism, initial) = argument.split_once(' ').unwrap_or((argument, ""));
    match (mechanism.to_ascii_uppercase().as_str(), initial.trim()) {
        ("PLAIN", "") => Outcome::Ask("334 ", Exchange::Plain),
        ("PLAIN", response) => go_on(Exchange::Plain, response),
        ("LOGIN", "") => Outcome::Ask("334 VXNlcm5hbWU6", Exchange::LoginUser),
        ("LOGIN", user) => go_on(Exchange::LoginUser, user),
        _ => Outcome::Refuse("504 5.5.4 Only PLAIN and LOGIN"),
    }
}

/// Takes the client's next line.
pub(super) fn go_on(exchange: Exchange, line: &str) -> Outcome {
    if line == "*" {
        return Outcome::Refuse("501 5.7.0 Cancelled");
    }
    let Some(text) = STANDARD.decode(line).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return NOT_BASE64;
    };
    match exchange {
        Exchange::Plain => {
            let mut fields = text.splitn(3, '\0').skip(1).map(str::to_owned);
            match (fields.next(), fields.next()) {
                (Some(username), Some(password)) => Outcome::Claim(SandboxCredentials { username, password }),
                _ => Outcome::Refuse("501 5.5.2 Expected authorization, user and password"),
            }
        }
        Exchange::LoginUser => Outcome::Ask("334 UGFzc3dvcmQ6", Exchange::LoginPassword(text)),
        Exchange::LoginPassword(username) => Outcome::Claim(SandboxCredentials { username, password: text }),
    }
}

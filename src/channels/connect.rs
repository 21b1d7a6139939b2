//! From a compiled channel and its secrets to something that sends.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::http::{HttpTarget, TargetError};
use super::log::Log;
use super::smtp::{Server, SmtpChannel, SmtpCredentials};
use super::twilio::TwilioChannel;
use super::webhook::{SigningKey, WebhookChannel};
use super::wire::Network;
use crate::api::{self, AuthorizationRef, AuthorizationScheme, SecretKeySource, SmtpTls};
use crate::compile;
use crate::domain::mail_address::Mailbox;
use crate::domain::secret::{Secret, without_last_newline};

/// Where channels get their secrets: read anew whenever a channel is connected, and never kept elsewhere.
pub trait SecretSource: Send + Sync {
    /// One key of a Secret that is labelled for channels.
    ///
    /// # Errors
    /// There is none, or it may not be read; the text says which and how to change that.
    fn secret(&self, name: &str, key: &str) -> Result<Secret, String>;
}

/// Why a channel cannot be connected. Its messages wait.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ConnectProblem {
    /// The field: `spec.smtp.credentialsRef`.
    pub path: &'static str,
    /// What is wrong and what to do about it.
    pub message: String,
}

/// Makes a channel. Nothing is dialled before the first message.
///
/// # Errors
/// All problems of the channel: a secret that cannot be read, an address that is none.
pub fn connect(
    channel: &compile::CompiledChannel,
    secrets: &dyn SecretSource,
    network: &Network,
) -> Result<Arc<dyn super::Channel>, Vec<ConnectProblem>> {
    let connecting = Connecting { channel, secrets, network };
    let spec = &channel.spec;
    match (&spec.smtp, &spec.twilio, &spec.webhook) {
        (Some(smtp), _, _) => connecting.smtp(smtp),
        (_, Some(twilio), _) => connecting.twilio(twilio).map_err(|problem| vec![problem]),
        (_, _, Some(webhook)) => connecting.webhook(webhook).map_err(|problem| vec![problem]),
        _ => Ok(Arc::new(Log)),
    }
}

struct Connecting<'a> {
    channel: &'a compile::CompiledChannel,
    secrets: &'a dyn SecretSource,
    network: &'a Network,
}

impl Connecting<'_> {
    fn smtp(&self, smtp: &api::Smtp) -> Result<Arc<dyn super::Channel>, Vec<ConnectProblem>> {
        let from = Mailbox::parse(&smtp.from).map_err(|error| problem("spec.smtp.from", error));
        let credentials = match &smtp.credentials_ref {
            None => Ok(None),
            Some(reference) => {
                let read = |key| {
                    let secret = self.secrets.secret(&reference.name, key);
                    secret.map_err(|error| problem("spec.smtp.credentialsRef", error))
                };
                match (read("username"), read("password")) {
                    (Ok(username), Ok(password)) => Ok(Some(SmtpCredentials { username, password })),
                    (username, password) => Err([username.err(), password.err()]),
                }
            }
        };
        let (from, credentials) = match (from, credentials) {
            (Ok(from), Ok(credentials)) => (from, credentials),
            (from, credentials) => {
                let unread = credentials.err().into_iter().flatten().flatten();
                return Err(from.err().into_iter().chain(unread).collect());
            }
        };
        let reply_to = smtp.reply_to.as_deref().map(Mailbox::parse).transpose();
        let reply_to = reply_to.map_err(|error| vec![problem("spec.smtp.replyTo", error)])?;
        let headers = smtp.headers.iter().map(|it| (it.name.clone(), it.value.clone())).collect();
        let server = Server { host: smtp.host.clone(), port: port(smtp), tls: smtp.tls, credentials };
        let made =
            SmtpChannel::new(self.network.clone(), server, from, self.channel.timeout, self.connections());
        Ok(Arc::new(made.with_headers(reply_to, headers)))
    }

    fn twilio(&self, twilio: &api::Twilio) -> Result<Arc<dyn super::Channel>, ConnectProblem> {
        let token = self.secret("spec.twilio.authToken.secretKeyRef", &twilio.auth_token)?;
        let (network, timeout) = (self.network.clone(), self.channel.timeout);
        let made = TwilioChannel::new(network, twilio, &token, timeout, self.connections());
        Ok(Arc::new(made.map_err(|error| problem("spec.twilio.baseUrl", error))?))
    }

    fn webhook(&self, webhook: &api::Webhook) -> Result<Arc<dyn super::Channel>, ConnectProblem> {
        const SECRET: &str = "spec.webhook.signingSecret.secretKeyRef";
        let target = HttpTarget::parse(&webhook.url)
            .map_err(|error: TargetError| problem("spec.webhook.url", error))?;
        let secret = webhook.signing_secret.as_ref().map(|source| self.secret(SECRET, source)).transpose()?;
        let signing = secret.map(|secret| SigningKey::new(&secret)).transpose();
        let signing = signing.map_err(|error| problem(SECRET, error))?;
        let (network, timeout) = (self.network.clone(), self.channel.timeout);
        let made = WebhookChannel::new(network, target, signing, timeout, self.connections());
        Ok(Arc::new(made.with_headers(self.webhook_headers(webhook)?)))
    }

    fn webhook_headers(&self, webhook: &api::Webhook) -> Result<HeaderMap, ConnectProblem> {
        let mut headers = HeaderMap::new();
        for field in &webhook.headers {
            let (name, value) = (field.name.parse::<HeaderName>(), field.value.parse::<HeaderValue>());
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(problem("spec.webhook.headers", format!("{} is not a header", field.name)));
            };
            headers.insert(name, value);
        }
        if let Some(reference) = &webhook.authorization_ref {
            headers.insert(header::AUTHORIZATION, self.authorization(reference)?);
        }
        Ok(headers)
    }

    fn authorization(&self, reference: &AuthorizationRef) -> Result<HeaderValue, ConnectProblem> {
        const PATH: &str = "spec.webhook.authorizationRef";
        let read = |key| {
            let secret = self.secrets.secret(&reference.name, key);
            secret.map_err(|error| problem(PATH, error))
        };
        let said = match reference.scheme {
            AuthorizationScheme::Bearer => {
                format!("Bearer {}", without_last_newline(read("token")?.expose()))
            }
            AuthorizationScheme::Basic => {
                let (username, password) = (read("username")?, read("password")?);
                let pair = format!(
                    "{}:{}",
                    without_last_newline(username.expose()),
                    without_last_newline(password.expose())
                );
                format!("Basic {}", STANDARD.encode(pair))
            }
            AuthorizationScheme::Custom => without_last_newline(read("authorization")?.expose()).to_owned(),
        };
        let mut value = HeaderValue::from_str(&said).map_err(|_| {
            let what = format!("Secret {} has characters that a header cannot hold", reference.name);
            problem(PATH, what)
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn secret(&self, path: &'static str, source: &SecretKeySource) -> Result<Secret, ConnectProblem> {
        let reference = &source.secret_key_ref;
        self.secrets.secret(&reference.name, &reference.key).map_err(|error| problem(path, error))
    }

    /// As many connections are kept as attempts may be under way.
    fn connections(&self) -> usize {
        self.channel.concurrency.map_or(self.channel.kind.concurrency_max(), |fixed| fixed as usize)
    }
}

/// The port of a mail server: the usual one for how it is protected, unless the manifest names one.
fn port(smtp: &api::Smtp) -> u16 {
    let usual = match smtp.tls {
        SmtpTls::None => 25,
        SmtpTls::StartTls => 587,
        SmtpTls::Tls => 465,
    };
    smtp.port.and_then(|port| u16::try_from(port).ok()).unwrap_or(usual)
}

fn problem(path: &'static str, message: impl std::fmt::Display) -> ConnectProblem {
    ConnectProblem { path, message: message.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::egress::{Egress, HostMap};
    use crate::channels::wire::Tls;

    struct Known(&'static [(&'static str, &'static str, &'static str)]);

    impl SecretSource for Known {
        fn secret(&self, name: &str, key: &str) -> Result<Secret, String> {
            let found = self.0.iter().find(|known| (known.0, known.1) == (name, key));
            found.map(|known| Secret::new(known.2)).ok_or(format!("Secret {name} has no key {key}"))
        }
    }

    fn connected(manifest: &str, secrets: &Known) -> Result<(), Vec<ConnectProblem>> {
        let spec = serde_yaml_ng::from_str(manifest).unwrap();
        let sources = compile::Sources { channels: [("c".to_owned(), spec)].into(), ..Default::default() };
        let snapshot = compile::compile(&sources).snapshot;
        let network = Network { egress: Arc::new(Egress::for_dev(HostMap::default())), tls: Tls::default() };
        connect(snapshot.channels.values().next().unwrap(), secrets, &network).map(|_| ())
    }

    const SMTP: &str = "smtp: {host: sandbox, from: a@example.com, credentialsRef: {name: mail}}";
    const WEBHOOK: &str =
        "webhook: {url: 'http://sandbox/', signingSecret: {secretKeyRef: {name: hook, key: key}}}";

    #[test]
    fn every_kind_connects_with_its_secrets() {
        let secrets =
            Known(&[("mail", "username", "a"), ("mail", "password", "b"), ("hook", "key", "whsec_YQ==")]);
        for manifest in [SMTP, WEBHOOK, "log: {}", "webhook: {url: 'http://sandbox/'}"] {
            assert_eq!(connected(manifest, &secrets), Ok(()), "{manifest}");
        }
    }

    #[test]
    fn who_we_are_comes_from_a_secret_that_has_what_the_scheme_needs() {
        let webhook = |reference: &str| {
            format!("webhook: {{url: 'http://sandbox/', authorizationRef: {{name: hook, {reference}}}}}")
        };
        let all = Known(&[
            ("hook", "token", "abc\n"),
            ("hook", "username", "a"),
            ("hook", "password", "b"),
            ("hook", "authorization", "Key abc"),
        ]);
        for scheme in ["scheme: Bearer", "scheme: Basic", "scheme: Custom"] {
            assert_eq!(connected(&webhook(scheme), &all), Ok(()), "{scheme}");
        }
        let problems =
            connected(&webhook("scheme: Basic"), &Known(&[("hook", "username", "a")])).unwrap_err();
        let expected = "spec.webhook.authorizationRef: Secret hook has no key password";
        assert_eq!(problems[0].to_string(), expected);
        let two_lines = Known(&[("hook", "token", "abc\r\nX-A: b\n")]);
        let problems = connected(&webhook("scheme: Bearer"), &two_lines).unwrap_err();
        assert!(problems[0].to_string().contains("characters that a header cannot hold"));
        assert!(!format!("{problems:?}").contains("abc"), "{problems:?}");
    }

    #[test]
    fn a_secret_that_is_missing_is_named_with_its_field() {
        let problems = connected(SMTP, &Known(&[("mail", "username", "a")])).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].to_string(), "spec.smtp.credentialsRef: Secret mail has no key password");
        let problems = connected(WEBHOOK, &Known(&[("hook", "key", "whsec_%")])).unwrap_err();
        assert_eq!(problems[0].path, "spec.webhook.signingSecret.secretKeyRef");
    }
}

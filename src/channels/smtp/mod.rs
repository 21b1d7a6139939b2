//! Mail by SMTP (RFC 5321) over a few kept connections.
//!
//! Invariant: a mail's end is written at most once an attempt. A kept connection that turns out to be closed before
//! that proves that nothing was taken, and a fresh one is used within the same attempt.

mod encoded_words;
mod line;
mod mail;
mod reply;
mod session;
mod transaction;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::wire::Network;
use super::{Attempt, Channel, Outgoing, Unrecognized, wrong_content};
use crate::domain::content::Content;
use crate::domain::mail_address::Mailbox;
use mail::Mail;
pub use session::{Server, SmtpCredentials};
use transaction::{Connection, Outcome};

/// Sends mails by one server. A repetition has the Message-ID of the first try, by which mailboxes can tell it.
pub struct SmtpChannel {
    network: Network,
    server: Server,
    from: Mailbox,
    reply_to: Option<Mailbox>,
    headers: Vec<(String, String)>,
    timeout: Duration,
    /// Kept connections; the one used last is at the end.
    idle: Mutex<VecDeque<Connection>>,
    idle_max: usize,
    unrecognized: Unrecognized,
}

impl SmtpChannel {
    /// A channel to one server that keeps at most `connections` open and gives each mail `timeout` in all.
    pub fn new(
        network: Network,
        server: Server,
        from: Mailbox,
        timeout: Duration,
        connections: usize,
    ) -> Self {
        let (idle, unrecognized) = (Mutex::default(), Unrecognized::default());
        let (reply_to, headers, idle_max) = (None, Vec::new(), connections);
        SmtpChannel { network, server, from, reply_to, headers, timeout, idle, idle_max, unrecognized }
    }

    /// With a place for answers and header fields of its own in every mail.
    pub fn with_headers(self, reply_to: Option<Mailbox>, headers: Vec<(String, String)>) -> Self {
        SmtpChannel { reply_to, headers, ..self }
    }

    async fn send(&self, to: &Mailbox, data: &[u8]) -> Attempt {
        let deadline = Instant::now() + self.timeout;
        if let Some(kept) = self.kept().await
            && let Outcome::Answered(attempt) = self.send_on(kept, to, data, deadline).await
        {
            return attempt;
        }
        let fresh = match timeout_at(deadline, session::open(&self.network, &self.server)).await {
            Ok(Ok((line, offers))) => Connection::new(line, offers),
            Ok(Err(error)) => return down(error.to_string()),
            Err(_) => return down("no connection to the mail server in time".into()),
        };
        match self.send_on(fresh, to, data, deadline).await {
            Outcome::Answered(attempt) => attempt,
            Outcome::NotBegun(reason) => down(reason),
        }
    }

    async fn send_on(
        &self,
        mut connection: Connection,
        to: &Mailbox,
        data: &[u8],
        deadline: Instant,
    ) -> Outcome {
        let utf8 = self.from.address.needs_smtputf8() || to.address.needs_smtputf8();
        if utf8 && !connection.takes_utf8() {
            self.keep(connection);
            return Outcome::Answered(match self.from.address.needs_smtputf8() {
                true => down(format!(
                    "the mail server does not offer SMTPUTF8, which the sender {} needs",
                    self.from.address
                )),
                false => Attempt::refused(format!(
                    "the mail server does not offer SMTPUTF8, which {} needs",
                    to.address
                )),
            });
        }
        let outcome = connection.send(&self.from.address, &to.address, data, deadline).await;
        if let Some(said) = connection.take_unrecognized() {
            self.unrecognized.note(&said);
        }
        if connection.is_reusable() {
            self.keep(connection);
        }
        outcome
    }

    /// A kept connection that is still open, the one used last first.
    async fn kept(&self) -> Option<Connection> {
        loop {
            let mut connection = self.lock().pop_back()?;
            if connection.is_alive().await {
                return Some(connection);
            }
        }
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.lock();
        // One a mail is enough to keep up with those that were idle for too long.
        if idle.front().is_some_and(|oldest| !oldest.is_fresh()) {
            idle.pop_front();
        }
        if idle.len() < self.idle_max {
            idle.push_back(connection);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Channel for SmtpChannel {
    async fn attempt(&self, message: &Outgoing) -> Attempt {
        let Content::Email { subject, text, html } = &message.content else { return wrong_content("a mail") };
        let to = match Mailbox::parse(&message.address) {
            Ok(to) => to,
            Err(error) => return Attempt::refused(error.to_string()),
        };
        let mail = Mail {
            key: &message.key,
            from: &self.from,
            to: &to,
            reply_to: self.reply_to.as_ref(),
            headers: &self.headers,
            subject,
            text: text.as_deref(),
            html: html.as_deref(),
            date: Timestamp::now().as_second(),
        };
        match mail.data() {
            Ok(data) => self.send(&to, &data).await,
            Err(reason) => Attempt::refused(reason),
        }
    }

    async fn close(&self) {
        let idle = std::mem::take(&mut *self.lock());
        futures_util::future::join_all(idle.into_iter().map(Connection::quit)).await;
    }

    fn end_idle(&self) {
        self.lock().retain(Connection::is_fresh);
    }

    fn unrecognized(&self) -> Option<&Unrecognized> {
        Some(&self.unrecognized)
    }
}

fn down(reason: String) -> Attempt {
    Attempt::NotTaken { reason, retry_after: None, provider_down: true }
}

#[cfg(test)]
mod tests;

/// What holds of any bytes that a server may send; for the fuzz target of replies.
#[cfg(fuzzing)]
pub fn check_reply(received: &[u8]) {
    if let Ok(Some((_, length))) = reply::parse(received) {
        assert!(length <= received.len(), "more was read than came");
        let whole = reply::parse(&received[..length]).expect("what was a reply is one");
        assert_eq!(whole.map(|(_, again)| again), Some(length), "a reply is read from its own bytes");
    }
}

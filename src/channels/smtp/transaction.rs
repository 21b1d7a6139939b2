//! One mail over one connection: MAIL, RCPT and DATA in one write where the server allows it, then the mail.
//!
//! Until the last byte of the end of the mail was accepted for writing, the server cannot have taken it.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::line::{Line, Lost};
use super::reply::Reply;
use super::session::Offers;
use crate::channels::Attempt;
use crate::domain::mail_address::Address;
use crate::domain::refusal::smtp::{SmtpStep, judge};

/// A connection that is ready for mails.
pub(super) struct Connection {
    line: Line,
    offers: Offers,
    idle_until: Instant,
    /// The server may still hold the sender or recipient of a mail it refused.
    unclean: bool,
    ended: bool,
    /// What no table knew of the last answer.
    unrecognized: Option<String>,
    /// Set once the mail's bytes are being written: the count at which its end will have been.
    mail_ends_at: Option<u64>,
}

/// What came of a mail on this connection.
pub(super) enum Outcome {
    /// The server said something about it.
    Answered(Attempt),
    /// The connection was of no use, and the mail cannot have been taken: another connection may try.
    NotBegun(String),
}

/// A connection is not kept for longer: servers close idle ones after minutes.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// The stages at which a server answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Reset,
    Mail,
    Recipient,
    Data,
    End,
}

impl Stage {
    /// A server that does not even forget the last sender would not take a next one.
    fn step(self) -> SmtpStep {
        match self {
            Stage::Reset | Stage::Mail => SmtpStep::Sender,
            Stage::Recipient => SmtpStep::Recipient,
            Stage::Data => SmtpStep::Data,
            Stage::End => SmtpStep::End,
        }
    }
}

impl Connection {
    pub(super) fn new(line: Line, offers: Offers) -> Self {
        let idle_until = Instant::now() + IDLE_FOR;
        Connection {
            line,
            offers,
            idle_until,
            unclean: false,
            ended: false,
            unrecognized: None,
            mail_ends_at: None,
        }
    }

    /// Whether this connection's server takes addresses in other scripts.
    pub(super) fn takes_utf8(&self) -> bool {
        self.offers.smtputf8
    }

    /// The last answer, if it refused in a way that no table knows.
    pub(super) fn take_unrecognized(&mut self) -> Option<String> {
        self.unrecognized.take()
    }

    pub(super) fn is_reusable(&self) -> bool {
        !self.ended
    }

    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.idle_until
    }

    pub(super) async fn is_alive(&mut self) -> bool {
        self.is_fresh() && self.line.is_quiet().await
    }

    /// Says goodbye, politely but not for long.
    pub(super) async fn quit(mut self) {
        let goodbye = tokio::time::timeout(Duration::from_secs(1), self.line.ask("QUIT"));
        if goodbye.await.is_err() {
            tracing::debug!("a mail server did not answer QUIT in time");
        }
    }

    /// Sends one mail, until the deadline.
    pub(super) async fn send(
        &mut self,
        from: &Address,
        to: &Address,
        data: &[u8],
        deadline: Instant,
    ) -> Outcome {
        self.mail_ends_at = None;
        let reason = match timeout_at(deadline, self.transact(from, to, data)).await {
            Ok(Ok(attempt)) => {
                self.idle_until = Instant::now() + IDLE_FOR;
                return Outcome::Answered(attempt);
            }
            Ok(Err(lost)) => lost.to_string(),
            Err(_) => "no answer came in time".into(),
        };
        self.ended = true;
        match self.mail_ends_at.is_some_and(|end| self.line.written() >= end) {
            true => {
                Outcome::Answered(Attempt::Unknown { reason: format!("the mail was sent, then {reason}") })
            }
            false => Outcome::NotBegun(reason),
        }
    }

    async fn transact(&mut self, from: &Address, to: &Address, data: &[u8]) -> Result<Attempt, Lost> {
        if let Some((stage, reply)) = self.envelope(from, to).await? {
            return Ok(self.verdict(stage, &reply));
        }
        self.mail_ends_at = Some(self.line.written() + data.len() as u64);
        self.line.write(data).await?;
        let reply = self.line.read().await?;
        Ok(self.verdict(Stage::End, &reply))
    }

    /// Sender and recipient, up to the point where the mail is asked for; the first refusal if there was one.
    async fn envelope(&mut self, from: &Address, to: &Address) -> Result<Option<(Stage, Reply)>, Lost> {
        let (commands, count) = self.commands(from, to);
        let stages = &[Stage::Reset, Stage::Mail, Stage::Recipient, Stage::Data][4 - count..];
        if self.offers.pipelining {
            self.line.write(commands.as_bytes()).await?;
        }
        let mut refused = None;
        for (&stage, command) in stages.iter().zip(commands.split_inclusive("\r\n")) {
            if !self.offers.pipelining {
                self.line.write(command.as_bytes()).await?;
            }
            let reply = self.line.read().await?;
            if reply.is_closing() {
                return Err(Lost::Closing(reply.said()));
            }
            let goes_on = if stage == Stage::Data { reply.code == 354 } else { reply.is_positive() };
            match goes_on {
                true if stage == Stage::Data && refused.is_some() => self.end_empty_mail().await?,
                true => {}
                false => {
                    refused.get_or_insert((stage, reply));
                    if !self.offers.pipelining {
                        break;
                    }
                }
            }
        }
        self.unclean = refused.is_some();
        Ok(refused)
    }

    /// The commands of one envelope and how many they are; RSET first if the last one was refused.
    fn commands(&self, from: &Address, to: &Address) -> (String, usize) {
        let utf8 = self.offers.smtputf8 && (from.needs_smtputf8() || to.needs_smtputf8());
        let eight_bit = if self.offers.eight_bit_mime && utf8 { " BODY=8BITMIME" } else { "" };
        let reset = if self.unclean { "RSET\r\n" } else { "" };
        let smtputf8 = if utf8 { " SMTPUTF8" } else { "" };
        let mut commands = String::with_capacity(128);
        write!(commands, "{reset}MAIL FROM:<{from}>{eight_bit}{smtputf8}\r\nRCPT TO:<{to}>\r\nDATA\r\n")
            .expect("a String takes any text");
        (commands, if self.unclean { 4 } else { 3 })
    }

    /// A server that asks for the mail although it refused the recipient gets an empty one (RFC 2920, 3.1).
    async fn end_empty_mail(&mut self) -> Result<(), Lost> {
        self.line.write(b".\r\n").await?;
        self.line.read().await.map(|_| ())
    }

    fn verdict(&mut self, stage: Stage, reply: &Reply) -> Attempt {
        let mut reason = reply.said();
        self.ended |= reply.is_closing();
        if stage == Stage::End && reply.is_positive() {
            return Attempt::Sent { provider_id: Some(reason.split_off(reason.len().min(4))) };
        }
        if !(reply.is_transient() || reply.is_permanent()) {
            self.ended = true;
            return match stage {
                Stage::End => Attempt::Unknown { reason: format!("the mail was answered with: {reason}") },
                _ => Attempt::NotTaken { reason, retry_after: None, provider_down: true },
            };
        }
        let finding = judge(stage.step(), reply.code, &reply.text);
        self.unrecognized = finding.is_unrecognized().then(|| reason.clone());
        let passes = reply.is_transient() && !finding.is_the_channels();
        match reply.is_closing() || passes {
            true => Attempt::NotTaken { reason, retry_after: None, provider_down: reply.is_closing() },
            false => Attempt::found(reason, finding, None),
        }
    }
}

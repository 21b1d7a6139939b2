//! What an SMTP server says (RFC 5321, with PIPELINING, 8BITMIME, SMTPUTF8, SIZE and AUTH): a state machine
//! without I/O.

use std::sync::Arc;

use bytes::{Buf, BytesMut};

use super::auth::{self, Exchange, Outcome};
use super::command::{self, Command, Refusal};
use super::data::{Data, Progress, SIZE_MAX};
use crate::sandbox::fault::FaultStep as At;
use crate::sandbox::settings::SandboxCredentials;
use crate::sandbox::state::{Reply, Said};

/// RFC 5321 asks for 512 at least; AUTH PLAIN may be longer.
const LINE_MAX: usize = 4_096;
/// RFC 5321 asks for 100 at least.
const RECIPIENTS_MAX: usize = 100;
/// A client that is refused so often in one session is not a client.
const REFUSALS_MAX: u32 = 100;

/// What the connection does next.
#[derive(Debug)]
pub(super) enum FaultStep {
    /// Send what there is to send, then read more.
    More,
    /// A whole mail; answer it with [`Session::taken`] or [`Session::refused`].
    Mail(Envelope),
    /// Send what there is to send, then close.
    Close,
}

/// What a fault answers at a step, to whom the mail is as far as that is known.
pub(super) type AtStep<'a> = &'a dyn Fn(At, &[String]) -> Option<Reply>;

/// A mail with its envelope.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    pub from: String,
    pub to: Vec<String>,
    /// The user of an authenticated session, else empty.
    pub user: String,
    pub data: Vec<u8>,
}

#[derive(Debug)]
enum Mode {
    Command,
    Auth(Exchange),
    Data(Data),
}

/// One connection's state.
#[derive(Debug)]
pub(super) struct Session {
    credentials: Option<Arc<SandboxCredentials>>,
    mode: Mode,
    greeted: bool,
    user: Option<String>,
    mail: Option<Envelope>,
    refusals: u32,
    closing: bool,
}

impl Session {
    /// With credentials, nothing is taken before AUTH with exactly these.
    pub(super) fn new(credentials: Option<Arc<SandboxCredentials>>) -> Self {
        let mode = Mode::Command;
        Self { credentials, mode, greeted: false, user: None, mail: None, refusals: 0, closing: false }
    }

    pub(super) fn greet(&mut self, at_step: AtStep<'_>, output: &mut Vec<u8>) {
        match at_step(At::Connect, &[]) {
            Some(fault) => {
                self.fault(fault, output);
                self.closing = true;
            }
            None => say(output, "220 sandbox ESMTP"),
        }
    }

    /// Takes as much of the input as it can, and adds the replies to the output.
    pub(super) fn advance(
        &mut self,
        at_step: AtStep<'_>,
        input: &mut BytesMut,
        output: &mut Vec<u8>,
    ) -> FaultStep {
        while !self.closing {
            if let Mode::Data(data) = &mut self.mode {
                match data.take(input) {
                    Progress::More => return FaultStep::More,
                    Progress::Done => return FaultStep::Mail(self.finish_data()),
                    Progress::TooLarge => {
                        self.finish_data();
                        self.refuse("552 5.3.4 Message too large", output);
                    }
                    Progress::Endless => self.close("500 5.5.2 Line too long", output),
                }
                continue;
            }
            let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
                if input.len() <= LINE_MAX {
                    return FaultStep::More;
                }
                self.close("500 5.5.2 Line too long", output);
                continue;
            };
            let line = input.split_to(end);
            input.advance(1);
            match std::str::from_utf8(&line) {
                Ok(line) => self.line(line.trim_end_matches('\r'), at_step, output),
                Err(_) => self.refuse("500 5.5.2 Not UTF-8", output),
            }
        }
        FaultStep::Close
    }

    /// Answers a mail that was taken.
    pub(super) fn taken(&mut self, number: u64, output: &mut Vec<u8>) {
        say(output, &format!("250 2.0.0 Ok: queued as S{number}"));
    }

    /// Answers a mail that was not taken. 421 also ends the session.
    pub(super) fn refused(&mut self, code: u16, said: Said, output: &mut Vec<u8>) {
        let usual = if code < 500 { "4.7.0 Try again later" } else { "5.7.1 Refused" };
        let text = said.text.as_deref().unwrap_or(usual);
        say(output, &format!("{code} {text}"));
        self.closing = code == 421;
    }

    /// Answers a command as a fault says.
    fn fault(&mut self, fault: Reply, output: &mut Vec<u8>) {
        match fault {
            Reply::Throttle { code, said, .. } | Reply::Fail { code, said } => {
                self.refused(code, said, output);
            }
            _ => self.closing = true,
        }
    }

    fn finish_data(&mut self) -> Envelope {
        let mut envelope = self.mail.take().unwrap_or_default();
        if let Mode::Data(data) = std::mem::replace(&mut self.mode, Mode::Command) {
            envelope.data = data.into_text();
        }
        envelope.user = self.user.clone().unwrap_or_default();
        envelope
    }

    fn line(&mut self, line: &str, at_step: AtStep<'_>, output: &mut Vec<u8>) {
        match std::mem::replace(&mut self.mode, Mode::Command) {
            Mode::Auth(exchange) => self.authenticate(auth::go_on(exchange, line), output),
            Mode::Command | Mode::Data(_) => {
                let command = Command::parse(line);
                if let Some(fault) = self.at_step(&command, at_step) {
                    return self.fault(fault, output);
                }
                let answered = self.command(&command, output);
                answered.unwrap_or_else(|refusal| self.refuse(refusal, output));
            }
        }
    }

    fn at_step(&self, command: &Command<'_>, at_step: AtStep<'_>) -> Option<Reply> {
        let to = |mail: &Envelope| mail.to.clone();
        let known = self.mail.as_ref().map(to).unwrap_or_default();
        match command {
            Command::Ehlo | Command::Helo => at_step(At::Ehlo, &[]),
            Command::Auth(_) => at_step(At::Auth, &[]),
            Command::Mail(_) => at_step(At::Mail, &[]),
            Command::Rcpt(argument) => {
                let recipient = command::recipient(argument).ok()?;
                at_step(At::Rcpt, &[recipient])
            }
            Command::Data if !known.is_empty() => at_step(At::Data, &known),
            _ => None,
        }
    }

    fn command(&mut self, command: &Command<'_>, output: &mut Vec<u8>) -> Result<(), Refusal> {
        match command {
            Command::Ehlo => self.hello(
                &format!(
                    "250-sandbox\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-SIZE {SIZE_MAX}\r\n\
                     250-AUTH PLAIN LOGIN\r\n250 ENHANCEDSTATUSCODES"
                ),
                output,
            ),
            Command::Helo => self.hello("250 sandbox", output),
            Command::Auth(argument) => self.start_auth(argument, output)?,
            Command::Mail(argument) => {
                self.begin_mail(argument)?;
                say(output, "250 2.1.0 Ok");
            }
            Command::Rcpt(argument) => {
                self.add_recipient(argument)?;
                say(output, "250 2.1.5 Ok");
            }
            Command::Data => {
                if self.mail.as_ref().is_none_or(|mail| mail.to.is_empty()) {
                    return Err("503 5.5.1 MAIL and RCPT first");
                }
                self.mode = Mode::Data(Data::new());
                say(output, "354 End with <CR><LF>.<CR><LF>");
            }
            Command::Rset => {
                self.mail = None;
                say(output, "250 2.0.0 Ok");
            }
            Command::Noop => say(output, "250 2.0.0 Ok"),
            Command::Vrfy => say(output, "252 2.5.0 Send it and see"),
            Command::Quit => self.close("221 2.0.0 Bye", output),
            Command::Unknown => return Err("500 5.5.1 Command not known"),
        }
        Ok(())
    }

    fn hello(&mut self, reply: &str, output: &mut Vec<u8>) {
        self.greeted = true;
        self.mail = None;
        say(output, reply);
    }

    fn begin_mail(&mut self, argument: &str) -> Result<(), Refusal> {
        if !self.greeted {
            return Err("503 5.5.1 EHLO first");
        }
        if self.credentials.is_some() && self.user.is_none() {
            return Err("530 5.7.0 Authentication required");
        }
        if self.mail.is_some() {
            return Err("503 5.5.1 A mail is under way");
        }
        let from = command::sender(argument)?;
        self.mail = Some(Envelope { from, ..Envelope::default() });
        Ok(())
    }

    fn add_recipient(&mut self, argument: &str) -> Result<(), Refusal> {
        let mail = self.mail.as_mut().ok_or("503 5.5.1 MAIL first")?;
        if mail.to.len() == RECIPIENTS_MAX {
            return Err("452 4.5.3 Too many recipients");
        }
        mail.to.push(command::recipient(argument)?);
        Ok(())
    }

    fn start_auth(&mut self, argument: &str, output: &mut Vec<u8>) -> Result<(), Refusal> {
        if !self.greeted || self.mail.is_some() || self.user.is_some() {
            return Err("503 5.5.1 AUTH comes once, after EHLO and before MAIL");
        }
        self.authenticate(auth::start(argument), output);
        Ok(())
    }

    fn authenticate(&mut self, outcome: Outcome, output: &mut Vec<u8>) {
        match outcome {
            Outcome::Ask(reply, exchange) => {
                self.mode = Mode::Auth(exchange);
                say(output, reply);
            }
            Outcome::Refuse(reply) => self.refuse(reply, output),
            Outcome::Claim(claim) => {
                if self.credentials.as_deref().is_none_or(|expected| *expected == claim) {
                    self.user = Some(claim.username);
                    say(output, "235 2.7.0 Authenticated");
                } else {
                    self.refuse("535 5.7.8 User or password not valid", output);
                }
            }
        }
    }

    fn refuse(&mut self, reply: &str, output: &mut Vec<u8>) {
        self.refusals += 1;
        if self.refusals > REFUSALS_MAX {
            self.close("421 4.7.0 Too many errors", output);
        } else {
            say(output, reply);
        }
    }

    fn close(&mut self, reply: &str, output: &mut Vec<u8>) {
        say(output, reply);
        self.closing = true;
    }
}

fn say(output: &mut Vec<u8>, reply: &str) {
    output.extend_from_slice(reply.as_bytes());
    output.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a dialogue to a session and returns its replies; a mail is taken.
    fn dialogue(credentials: Option<SandboxCredentials>, input: &str) -> (Vec<String>, Vec<Envelope>) {
        let mut session = Session::new(credentials.map(Arc::new));
        let (mut input, mut output, mut mails) = (BytesMut::from(input.as_bytes()), Vec::new(), Vec::new());
        while let FaultStep::Mail(envelope) = session.advance(&|_, _| None, &mut input, &mut output) {
            session.taken(mails.len() as u64, &mut output);
            mails.push(envelope);
        }
        let replies = String::from_utf8(output).unwrap().lines().map(|line| line[..3].to_owned()).collect();
        (replies, mails)
    }

    #[test]
    fn a_pipelined_dialogue_is_answered_in_order() {
        let (replies, mails) = dialogue(
            None,
            "HELO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nRCPT TO:<bad>\r\nDATA\r\nhi\r\n.\r\nRSET\r\nQUIT\r\nNOOP\r\n",
        );
        assert_eq!(replies, ["250", "250", "250", "553", "354", "250", "250", "221"]);
        assert_eq!((mails[0].from.as_str(), mails[0].to.join(",")), ("a@b.c", "d@e.f".to_owned()));
        assert_eq!(mails[0].data, b"hi\r\n");
    }

    #[test]
    fn commands_out_of_order_are_refused() {
        let (replies, _) =
            dialogue(None, "MAIL FROM:<a@b.c>\r\nHELO x\r\nDATA\r\nRCPT TO:<a@b.c>\r\nWHAT\r\n");
        assert_eq!(replies, ["503", "250", "503", "503", "500"]);
    }

    #[test]
    fn credentials_are_required_once_set() {
        let credentials = Some(SandboxCredentials { username: "u".into(), password: "p".into() });
        let (replies, _) = dialogue(
            credentials.clone(),
            "HELO x\r\nMAIL FROM:<a@b.c>\r\nAUTH PLAIN AHUAcQ==\r\nAUTH PLAIN AHUAcA==\r\nMAIL FROM:<a@b.c>\r\n",
        );
        assert_eq!(replies, ["250", "530", "535", "235", "250"]);
        let (replies, _) =
            dialogue(credentials, "HELO x\r\nAUTH LOGIN\r\ndQ==\r\ncA==\r\nMAIL FROM:<a@b.c>\r\n");
        assert_eq!(replies, ["250", "334", "334", "235", "250"]);
    }
}

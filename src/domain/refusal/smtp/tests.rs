//! Row by row: what servers answer, as their sources and logs have it, and whom it is about.

use About::{Later, Message, Recipient, Us};
use SmtpStep::{Connect, Data, End, Hello, Login, Sender, StartTls};

use super::*;

const RCPT: SmtpStep = SmtpStep::Recipient;

#[track_caller]
fn expect(rows: &[(SmtpStep, u16, &str, About)]) {
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(step, code, text, about)| {
            let found = judge(*step, *code, text);
            let is_right = found.about == *about && found.basis != Basis::Unrecognized;
            (!is_right).then(|| format!("{step:?} {code} {text}: {found:?}, not {about:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn postfix() {
    expect(&[
        (RCPT, 553, "5.7.1 <warnings@example.com>: Sender address rejected: not owned by user ann", Us),
        (RCPT, 553, "5.7.1 <warnings@example.com>: Sender address rejected: not logged in", Us),
        (
            RCPT,
            550,
            "5.1.0 <a@b.example>: Sender address rejected: User unknown in local recipient table",
            Us,
        ),
        (RCPT, 450, "4.1.8 <a@b.example>: Sender address rejected: Domain not found", Us),
        (RCPT, 554, "5.7.1 <ann@example.org>: Relay access denied", Us),
        (RCPT, 454, "4.7.1 <ann@example.org>: Relay access denied", Us),
        (RCPT, 504, "5.5.2 <x>: Helo command rejected: need fully-qualified hostname", Us),
        (RCPT, 450, "4.7.1 <x>: Helo command rejected: Host not found", Us),
        (RCPT, 554, "5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied", Us),
        (RCPT, 450, "4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", Us),
        (RCPT, 554, "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", Us),
        (RCPT, 530, "5.7.0 Authentication required", Us),
        (Sender, 530, "5.7.0 Must issue a STARTTLS command first", Us),
        (RCPT, 550, "5.1.1 <ann@example.org>: Recipient address rejected: User unknown", Recipient),
        (RCPT, 450, "4.1.1 <ann@example.org>: Recipient address rejected: unverified address", Recipient),
        (RCPT, 554, "5.7.1 <ann@example.org>: Recipient address rejected: Access denied", Recipient),
        (RCPT, 550, "5.1.2 <ann@x.example>: Recipient address rejected: Domain not found", Recipient),
        (
            RCPT,
            556,
            "5.1.10 <ann@x.example>: Recipient address rejected: Domain x does not accept mail",
            Recipient,
        ),
        (RCPT, 501, "5.1.3 Bad recipient address syntax", Recipient),
        (RCPT, 450, "4.2.0 <ann@example.org>: Recipient address rejected: Greylisted", Recipient),
        (
            RCPT,
            554,
            "5.7.1 <a@b.example>: Recipient address rejected: Policy rejection; Message count quota exceeded",
            Us,
        ),
        (
            RCPT,
            550,
            "5.7.23 <a@b.example>: Recipient address rejected: Message rejected due to: SPF fail",
            Us,
        ),
        (RCPT, 451, "4.3.0 <ann@example.org>: Temporary lookup failure", Later),
        (RCPT, 451, "4.3.5 Server configuration problem", Us),
        (RCPT, 452, "4.3.1 Insufficient system storage", Later),
        (RCPT, 452, "4.2.2 <ann@example.org>: mailbox is full", Recipient),
        (RCPT, 452, "4.5.3 Error: too many recipients", Later),
        (RCPT, 503, "5.5.1 Error: need MAIL command", Us),
        (End, 552, "5.3.4 Error: message file too big", Message),
        (End, 550, "5.7.1 Spam message rejected", Message),
        (End, 451, "4.3.0 Error: queue file write error", Message),
        (End, 421, "4.4.2 mail.example.com Error: timeout exceeded", Later),
        (Hello, 502, "5.5.1 Error: command not recognized", Us),
    ]);
}

#[test]
fn exim_and_cpanel() {
    expect(&[
        (RCPT, 550, "relay not permitted", Us),
        (RCPT, 550, "Sender verify failed", Us),
        (RCPT, 550, "Verification failed for <a@b.example>\nUnrouteable address\nSender verify failed", Us),
        (RCPT, 550, "Administrative prohibition", Us),
        (RCPT, 550, "rejected because 192.0.2.1 is in a black list at zen.spamhaus.org", Us),
        (RCPT, 550, "SMTP AUTH is required for message submission on port 587", Us),
        (
            RCPT,
            550,
            "Please turn on SMTP Authentication in your mail client.\nmail is not permitted to relay",
            Us,
        ),
        (RCPT, 550, "Bad HELO - Host impersonating domain name [example.com]", Us),
        (RCPT, 503, "sender not yet given", Us),
        (RCPT, 550, "Unrouteable address", Recipient),
        (RCPT, 550, "unknown user", Recipient),
        (RCPT, 550, "No Such User Here", Recipient),
        (RCPT, 451, "Greylisted, please try again in 300 seconds", Recipient),
        (RCPT, 451, "Temporary local problem - please try later", Later),
        (End, 550, "This message scored 12.5 spam points.", Message),
        (End, 552, "message size exceeds maximum permitted", Message),
        (
            End,
            550,
            "Domain x has exceeded the max emails per hour (105/100 (105%)) allowed.  Message discarded.",
            Us,
        ),
        (End, 550, "Outgoing mail from \"ann\" has been suspended.", Us),
        (RCPT, 550, "Message rejected because SPF check failed", Us),
    ]);
}

#[test]
fn exchange_online_and_outlook() {
    expect(&[
        (Sender, 530, "5.7.57 Client not authenticated to send mail.", Us),
        (End, 550, "5.7.60 SMTP; Client does not have permissions to send as this sender", Us),
        (End, 554, "5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied", Us),
        (RCPT, 550, "5.7.54 SMTP; Unable to relay recipient in non-accepted domain", Us),
        (RCPT, 550, "5.7.64 TenantAttribution; Relay Access Denied", Us),
        (RCPT, 550, "5.7.1 Unable to relay", Us),
        (RCPT, 550, "5.4.1 Recipient address rejected: Access denied. AS(201806281)", Recipient),
        (
            RCPT,
            550,
            "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
            Recipient,
        ),
        (RCPT, 550, "5.7.1 RESOLVER.RST.AuthRequired; authentication required", Recipient),
        (RCPT, 550, "5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup", Recipient),
        (End, 550, "5.1.8 Access denied, bad outbound sender", Us),
        (
            End,
            550,
            "5.1.90 Your message can't be sent because you've reached your daily limit for message recipients",
            Us,
        ),
        (End, 550, "5.2.2 Submission quota exceeded", Us),
        (RCPT, 550, "5.2.121 RESOLVER.RST.RecipientHourlyLimit", Recipient),
        (End, 554, "5.2.2 mailbox full", Recipient),
        (RCPT, 550, "5.7.501 Access denied, spam abuse detected from IP range.", Us),
        (RCPT, 550, "5.7.508 Access denied, [2001:db8::1] has exceeded permitted limits", Us),
        (End, 550, "5.7.509 Access denied, sending domain example.com does not pass DMARC verification", Us),
        (RCPT, 550, "5.7.606 Access denied, banned sending IP [192.0.2.1]", Us),
        (End, 550, "5.7.705 Service unavailable. Access denied, tenant has exceeded threshold", Us),
        (End, 550, "5.7.708 Service unavailable. Access denied, traffic not accepted from this IP", Us),
        (Connect, 421, "4.3.2 Service not available", Later),
        (End, 432, "4.3.2 Concurrent connections limit exceeded", Later),
        (RCPT, 451, "4.7.500 Server busy. Please try again later", Later),
        (Login, 535, "5.7.3 Authentication unsuccessful", Us),
        (RCPT, 550, "SC-001 (BAY004-MC1F1) Unfortunately, messages from 192.0.2.1 weren't sent.", Us),
        (
            RCPT,
            550,
            "5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent; your network is on our block list",
            Us,
        ),
    ]);
}

#[test]
fn gmail_and_yahoo() {
    expect(&[
        (RCPT, 550, "5.1.1 The email account that you tried to reach does not exist.", Recipient),
        (RCPT, 550, "5.2.1 The email account that you tried to reach is disabled.", Recipient),
        (RCPT, 450, "4.2.1 The user you are trying to contact is receiving mail too quickly.", Recipient),
        (RCPT, 452, "4.2.2 The email account that you tried to reach is over quota.", Recipient),
        (End, 550, "5.4.5 Daily user sending limit exceeded.", Us),
        (RCPT, 550, "5.7.0 Mail relay denied [192.0.2.1].", Us),
        (Sender, 530, "5.7.0 Authentication Required.", Us),
        (Sender, 550, "5.7.1 Invalid credentials for relay [192.0.2.1].", Us),
        (End, 550, "5.7.26 This mail has been blocked because the sender is unauthenticated.", Us),
        (End, 421, "4.7.28 Our system has detected an unusual rate of unsolicited mail", Us),
        (End, 550, "5.7.1 [192.0.2.1] The IP you're using to send mail is not authorized", Us),
        (End, 550, "5.7.25 The IP address sending this message does not have a PTR record", Us),
        (End, 421, "4.7.32 Your email has been rate limited because the From: header isn't aligned", Us),
        (End, 550, "5.7.1 Our system has detected that this message is likely unsolicited mail.", Message),
        (
            End,
            552,
            "5.7.0 This message was blocked because its content presents a potential security issue.",
            Message,
        ),
        (End, 552, "5.3.4 Your message exceeded Google's message size limits.", Message),
        (Sender, 421, "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred", Us),
        (RCPT, 553, "5.7.2 [TSS09] All messages from 192.0.2.1 will be permanently deferred", Us),
        (End, 554, "5.7.9 Message not accepted for policy reasons.", Message),
        (End, 554, "delivery error: dd This user doesn't have a yahoo.com account [0]", Recipient),
        (End, 554, "Message not allowed - [298] Sender address (a) is not allowed", Us),
    ]);
}

#[test]
fn amazon_ses() {
    expect(&[
        (Login, 535, "Authentication Credentials Invalid", Us),
        (Sender, 530, "Authentication required", Us),
        (
            End,
            554,
            "Message rejected: Email address is not verified. The following identities failed the check",
            Us,
        ),
        (End, 554, "Message rejected: Sending suspended for this account.", Us),
        (End, 554, "Message rejected: Sending paused for this account.", Us),
        (End, 454, "Throttling failure: Maximum sending rate exceeded.", Later),
        (End, 454, "Throttling failure: Daily message quota exceeded.", Us),
        (
            End,
            554,
            "Access denied: User `arn:aws:iam::1:user/x' is not authorized to perform `ses:SendRawEmail'",
            Us,
        ),
        (End, 554, "Message rejected: Address blacklisted.", Recipient),
        (Sender, 501, "5.1.7 Invalid MAIL FROM address provided", Us),
    ]);
}

#[test]
fn sendmail_opensmtpd_and_qmail() {
    expect(&[
        (RCPT, 550, "5.7.1 <ann@example.org>... Relaying denied. IP name lookup failed [192.0.2.1]", Us),
        (RCPT, 550, "5.7.1 <ann@example.org>... Access denied", Us),
        (RCPT, 550, "5.0.0 Access denied", Us),
        (Sender, 553, "5.1.8 <a@b.example>... Domain of sender address a@b.example does not exist", Us),
        (Sender, 553, "5.5.4 <a>... Domain name required for sender address a", Us),
        (RCPT, 550, "5.1.1 <ann@example.org>... User unknown", Recipient),
        (RCPT, 550, "5.2.1 <ann@example.org>... Mailbox disabled for this recipient", Recipient),
        (RCPT, 451, "4.7.1 Greylisting in action, please come back later", Recipient),
        (Sender, 452, "4.4.5 Insufficient disk space; try again later", Us),
        (Connect, 421, "4.3.2 Connection rate limit exceeded.", Later),
        (End, 552, "5.3.4 Message size exceeds fixed limit", Message),
        (End, 554, "5.0.0 Service unavailable", Later),
        (RCPT, 550, "Invalid recipient", Recipient),
        (Sender, 530, "5.5.1 Invalid command: Must issue a STARTTLS command first", Us),
        (RCPT, 553, "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", Us),
        (RCPT, 550, "sorry, no mailbox here by that name. (#5.1.1)", Recipient),
        (Connect, 554, "mail.gmx.net Nemesis ESMTP Service not available; Bad DNS PTR resource record.", Us),
        (
            RCPT,
            550,
            "Requested action not taken: mailbox unavailable; invalid DNS MX or A/AAAA resource record",
            Us,
        ),
        (RCPT, 550, "Requested action not taken: mailbox unavailable", Recipient),
    ]);
}

#[test]
fn the_standards_codes() {
    expect(&[
        (Connect, 421, "Service not available, closing transmission channel", Later),
        (StartTls, 454, "4.7.0 TLS not available due to temporary reason", Later),
        (Login, 454, "4.7.0 Temporary authentication failure", Us),
        (Login, 432, "4.7.12 A password transition is needed", Us),
        (Login, 534, "5.7.9 Authentication mechanism is too weak", Us),
        (Login, 535, "5.7.8 Authentication credentials invalid", Us),
        (Login, 538, "5.7.11 Encryption required for requested authentication mechanism", Us),
        (Sender, 525, "5.7.13 User account disabled", Us),
        (Sender, 455, "Server unable to accommodate parameters", Us),
        (Sender, 553, "5.1.7 bad sender", Us),
        (RCPT, 503, "Bad sequence of commands", Us),
        (RCPT, 551, "User not local; please try elsewhere", Recipient),
        (RCPT, 552, "Requested mail action aborted: exceeded storage allocation", Recipient),
        (RCPT, 553, "Requested action not taken: mailbox name not allowed", Recipient),
        (RCPT, 556, "Domain does not accept mail", Recipient),
        (RCPT, 550, "5.1.10 Recipient address has null MX", Recipient),
        (End, 550, "5.7.27 Sender address has null MX", Us),
        (Data, 452, "Requested action not taken: insufficient system storage", Later),
        (End, 552, "Exceeded", Message),
        (RCPT, 550, "5.7.17 Mailbox owner has changed", Recipient),
        (RCPT, 553, "5.6.7 Non-ASCII addresses not permitted", Recipient),
        (RCPT, 554, "5.7.1 quota exceeded", Us),
    ]);
}

#[test]
fn bare_words_of_who_writes_no_enhanced_codes() {
    expect(&[
        (RCPT, 553, "sender not owned", Us),
        (RCPT, 554, "relay access denied", Us),
        (RCPT, 504, "HELO rejected", Us),
        (RCPT, 554, "client host rejected", Us),
        (RCPT, 530, "authentication required", Us),
        (RCPT, 550, "quota exceeded", Us),
        (End, 552, "quota exceeded", Us),
        (End, 550, "account disabled", Us),
        (End, 550, "insufficient credits", Us),
        (End, 550, "monthly limit reached", Us),
        (RCPT, 572, "Relay not authorized", Us),
        (RCPT, 550, "sender blacklisted", Us),
        (RCPT, 552, "mailbox full", Recipient),
        (RCPT, 550, "mailbox not found", Recipient),
        (End, 554, "message contains a virus", Message),
    ]);
}

#[test]
fn what_no_row_knows_is_judged_by_its_step() {
    for (step, code, text, about) in [
        (Connect, 554, "go away", Us),
        (Hello, 550, "go away", Us),
        (Sender, 550, "go away", Us),
        (RCPT, 550, "go away", Recipient),
        (RCPT, 550, "5.1.0 go away", Recipient),
        (RCPT, 550, "5.7.1 go away", Us),
        (RCPT, 554, "go away", Us),
        (Data, 554, "go away", Message),
        (End, 550, "go away", Message),
        (End, 554, "5.7.1 Refused", Message),
    ] {
        let found = judge(step, code, text);
        assert_eq!(found, RefusalFinding::new(about, Basis::Unrecognized), "{step:?} {code} {text}");
    }
}

#[test]
fn a_customers_address_is_not_read_as_the_servers_words() {
    let found = judge(RCPT, 550, "<relay.denied@example.org>: go away");
    assert_eq!(found, RefusalFinding::new(Recipient, Basis::Unrecognized));
    let found = judge(RCPT, 550, "spf dkim@example.org is nobody's 5.1.1");
    assert_eq!(found.about, Recipient);
}

#[test]
fn enhanced_codes_are_found_where_servers_put_them() {
    for text in ["5.1.1 no", "(#5.1.1)", "#5.1.1 no", "no [5.1.1]", "no, 5.1.1: no"] {
        assert_eq!(status(550, text).as_deref(), Some("1.1"), "{text}");
    }
    for text in ["4.1.1 no", "5.1", "192.0.2.1", "15.1.1", "5.1.1.1", "no"] {
        assert_eq!(status(550, text), None, "{text}");
    }
}

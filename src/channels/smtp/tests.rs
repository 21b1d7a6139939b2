//! What a mail comes to at every stage, by a server that plays it.

use std::sync::Arc;

use super::*;
use crate::api::SmtpTls;
use crate::channels::Reach;
use crate::channels::egress::{Egress, HostMap};
use crate::channels::tests::scripted::{Hang, Hear, Reset, Scripted, Step, say};
use crate::channels::wire::Tls;
use crate::domain::secret::Secret;

const GREETING: &str = "220 mail.example ESMTP\r\n";
const OFFERS: &str =
    "250-mail.example\r\n250-PIPELINING\r\n250-AUTH PLAIN LOGIN\r\n250-SMTPUTF8\r\n250 8BITMIME\r\n";
const GO_ON: &str = "250 sender\r\n250 recipient\r\n354 go on\r\n";
const TAKEN: &str = "250 2.0.0 queued as 7\r\n";

fn hello(offers: &str) -> Vec<Step> {
    vec![say(GREETING), Hear("\r\n"), say(offers)]
}

/// A pipelining server that is greeted and then goes on like this.
fn script(rest: impl IntoIterator<Item = Step>) -> Vec<Step> {
    hello(OFFERS).into_iter().chain(rest).collect()
}

fn mail_taken() -> [Step; 4] {
    [Hear("DATA\r\n"), say(GO_ON), Hear("\r\n.\r\n"), say(TAKEN)]
}

fn smtp(port: u16, credentials: Option<SmtpCredentials>) -> SmtpChannel {
    let network = Network { egress: Arc::new(Egress::for_dev(HostMap::default())), tls: Tls::default() };
    let server = Server { host: "127.0.0.1".into(), port, tls: SmtpTls::None, credentials };
    let from = Mailbox::parse("Example <warnings@example.com>").unwrap();
    SmtpChannel::new(network, server, from, Duration::from_millis(300), 4)
}

fn to(address: &str) -> Outgoing {
    let content = Content::Email { subject: "Snow".into(), text: Some("Hello\n.dot".into()), html: None };
    Outgoing { key: "0af3".into(), address: address.into(), content, trace: None }
}

async fn outcome(script: Vec<Step>) -> Attempt {
    let server = Scripted::play(vec![script]).await;
    smtp(server.port, None).attempt(&to("ann@example.org")).await
}

fn sent() -> Attempt {
    Attempt::Sent { provider_id: Some("2.0.0 queued as 7".into()) }
}

/// What a refused mail was refused with.
fn refusal(attempt: Attempt) -> String {
    match attempt {
        Attempt::Refused { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

fn is_down(attempt: &Attempt) -> Option<bool> {
    match attempt {
        Attempt::NotTaken { provider_down, .. } => Some(*provider_down),
        Attempt::Throttled { .. } => Some(true),
        _ => None,
    }
}

#[tokio::test]
async fn mails_go_out_pipelined_over_one_connection() {
    let server = Scripted::play(vec![script(mail_taken().into_iter().chain(mail_taken()))]).await;
    let channel = smtp(server.port, None);
    assert_eq!(channel.attempt(&to("ann@example.org")).await, sent());
    assert_eq!(channel.attempt(&to("Ben <ben@example.org>")).await, sent());
    let heard = server.heard(0);
    assert!(
        heard.starts_with(
            "EHLO [127.0.0.1]\r\nMAIL FROM:<warnings@example.com>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n"
        ),
        "{heard}"
    );
    assert!(heard.contains("Message-ID: <0af3@example.com>\r\n"), "{heard}");
    assert!(
        heard.contains(
            "Hello\r\n..dot\r\n.\r\nMAIL FROM:<warnings@example.com>\r\nRCPT TO:<ben@example.org>\r\n"
        ),
        "{heard}"
    );
}

#[tokio::test]
async fn a_server_without_pipelining_is_asked_step_by_step() {
    let steps = [
        Hear("MAIL FROM:<warnings@example.com>\r\n"),
        say("250 a\r\n"),
        Hear("RCPT TO:<ann@example.org>\r\n"),
        say("250 b\r\n"),
        Hear("DATA\r\n"),
        say("354 c\r\n"),
        Hear("\r\n.\r\n"),
        say(TAKEN),
    ];
    assert_eq!(outcome(hello("250 mail.example\r\n").into_iter().chain(steps).collect()).await, sent());
    let old = vec![
        say(GREETING),
        Hear("\r\n"),
        say("502 what\r\n"),
        Hear("HELO [127.0.0.1]\r\n"),
        say("250 hi\r\n"),
        Hear("MAIL FROM:<warnings@example.com>\r\n"),
        say("250 a\r\n"),
        Hear("RCPT TO:<ann@example.org>\r\n"),
        say("550 no\r\n"),
    ];
    assert_eq!(refusal(outcome(old).await), "550 no");
}

#[tokio::test]
async fn a_5xx_is_final_once_the_recipient_is_named() {
    let at = |replies: &str| outcome(script([Hear("DATA\r\n"), say(replies)]));
    let recipient = at("250 a\r\n550 5.1.1 nobody\r\n503 x\r\n").await;
    assert_eq!(recipient, Attempt::refused("550 5.1.1 nobody"));
    let data = at("250 a\r\n250 b\r\n554 no\r\n").await;
    assert_eq!(refusal(data), "554 no");
    let end = outcome(script([Hear("DATA\r\n"), say(GO_ON), Hear("\r\n.\r\n"), say("554 spam\r\n")])).await;
    assert_eq!(refusal(end), "554 spam");
}

#[tokio::test]
async fn a_refused_sender_is_the_channels_trouble_and_no_recipients() {
    let at = |replies: &str| outcome(script([Hear("DATA\r\n"), say(replies)]));
    for refusal in ["530 5.7.0 Authentication required", "550 sender", "553 not yours"] {
        let attempt = at(&format!("{refusal}\r\n503 x\r\n503 x\r\n")).await;
        assert_eq!(is_down(&attempt), Some(true), "{attempt:?}");
        assert_eq!(attempt.reason(), Some(refusal));
    }
}

#[tokio::test]
async fn what_refuses_us_is_never_the_recipients_failure() {
    let at = |replies: &str| outcome(script([Hear("DATA\r\n"), say(replies)]));
    for refusal in [
        "553 5.7.1 <warnings@example.com>: Sender address rejected: not owned by user ann",
        "554 5.7.1 <ann@example.org>: Relay access denied",
        "504 5.5.2 <x>: Helo command rejected: need fully-qualified hostname",
        "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied",
        "530 5.7.0 Authentication required",
        "550 5.4.5 Daily user sending limit exceeded",
    ] {
        let attempt = at(&format!("250 a\r\n{refusal}\r\n503 x\r\n")).await;
        assert_eq!(is_down(&attempt), Some(true), "at RCPT: {attempt:?}");
        let steps = [Hear("DATA\r\n"), say(GO_ON), Hear("\r\n.\r\n"), say(&format!("{refusal}\r\n"))];
        let attempt = outcome(script(steps)).await;
        assert_eq!(is_down(&attempt), Some(true), "after the mail: {attempt:?}");
        assert_eq!(attempt.reason(), Some(refusal));
    }
}

#[tokio::test]
async fn a_refusal_that_no_row_knows_is_noted() {
    let server =
        Scripted::play(vec![script([Hear("DATA\r\n"), say("250 a\r\n550 tuesday\r\n503 x\r\n")])]).await;
    let channel = smtp(server.port, None);
    let attempt = channel.attempt(&to("ann@example.org")).await;
    let reach = Reach::PerhapsAll { alike: "550 tuesday".into() };
    assert_eq!(attempt, Attempt::Refused { reason: "550 tuesday".into(), reach });
    let unrecognized = channel.unrecognized().unwrap();
    assert_eq!((unrecognized.count(), unrecognized.last().as_deref()), (1, Some("550 tuesday")));
}

#[tokio::test]
async fn a_4xx_proves_that_nothing_was_taken_at_every_stage() {
    let at = |replies: &str| outcome(script([Hear("DATA\r\n"), say(replies)]));
    assert_eq!(is_down(&at("451 later\r\n503 x\r\n503 x\r\n").await), Some(true));
    assert_eq!(is_down(&at("250 a\r\n450 greylisted\r\n503 x\r\n").await), Some(false));
    assert_eq!(is_down(&at("250 a\r\n250 b\r\n452 full\r\n").await), Some(false));
    assert_eq!(is_down(&at("421 closing\r\n").await), Some(true));
    let end =
        outcome(script([Hear("DATA\r\n"), say(GO_ON), Hear("\r\n.\r\n"), say("451 local error\r\n")])).await;
    assert_eq!(is_down(&end), Some(false));
}

#[tokio::test]
async fn a_refused_recipient_leaves_the_connection_usable() {
    let mail = [
        Hear("DATA\r\n"),
        say("250 a\r\n550 nobody\r\n354 go on\r\n"),
        Hear("\r\n.\r\n"),
        say("554 none\r\n"),
    ];
    let next = [Hear("DATA\r\n"), say("250 reset\r\n"), say(GO_ON), Hear("\r\n.\r\n"), say(TAKEN)];
    let server = Scripted::play(vec![script(
        [Hear("DATA\r\n"), mail[1].clone(), Hear(".\r\n"), mail[3].clone()].into_iter().chain(next),
    )])
    .await;
    let channel = smtp(server.port, None);
    assert_eq!(refusal(channel.attempt(&to("nobody@example.org")).await), "550 nobody");
    assert_eq!(channel.attempt(&to("ann@example.org")).await, sent());
    assert!(server.heard(0).contains("DATA\r\n.\r\nRSET\r\nMAIL FROM:"), "{}", server.heard(0));
}

#[tokio::test]
async fn only_a_failure_behind_the_mails_end_is_unknown() {
    for last in [vec![], vec![Reset], vec![Hang], vec![say("hello\r\n")], vec![say("354 what\r\n")]] {
        let steps = [Hear("DATA\r\n"), say(GO_ON), Hear("\r\n.\r\n")].into_iter().chain(last.clone());
        let attempt = outcome(script(steps)).await;
        assert!(matches!(attempt, Attempt::Unknown { .. }), "{last:?}: {attempt:?}");
    }
    for last in [vec![], vec![Reset], vec![Hang], vec![say("hello\r\n")]] {
        let attempt = outcome(script([Hear("DATA\r\n")].into_iter().chain(last.clone()))).await;
        assert_eq!(is_down(&attempt), Some(true), "{last:?}: {attempt:?}");
    }
}

#[tokio::test]
async fn a_connection_lost_in_the_middle_of_a_mail_took_nothing() {
    let server = Scripted::play(vec![script([Hear("DATA\r\n"), say(GO_ON), Step::Stall])]).await;
    let mut message = to("ann@example.org");
    message.content =
        Content::Email { subject: "Long".into(), text: Some("x\n".repeat(3 << 20)), html: None };
    assert_eq!(is_down(&smtp(server.port, None).attempt(&message).await), Some(true));
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_replaced() {
    let goodbyes = [vec![], vec![say("421 idle\r\n"), Hang]];
    for goodbye in goodbyes {
        let first = script(mail_taken().into_iter().chain(goodbye));
        let server = Scripted::play(vec![first, script(mail_taken())]).await;
        let channel = smtp(server.port, None);
        assert_eq!(channel.attempt(&to("ann@example.org")).await, sent());
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert_eq!(channel.attempt(&to("ben@example.org")).await, sent());
    }
}

#[tokio::test]
async fn a_kept_connection_that_closes_before_the_mail_is_replaced() {
    for goodbye in [say("421 idle\r\n"), Reset] {
        let first = script(mail_taken().into_iter().chain([Hear("DATA\r\n"), goodbye]));
        let server = Scripted::play(vec![first, script(mail_taken())]).await;
        let channel = smtp(server.port, None);
        assert_eq!(channel.attempt(&to("ann@example.org")).await, sent());
        assert_eq!(channel.attempt(&to("ben@example.org")).await, sent());
        assert!(!server.heard(0).contains("To: <ben@"), "{}", server.heard(0));
    }
}

#[tokio::test]
async fn credentials_are_given_and_never_shown() {
    let credentials =
        || Some(SmtpCredentials { username: Secret::new("ann"), password: Secret::new("hunter2\n") });
    let plain = vec![
        say(GREETING),
        Hear("\r\n"),
        say(OFFERS),
        Hear("AUTH PLAIN AGFubgBodW50ZXIy\r\n"),
        say("235 ok\r\n"),
    ];
    let server = Scripted::play(vec![plain.into_iter().chain(mail_taken()).collect()]).await;
    assert_eq!(smtp(server.port, credentials()).attempt(&to("ann@example.org")).await, sent());
    let login = vec![
        say(GREETING),
        Hear("\r\n"),
        say("250-x\r\n250 AUTH LOGIN\r\n"),
        Hear("AUTH LOGIN\r\n"),
        say("334 VXNlcm5hbWU6\r\n"),
        Hear("YW5u\r\n"),
        say("334 UGFzc3dvcmQ6\r\n"),
        Hear("aHVudGVyMg==\r\n"),
        say("535 wrong: hunter2\r\n"),
    ];
    let server = Scripted::play(vec![login]).await;
    let refused = smtp(server.port, credentials()).attempt(&to("ann@example.org")).await;
    assert_eq!(is_down(&refused), Some(true));
    assert!(
        format!("{refused:?}").contains("AUTH with: 535") && !format!("{refused:?}").contains("hunter2"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn starttls_is_never_skipped() {
    let network = Network { egress: Arc::new(Egress::for_dev(HostMap::default())), tls: Tls::default() };
    let server = Scripted::play(vec![script([Hang])]).await;
    let settings =
        Server { host: "127.0.0.1".into(), port: server.port, tls: SmtpTls::StartTls, credentials: None };
    let from = Mailbox::parse("warnings@example.com").unwrap();
    let channel = SmtpChannel::new(network, settings, from, Duration::from_millis(300), 4);
    let attempt = channel.attempt(&to("ann@example.org")).await;
    assert!(format!("{attempt:?}").contains("does not offer STARTTLS"), "{attempt:?}");
    assert!(!server.heard(0).contains("MAIL"), "{}", server.heard(0));
}

#[tokio::test]
async fn another_script_needs_a_server_that_takes_it() {
    let server = Scripted::play(vec![script(mail_taken())]).await;
    assert_eq!(smtp(server.port, None).attempt(&to("j\u{f6}rg@example.org")).await, sent());
    assert!(
        server
            .heard(0)
            .contains("MAIL FROM:<warnings@example.com> BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<j\u{f6}rg@")
    );
    let server = Scripted::play(vec![hello("250 PIPELINING\r\n")]).await;
    let refused = smtp(server.port, None).attempt(&to("j\u{f6}rg@example.org")).await;
    assert!(matches!(refused, Attempt::Refused { .. }), "{refused:?}");
}

#[tokio::test]
async fn an_address_with_a_line_break_is_refused_unsent() {
    let attempt = smtp(1, None).attempt(&to("ann@example.org\r\nRCPT TO:<ben@example.org>")).await;
    assert!(matches!(attempt, Attempt::Refused { .. }), "{attempt:?}");
}

#[tokio::test]
async fn closing_says_goodbye() {
    let server =
        Scripted::play(vec![script(mail_taken().into_iter().chain([Hear("QUIT\r\n"), say("221 bye\r\n")]))])
            .await;
    let channel = smtp(server.port, None);
    channel.attempt(&to("ann@example.org")).await;
    channel.close().await;
    assert!(server.heard(0).ends_with("QUIT\r\n"));
}

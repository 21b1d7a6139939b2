//! Mails in.

use super::*;

const MAIL: &str = "Message-ID: <7@fanfare>\r\nSubject: Storm\r\n\r\nStay home.\r\n.\r\n";

async fn greeted(running: &RunningSandbox) -> Peer {
    let mut peer = Peer::connect(running.smtp_addr).await;
    peer.hear_until("220 sandbox ESMTP\r\n").await;
    peer.say("EHLO test\r\n").await;
    let hello = peer.hear_until("250 ENHANCEDSTATUSCODES\r\n").await;
    for extension in ["PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10485760", "AUTH PLAIN LOGIN"] {
        assert!(hello.contains(&format!("250-{extension}\r\n")), "{hello}");
    }
    peer
}

async fn until_data(peer: &mut Peer, to: &str) {
    peer.say(&format!("MAIL FROM:<storm@fanfare.dev> BODY=8BITMIME\r\nRCPT TO:<{to}>\r\nDATA\r\n")).await;
    peer.hear_until("250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End with <CR><LF>.<CR><LF>\r\n").await;
}

async fn send(peer: &mut Peer, to: &str) {
    until_data(peer, to).await;
    peer.say(MAIL).await;
}

#[tokio::test]
async fn a_mail_is_on_disk_before_it_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(recording(folder.path(), &[])).await;
    let mut peer = greeted(&running).await;
    send(&mut peer, "ann@example.org").await;
    assert_eq!(peer.hear_until("\r\n").await, "250 2.0.0 Ok: queued as S0\r\n");

    let [message] = &record(folder.path())[..] else { panic!("one message is recorded") };
    assert_eq!((message.seq, message.protocol, message.taken), (1, Protocol::Smtp, true));
    assert_eq!(message.answered, "ok");
    assert_eq!(message.content.from, "storm@fanfare.dev");
    assert_eq!(message.content.to, ["ann@example.org"]);
    assert_eq!(message.content.message_id.as_deref(), Some("<7@fanfare>"));
    assert_eq!(message.content.subject.as_deref(), Some("Storm"));
    assert_eq!(message.content.text.as_deref(), Some("Stay home.\n"));

    peer.say("QUIT\r\n").await;
    assert_eq!(peer.hear_all().await.unwrap(), "221 2.0.0 Bye\r\n");
    running.stop().await;
}

#[tokio::test]
async fn refusals_are_recorded_as_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let faults = ["smtp:throttle,count=1", "smtp:fail,count=1", "smtp:fail,keep,count=1,status=450"];
    let running = start(recording(folder.path(), &faults)).await;
    let mut peer = greeted(&running).await;
    for expected in ["451 4.7.0", "554 5.7.1", "450 4.7.0", "250 2.0.0"] {
        send(&mut peer, "ann@example.org").await;
        let answer = peer.hear_until("\r\n").await;
        assert!(answer.starts_with(expected), "{answer}");
    }
    let told: Vec<_> = record(folder.path()).into_iter().map(|m| (m.answered, m.taken)).collect();
    let expected = [("451", false), ("554", false), ("450", true), ("ok", true)];
    assert_eq!(told, expected.map(|(answered, taken)| (answered.to_owned(), taken)));
    running.stop().await;
}

#[tokio::test]
async fn it_can_leave_a_mail_unanswered_in_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let faults = [
        "smtp:hang,to=hang@x.y",
        "smtp:close,keep,to=close@x.y",
        "smtp:reset,to=reset@x.y",
        "smtp:ok,delay-ms=200",
    ];
    let running = start(recording(folder.path(), &faults)).await;

    let mut hung = greeted(&running).await;
    send(&mut hung, "hang@x.y").await;
    assert!(hung.is_silent().await);

    let mut closed = greeted(&running).await;
    send(&mut closed, "close@x.y").await;
    assert_eq!(closed.hear_all().await.unwrap(), "");

    let mut reset = greeted(&running).await;
    send(&mut reset, "reset@x.y").await;
    assert_eq!(reset.hear_all().await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);

    let (mut late, sent) = (greeted(&running).await, std::time::Instant::now());
    send(&mut late, "late@x.y").await;
    assert!(late.hear_until("\r\n").await.starts_with("250"));
    assert!(sent.elapsed() >= Duration::from_millis(200));

    let told: Vec<_> = record(folder.path()).into_iter().map(|m| (m.answered, m.taken)).collect();
    let expected = [("none", false), ("closed", true), ("reset", false), ("ok", true)];
    assert_eq!(told, expected.map(|(answered, taken)| (answered.to_owned(), taken)));
    timeout(DEADLINE, running.stop()).await.expect("a hanging connection does not hold up the stop");
    assert_eq!(hung.hear_all().await.unwrap(), "");
}

#[tokio::test]
async fn without_a_record_it_counts() {
    let running = start(SandboxSettings { record: Record::None, ..SandboxSettings::default() }).await;
    let mut peer = greeted(&running).await;
    for _ in 0..5 {
        send(&mut peer, "ann@example.org").await;
        peer.hear_until("\r\n").await;
    }
    let stats = running.stats();
    assert_eq!((stats.smtp.received, stats.smtp.taken, stats.smtp_connections), (5, 5, 1));
    assert!(stats.smtp.first_at.unwrap() < stats.smtp.last_at.unwrap());
    assert!(running.messages(&Filter::default()).items.is_empty());
    running.stop().await;
}

#[tokio::test]
async fn a_device_is_no_record() {
    let settings = SandboxSettings { record: Record::File("/dev/full".into()), ..SandboxSettings::default() };
    let error = Sandbox::start(settings).await.unwrap_err();
    assert_eq!(error.to_string(), "record /dev/full: it is no regular file");
}

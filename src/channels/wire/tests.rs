//! Protected connections, against a server with a certificate of its own.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::channels::egress::{Egress, HostMap};
use crate::channels::smtp::{Server, SmtpChannel};
use crate::channels::tests::certificate::Certificate;
use crate::channels::{Attempt, Channel, Outgoing};
use crate::domain::content::Content;

fn network(tls: Tls, port: u16) -> Network {
    let hosts = ["mail.example", "other.example"].map(|name| format!("{name}=127.0.0.1:{port}"));
    let hosts = HostMap::parse(hosts.iter().map(String::as_str)).unwrap();
    Network { egress: Arc::new(Egress::new(vec![], hosts)), tls }
}

/// Shakes hands with everyone and says back what is said.
async fn echo(certificate: &Certificate) -> (u16, JoinHandle<()>) {
    let (listener, acceptor) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), certificate.acceptor());
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let Ok(stream) = acceptor.accept(tcp).await else { continue };
            let (mut reader, mut writer) = tokio::io::split(stream);
            tokio::io::copy(&mut reader, &mut writer).await.ok();
        }
    });
    (port, serving)
}

#[tokio::test]
async fn a_certificate_is_trusted_by_its_file_and_for_its_name_only() {
    let certificate = Certificate::make();
    let (port, serving) = echo(&certificate).await;
    let trusting = network(Tls::with_extra_roots(certificate.file()), port);
    let mut stream = trusting.connect("mail.example", 465, true).await.unwrap();
    let written = stream.written();
    stream.write_all(b"hello").await.unwrap();
    stream.flush().await.unwrap();
    let mut heard = [0; 5];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!((&heard, written.load(std::sync::atomic::Ordering::Relaxed)), (b"hello", 5));
    drop(stream);

    let other = trusting.connect("other.example", 465, true).await.err().unwrap();
    assert!(
        matches!(&other, ConnectError::Tls(TlsError::Handshake { host, .. }) if host == "other.example"),
        "{other}"
    );
    let missing = network(Tls::with_extra_roots("missing.pem".into()), port);
    let missing = missing.connect("mail.example", 465, true).await.err().unwrap();
    assert!(matches!(missing, ConnectError::Tls(TlsError::Roots(_))), "{missing}");
    let stranger = Tls::with_extra_roots(Certificate::make().file());
    assert!(network(stranger, port).connect("mail.example", 465, true).await.is_err());
    serving.abort();
}

/// A mail server that begins in the clear; `go_ahead` is its answer to STARTTLS. It gives what it heard before and
/// behind the handshake.
async fn start_tls_server(
    certificate: &Certificate,
    go_ahead: &'static str,
) -> (u16, JoinHandle<[String; 2]>) {
    let (listener, acceptor) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), certificate.acceptor());
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut plain = BufReader::new(tcp);
        let mut before = String::new();
        plain.write_all(b"220 mail.example\r\n").await.unwrap();
        plain.read_line(&mut before).await.unwrap();
        plain.write_all(b"250-mail.example\r\n250 STARTTLS\r\n").await.unwrap();
        plain.read_line(&mut before).await.unwrap();
        plain.write_all(go_ahead.as_bytes()).await.unwrap();
        let Ok(stream) = acceptor.accept(plain.into_inner()).await else { return [before, String::new()] };
        let (mut stream, mut behind) = (BufReader::new(stream), String::new());
        for answer in ["250 mail.example\r\n", "250 a\r\n", "250 b\r\n", "354 c\r\n"] {
            stream.read_line(&mut behind).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
        }
        while !behind.ends_with("\r\n.\r\n") {
            stream.read_line(&mut behind).await.unwrap();
        }
        stream.write_all(b"250 d\r\n").await.unwrap();
        stream.flush().await.unwrap();
        [before, behind]
    });
    (port, serving)
}

async fn mail_by_start_tls(certificate: &Certificate, port: u16) -> Attempt {
    let network = network(Tls::with_extra_roots(certificate.file()), port);
    let tls = crate::api::SmtpTls::StartTls;
    let server = Server { host: "mail.example".into(), port: 587, tls, credentials: None };
    let from = crate::domain::mail_address::Mailbox::parse("a@example.com").unwrap();
    let channel = SmtpChannel::new(network, server, from, std::time::Duration::from_secs(5), 4);
    let content = Content::Email { subject: "S".into(), text: Some("T".into()), html: None };
    channel
        .attempt(&Outgoing { key: "0af3".into(), address: "ann@example.org".into(), content, trace: None })
        .await
}

#[tokio::test]
async fn a_mail_goes_out_behind_starttls() {
    let certificate = Certificate::make();
    let (port, serving) = start_tls_server(&certificate, "220 go ahead\r\n").await;
    assert_eq!(mail_by_start_tls(&certificate, port).await, Attempt::Sent { provider_id: Some("d".into()) });
    let [before, behind] = serving.await.unwrap();
    assert_eq!(before, "EHLO [127.0.0.1]\r\nSTARTTLS\r\n");
    assert!(behind.starts_with("EHLO [127.0.0.1]\r\nMAIL FROM:<a@example.com>\r\n"), "{behind}");
}

#[tokio::test]
async fn what_was_said_before_starttls_is_not_believed_behind_it() {
    let certificate = Certificate::make();
    let (port, serving) = start_tls_server(&certificate, "220 go ahead\r\n250 injected\r\n").await;
    let attempt = mail_by_start_tls(&certificate, port).await;
    assert!(matches!(attempt, Attempt::NotTaken { provider_down: true, .. }), "{attempt:?}");
    assert_eq!(serving.await.unwrap()[1], "");
}

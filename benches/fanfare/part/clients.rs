//! The channels by themselves, without store and templates: what their clients cost beside a bare one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fanfare::api::SmtpTls;
use fanfare::channels::egress::{Egress, HostMap};
use fanfare::channels::http::HttpTarget;
use fanfare::channels::smtp::{Server, SmtpChannel};
use fanfare::channels::webhook::{SigningKey, WebhookChannel};
use fanfare::channels::wire::{Network, Tls};
use fanfare::channels::{Attempt, Channel, Outgoing};
use fanfare::domain::content::Content;
use fanfare::domain::mail_address::Mailbox;
use fanfare::domain::secret::Secret;
use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::task::JoinSet;

use crate::report::{Report, median};
use crate::sink::{self, Sink};
use crate::traffic::{self, Pace};

const TIMEOUT: Duration = Duration::from_secs(30);
const REPEATS: usize = 3;

/// Measures webhooks against a bare client, and mails.
pub async fn run(report: &mut Report) {
    webhooks(report, 64).await;
    webhooks(report, 16).await;
    mails(report).await;
}

async fn webhooks(report: &mut Report, connections: usize) {
    let sink = sink::http::start();
    let total = crate::scaled(300_000);
    let target = HttpTarget::parse(&format!("http://{}/hook", sink.address)).expect("a URL");
    let key = SigningKey::new(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).expect("a key");
    let channel: Arc<dyn Channel> =
        Arc::new(WebhookChannel::new(network(), target, Some(key), TIMEOUT, connections));
    let (mut rates, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..REPEATS {
        bare.push(bare_client(&sink, connections, total).await);
        let message = |number| Outgoing {
            key: format!("{number:032x}").into(),
            address: String::new(),
            content: Content::Webhook { body: body(number) },
            trace: None,
        };
        rates.push(attempts(&channel, connections, total, message).await);
    }
    let name = format!("webhook client, signed, {connections} connections");
    report.compare(&name, median(rates), "messages/s", median(bare));
}

async fn bare_client(sink: &Sink, connections: usize, total: u64) -> f64 {
    let host = sink.address.to_string();
    let make = move |number| {
        let request = Request::post("/hook").header("host", &host).header("content-type", "application/json");
        request.body(Full::new(Bytes::from(body(number)))).expect("a request")
    };
    let expected = StatusCode::CREATED;
    traffic::send(sink.address, connections, Pace::All(total), expected, Arc::new(make)).await.rate()
}

async fn mails(report: &mut Report) {
    let sink = sink::smtp::start();
    let total = crate::scaled(100_000);
    let server = Server {
        host: sink.address.ip().to_string(),
        port: sink.address.port(),
        tls: SmtpTls::None,
        credentials: None,
    };
    let from = Mailbox::parse("Example Insurance <warnings@example.com>").expect("an address");
    let channel: Arc<dyn Channel> = Arc::new(SmtpChannel::new(network(), server, from, TIMEOUT, 16));
    let html: Arc<str> = mail_of_4_kb().into();
    let mut rates = Vec::new();
    for _ in 0..REPEATS {
        let html = html.clone();
        let message = move |number| Outgoing {
            key: format!("{number:032x}").into(),
            address: format!("customer{number}@example.org"),
            content: Content::Email {
                subject: "Snowstorm warning for Cedar Falls".into(),
                text: None,
                html: Some(html.to_string()),
            },
            trace: None,
        };
        rates.push(attempts(&channel, 16, total, message).await);
    }
    report.add("mail client, 4 KB, 16 connections", median(rates), "mails/s");
    channel.close().await;
}

/// Makes attempts by some tasks at once; how many a second there were.
async fn attempts(
    channel: &Arc<dyn Channel>,
    tasks: usize,
    total: u64,
    message: impl Fn(u64) -> Outgoing + Clone + Send + 'static,
) -> f64 {
    let (next, start) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let mut attempting = JoinSet::new();
    for _ in 0..tasks {
        let (channel, next, message) = (channel.clone(), next.clone(), message.clone());
        attempting.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= total {
                    return;
                }
                let attempt = channel.attempt(&message(number)).await;
                assert!(matches!(attempt, Attempt::Sent { .. }), "{attempt:?}");
            }
        });
    }
    attempting.join_all().await;
    total as f64 / start.elapsed().as_secs_f64()
}

fn network() -> Network {
    Network { egress: Arc::new(Egress::for_dev(HostMap::default())), tls: Tls::default() }
}

fn body(number: u64) -> String {
    format!(
        r#"{{"to":"+4366012{number:07}","text":"Ann, a snowstorm is coming to Cedar Falls. Please don't drive."}}"#
    )
}

/// HTML of four kilobytes in lines of a usual length.
pub fn mail_of_4_kb() -> String {
    let line = "<p>A snowstorm is coming to Cedar Falls. Please don't drive today.</p>\n";
    line.repeat(4096 / line.len())
}

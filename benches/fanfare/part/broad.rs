//! One call that reaches three of ten customers, by text message and by mail.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::json;

use crate::report::{Report, median};
use crate::sink::Sink;
use crate::traffic::{self, Pace};
use crate::world::{Stand, World, customers};

const REPEATS: usize = 5;
const CONNECTIONS: usize = 64;

/// Measures text messages beside a bare client, then mails.
pub async fn run(report: &mut Report, world: &World) {
    let stand = world.start().await;
    texts(report, world, &stand, "").await;
    mails(report, world, &stand).await;
}

/// Measures text messages of a server on PostgreSQL.
pub async fn run_on_postgres(report: &mut Report, world: &World) {
    let stand = world.start().await;
    texts(report, world, &stand, "PostgreSQL: ").await;
}

async fn texts(report: &mut Report, world: &World, stand: &Stand, on: &str) {
    let gold = customers::gold(world.count);
    let (mut bare, mut rates, mut firsts, mut processor) = (vec![], vec![], vec![], vec![]);
    for _ in 0..REPEATS {
        bare.push(bare_client(&stand.sms, gold).await);
        stand.sms.arrivals.reset();
        let used = stand.processor_time();
        let (call, start) = stand.call(&json!({"kind": "broad"})).await;
        stand.sms.arrivals.wait_for(gold).await;
        stand.wait_until_done(&call, gold).await;
        firsts.push((stand.sms.arrivals.first() - start).as_secs_f64() * 1e3);
        rates.push(gold as f64 / (stand.sms.arrivals.last() - start).as_secs_f64());
        processor.push((stand.processor_time() - used) * 1e6 / gold as f64);
    }
    let name = format!("{on}one call to {gold} of {} customers by SMS over HTTP", world.count);
    report.compare(&name, median(rates), "messages/s", median(bare));
    report.add(&format!("{on}same, first message at the provider after"), median(firsts), "ms");
    report.add(&format!("{on}same, the server's processor time for each message"), median(processor), "us");
    report.add(&format!("{on}same, window"), 256.0, "deliveries");
    report.add(&format!("{on}same, peak memory"), stand.peak_memory(), "MiB");
}

/// The very requests that the channel makes, from a list made beforehand.
async fn bare_client(sink: &Sink, total: u64) -> f64 {
    let numbers = (0..).filter(|number| number % 10 < 3).take(total as usize);
    let bodies: Vec<Bytes> = numbers.map(form).collect();
    let host = sink.address.to_string();
    let make = move |number: u64| {
        let request = Request::post("/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages.json")
            .header("host", &host)
            .header("authorization", "Basic QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjpodW50ZXIy")
            .header("content-type", "application/x-www-form-urlencoded");
        request.body(Full::new(bodies[number as usize].clone())).expect("a request")
    };
    let expected = StatusCode::CREATED;
    traffic::send(sink.address, CONNECTIONS, Pace::All(total), expected, Arc::new(make)).await.rate()
}

fn form(number: u64) -> Bytes {
    let (to, body) = customers::sms(number);
    let mut form = form_urlencoded::Serializer::new(String::new());
    Bytes::from(
        form.append_pair("To", &to).append_pair("Body", &body).append_pair("From", "+17165550199").finish(),
    )
}

async fn mails(report: &mut Report, world: &World, stand: &Stand) {
    let gold = customers::gold(world.count);
    let mut rates = vec![];
    for _ in 0..REPEATS {
        stand.mail.arrivals.reset();
        let (call, start) = stand.call(&json!({"kind": "mail"})).await;
        stand.mail.arrivals.wait_for(gold).await;
        stand.wait_until_done(&call, gold).await;
        rates.push(gold as f64 / start.elapsed().as_secs_f64());
    }
    let name = format!("one call to {gold} customers by mail of 4 KB, 16 connections, whole run");
    report.add(&name, median(rates), "mails/s");
}

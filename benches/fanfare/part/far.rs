//! Webhooks to a provider that is 100 ms away: what a channel at its defaults learns to send beside 16 at a time, and what
//! it learns of one that throttles.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::report::Report;
use crate::sink;
use crate::world::{World, customers};

/// How long the provider takes for an answer.
const ANSWER_TIME: Duration = Duration::from_millis(100);
/// What the provider that throttles takes in each second.
const PER_SECOND: u32 = 500;
/// How much of a broad run has been sent when a narrow one is called.
const NARROW_BEHIND: u64 = 10;

/// Measures them; `on` says of which store.
pub async fn run(report: &mut Report, world: &World, on: &str) {
    let fixed = sixteen_at_a_time(world).await;
    let stand = world.start_replicas(1, sink::http::start_slow(ANSWER_TIME)).await;
    let gold = customers::gold(world.count);
    let (call, start) = stand.call(&json!({"kind": "far"})).await;
    stand.sms.arrivals.wait_for(gold / NARROW_BEHIND).await;
    let narrow = Instant::now();
    let postcode = customers::postcode(7, world.count);
    let (beside, _) = stand.call(&json!({"kind": "far-narrow", "postcode": postcode})).await;
    stand.wait_until_done(&beside, customers::NARROW.min(world.count)).await;
    let narrow = narrow.elapsed();
    stand.sms.arrivals.wait_for(gold).await;
    stand.wait_until_done(&call, gold).await;
    let took = start.elapsed();
    let all = gold + customers::NARROW.min(world.count);
    let rate = all as f64 / (stand.sms.arrivals.last() - start).as_secs_f64();
    let name =
        format!("{on}one call to {gold} customers by webhook, a provider 100 ms away, beside 16 at a time");
    report.compare(&name, rate, "messages/s", fixed);
    report.add(&format!("{on}same, whole run"), took.as_secs_f64(), "s");
    report.add(&format!("{on}same, a run of {} beside it", customers::NARROW), narrow.as_secs_f64(), "s");
    report.add(&format!("{on}same, peak memory"), stand.peak_memory(), "MiB");
    // Two servers cannot use the same files.
    drop(stand);
    throttled(report, world, on).await;
}

/// Messages a second of a channel that is told to send 16 at a time.
async fn sixteen_at_a_time(world: &World) -> f64 {
    let stand = world.start_replicas(1, sink::http::start_slow(ANSWER_TIME)).await;
    let members = customers::aged_18(world.count);
    let (call, start) = stand.call(&json!({"kind": "far-sixteen"})).await;
    stand.sms.arrivals.wait_for(members).await;
    let rate = members as f64 / (stand.sms.arrivals.last() - start).as_secs_f64();
    stand.wait_until_done(&call, members).await;
    rate
}

async fn throttled(report: &mut Report, world: &World, on: &str) {
    let stand = world.start_replicas(1, sink::http::start_throttling(ANSWER_TIME, PER_SECOND)).await;
    let members = customers::aged_18(world.count);
    let (call, _) = stand.call(&json!({"kind": "far-throttled"})).await;
    stand.sms.arrivals.wait_for(members).await;
    let took = stand.sms.arrivals.last() - stand.sms.arrivals.first();
    stand.wait_until_done(&call, members).await;
    let refused = stand.sms.arrivals.refused() as f64;
    let name = format!("{on}{members} webhooks to one that allows 500/s and answers 429 above it");
    report.compare(&name, members as f64 / took.as_secs_f64(), "messages/s", f64::from(PER_SECOND));
    report.add(
        &format!("{on}same, answers that were 429"),
        100.0 * refused / (refused + members as f64),
        "%",
    );
}

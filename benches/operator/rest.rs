//! What is asked of the API server while nothing changes and calls flow, and what its absence does to callers.

use std::time::{Duration, Instant};

use crate::caller::{Caller, credentials};
use crate::many::unready;
use crate::report::Report;
use crate::town::Town;

const REST: Duration = Duration::from_secs(300);
const ABSENCE: Duration = Duration::from_secs(60);
/// A call every so often.
const PACE: Duration = Duration::from_millis(10);

pub async fn run(report: &mut Report, town: &Town) {
    let trigger = "soon-0";
    let url = format!("{}/in/{}/{trigger}", town.calls(), town.stage.namespace);
    let credentials = credentials(&town.stage, trigger).await.unwrap();
    settled(town).await;
    let objects = 2.0 * 40.0 + 2.0;
    let before = seen(town);
    let (calls, refused) = call_for(&url, &credentials, REST).await;
    let after = seen(town);
    let minutes = REST.as_secs_f64() / 60.0;
    report.add("at rest for 5 minutes, calls flowing: calls", calls, "");
    report.add("same, not accepted", refused, "");
    report.add("same, writes but Leases", after.0 - before.0, "");
    let written = town.before_operator.writes();
    written.iter().skip(before.2).for_each(|write| eprintln!("  {write}"));
    report.add("same, reads a minute an object", (after.1 - before.1) / minutes / objects, "");
    town.before_operator.go_away();
    town.before_runtime.go_away();
    let (calls, refused) = call_for(&url, &credentials, ABSENCE).await;
    town.before_operator.revive();
    town.before_runtime.revive();
    report.add("API server away for a minute: calls", calls, "");
    report.add("same, not accepted", refused, "");
    town.stage.until_ready("runtime", "main").await;
}

/// Waits until everything that was applied before is ready, and the index of its audiences complete.
async fn settled(town: &Town) {
    while unready(&town.stage, "ApiTrigger").await + unready(&town.stage, "Scenario").await > 0
        || town.stage.reason("scenario", "soon-0", "AudienceIndexed").0 != "True"
        || town.stage.reason("scenario", "soon-39", "AudienceIndexed").0 != "True"
    {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Writes and reads of both, so far.
fn seen(town: &Town) -> (f64, f64, usize) {
    let of = |proxy: &crate::proxy::Proxy| (proxy.writes().len() as f64, proxy.reads() as f64);
    let (one, other) = (of(&town.before_operator), of(&town.before_runtime));
    (one.0 + other.0, one.1 + other.1, town.before_operator.writes().len())
}

async fn call_for(url: &str, credentials: &str, time: Duration) -> (f64, f64) {
    let (caller, begun) = (Caller::new(), Instant::now());
    let (mut calls, mut refused) = (0.0, 0.0);
    while begun.elapsed() < time {
        calls += 1.0;
        if caller.call(url, credentials).await != 202 {
            refused += 1.0;
        }
        tokio::time::sleep(PACE).await;
    }
    (calls, refused)
}

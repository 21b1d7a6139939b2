//! Several replicas on one run: how much faster they are where the provider is slow, and how soon one follows another.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::report::{Report, median};
use crate::sink;
use crate::world::base::connect;
use crate::world::{World, customers};

/// How long the provider takes for an answer.
const ANSWER_TIME: Duration = Duration::from_millis(20);
const REPEATS: usize = 3;
/// Nobody waits longer for a dead replica's range.
const TAKEOVER_MAX: Duration = Duration::from_secs(60);

/// Measures one replica, then two, on the same base; then kills one of two.
pub async fn run(report: &mut Report, world: &World) {
    let (one, two) = (rate(world, 1).await, rate(world, 2).await);
    let name = "messages/s of two replicas beside one, a provider that takes 20 ms, 64 at once for each";
    report.compare(name, two, "messages/s", one);
    shared_rate(report, world).await;
    let mut took = vec![];
    for _ in 0..REPEATS {
        took.push(takeover(world).await);
    }
    report.add("from SIGKILL of a replica to the first message of its range by another", median(took), "s");
}

/// What `perSecond` of the channel says.
const PER_SECOND: f64 = 1_000.0;

/// A channel's rate over two replicas: the time between the first and the last message at the provider.
async fn shared_rate(report: &mut Report, world: &World) {
    let stand = world.start_replicas(2, sink::http::start()).await;
    let members = customers::aged_18(world.count);
    let mut rates = vec![];
    for _ in 0..REPEATS {
        stand.sms.arrivals.reset();
        let (call, _) = stand.call(&json!({"kind": "limited"})).await;
        stand.sms.arrivals.wait_for(members).await;
        let took = stand.sms.arrivals.last() - stand.sms.arrivals.first();
        rates.push((members - 1) as f64 / took.as_secs_f64());
        stand.wait_until_done(&call, members).await;
    }
    let name = "messages/s of two replicas by a channel limited to 1,000/s";
    report.compare(name, median(rates), "messages/s", PER_SECOND);
}

async fn rate(world: &World, replicas: usize) -> f64 {
    let stand = world.start_replicas(replicas, sink::http::start_slow(ANSWER_TIME)).await;
    let gold = customers::gold(world.count);
    let mut rates = vec![];
    for _ in 0..REPEATS {
        stand.sms.arrivals.reset();
        let (call, start) = stand.call(&json!({"kind": "broad"})).await;
        stand.sms.arrivals.wait_for(gold).await;
        rates.push(gold as f64 / (stand.sms.arrivals.last() - start).as_secs_f64());
        stand.wait_until_done(&call, gold).await;
    }
    median(rates)
}

/// A chunk that a replica had when it was killed.
const CHUNKS: &str =
    "SELECT owner, run, first_key, last_key FROM chunk WHERE state = 0 AND owner IS NOT NULL";
/// A message of its range that was opened after that.
const GOES_ON: &str = "SELECT EXISTS (SELECT FROM delivery WHERE run = $1 AND customer BETWEEN $2 AND $3
    AND last_at > $4)";

async fn takeover(world: &World) -> f64 {
    let mut stand = world.start_replicas(2, sink::http::start_slow(ANSWER_TIME)).await;
    let client = connect(world.base().url().expect("replicas share a server")).await;
    client.batch_execute("SET search_path = fanfare_default").await.expect("the tenant is there");
    let (call, _) = stand.call(&json!({"kind": "broad"})).await;
    let gold = customers::gold(world.count);
    stand.sms.arrivals.wait_for(gold / 10).await;
    let owned = client.query(CHUNKS, &[]).await.expect("the ledger is there");
    stand.kill(1);
    let (killed, killed_us) = (Instant::now(), jiff::Timestamp::now().as_microsecond());
    // Whose chunk it was shows when somebody else takes it.
    let first = loop {
        let now = client.query(CHUNKS, &[]).await.expect("the ledger is there");
        let taken = owned.iter().find(|was| {
            now.iter().any(|is| {
                (is.get::<_, i64>(1), is.get::<_, i64>(2)) == (was.get::<_, i64>(1), was.get::<_, i64>(2))
                    && is.get::<_, &str>(0) != was.get::<_, &str>(0)
            })
        });
        if let Some(chunk) = taken {
            let values: [i64; 3] = [chunk.get(1), chunk.get(2), chunk.get(3)];
            let [run, from, to] = &values;
            let asked = client.query_one(GOES_ON, &[run, from, to, &killed_us]).await;
            if asked.expect("the ledger is there").get(0) {
                break killed.elapsed();
            }
        }
        assert!(killed.elapsed() < TAKEOVER_MAX, "nobody took the range over");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    stand.wait_until_ended(&call).await;
    first.as_secs_f64()
}

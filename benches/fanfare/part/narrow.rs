//! Calls that reach 200 customers, in a large base and in one a tenth of it: cost must follow the audience.

use serde_json::{Value, json};

use crate::report::{Report, median};
use crate::world::customers::{NARROW, match_id, postcode};
use crate::world::{Stand, World};

const REPEATS: u64 = 21;
const LIST: u64 = 50_000;

/// Measures each kind of call on both bases by turns; the ratio is the large base's time by the small one's.
pub async fn run(report: &mut Report, large: &World, small: &World, on: &str) {
    let (in_large, in_small) = (large.start().await, small.start().await);
    for (name, params) in KINDS {
        let (mut slow, mut fast) = (vec![], vec![]);
        for turn in 0..REPEATS + 2 {
            fast.push(last_message(&in_small, &params(turn, small.count)).await);
            slow.push(last_message(&in_large, &params(turn, large.count)).await);
        }
        // The first two calls of a kind prepare statements and warm caches.
        let (slow, fast) = (median(slow.split_off(2)), median(fast.split_off(2)));
        let title = format!("{on}last of {NARROW} messages after a call {name}, {} customers", large.count);
        report.compare(&title, slow, "ms", fast);
    }
}

type Params = fn(u64, u64) -> Value;

const KINDS: [(&str, Params); 3] = [
    ("by an attribute", |turn, count| json!({"kind": "attribute", "postcode": postcode(turn * 7, count)})),
    ("by an event's property", |turn, count| json!({"kind": "event", "match": match_id(turn * 7, count)})),
    ("by a list of 50,000 postcodes", |turn, count| {
        // One of them is somebody's; the others are in no customer base.
        let others = (1..LIST).map(|number| format!("{:06}", 500_000 + number));
        let postcodes: Vec<String> = others.chain([postcode(turn * 7, count)]).collect();
        json!({"kind": "list", "postcodes": postcodes})
    }),
];

async fn last_message(stand: &Stand, params: &Value) -> f64 {
    stand.sms.arrivals.reset();
    let (call, start) = stand.call(params).await;
    stand.sms.arrivals.wait_for(NARROW).await;
    let took = stand.sms.arrivals.last() - start;
    stand.wait_until_done(&call, NARROW).await;
    took.as_secs_f64() * 1e3
}

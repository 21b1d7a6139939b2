//! What must come of each way a provider can fail, over real sockets.

use std::time::Duration;

use fanfare::domain::delivery::DeliveryId;
use fanfare::domain::state::DeliveryState as State;
use fanfare::domain::value::Value;
use fanfare::sandbox::{FaultAnswer, Filter, Protocol, Rule};
use fanfare::store::customers::CustomerWrite;
use serde_json::json;

use crate::harness::Place;
use crate::real::{Real, storm};

/// The first message of each protocol meets the fault.
fn once(answer: FaultAnswer, keep: bool) -> Vec<Rule> {
    let rule = |protocol| Rule { keep, count: Some(1), ..Rule::always(protocol, answer) };
    vec![rule(Protocol::Twilio), rule(Protocol::Webhook)]
}

/// Runs one call for one customer; gives the states of the SMS and of the webhook, their attempts, and how many
/// messages of each the sandbox took.
async fn outcome(place: Place, faults: Vec<Rule>) -> [(State, u32, usize); 2] {
    let real = Real::start(place, storm(), faults).await;
    real.customer("ann", json!({"name": "Ann", "phone": "+43660"})).await;
    let call = real.call("alert", json!({"kind": "storm"})).await;
    let deliveries = real.ended(&call).await;
    assert_eq!(deliveries.len(), 2, "a journey goes on whatever the outcome: {deliveries:?}");
    let messages = real.sandbox.messages(&Filter::default()).items;
    let taken =
        |protocol| messages.iter().filter(|message| message.taken && message.protocol == protocol).count();
    let of = |place: usize, protocol| {
        let delivery = &deliveries[place].delivery;
        (delivery.state, delivery.attempt, taken(protocol))
    };
    let outcome = [of(0, Protocol::Twilio), of(1, Protocol::Webhook)];
    real.engine.stop(Duration::from_secs(1)).await;
    outcome
}

pub async fn without_a_fault_both_are_sent_once(place: Place) {
    assert_eq!(outcome(place, Vec::new()).await, [(State::Sent, 1, 1), (State::Sent, 1, 1)]);
}

pub async fn a_throttled_message_is_sent_when_the_provider_said(place: Place) {
    assert_eq!(
        outcome(place, once(FaultAnswer::Throttle, false)).await,
        [(State::Sent, 1, 1), (State::Sent, 1, 1)]
    );
}

pub async fn who_is_throttled_for_longer_than_attempts_last_is_sent_once(place: Place) {
    let mut sources = storm();
    for channel in ["sms", "hook"] {
        sources["channels"][channel]["retry"] = json!({"attempts": 2});
    }
    // `Throttle` would say when to come back.
    let rule =
        |protocol| Rule { status: Some(429), count: Some(5), ..Rule::always(protocol, FaultAnswer::Fail) };
    let faults = vec![rule(Protocol::Twilio), rule(Protocol::Webhook)];
    let real = Real::start(place, sources, faults).await;
    for (name, phone) in [("ann", "+43661"), ("ben", "+43662"), ("cid", "+43663"), ("dan", "+43664")] {
        real.customer(name, json!({"name": name, "phone": phone})).await;
    }
    let call = real.call("alert", json!({"kind": "storm"})).await;
    let deliveries = real.ended(&call).await;
    let sent = deliveries.iter().filter(|it| it.delivery.state == State::Sent).count();
    assert_eq!((sent, deliveries.len()), (8, 8), "{deliveries:?}");
    let messages = real.sandbox.messages(&Filter::default()).items;
    assert_eq!(messages.iter().filter(|message| message.taken).count(), 8);
    assert_eq!(messages.iter().filter(|message| !message.taken).count(), 10);
    real.engine.stop(Duration::from_secs(1)).await;
}

pub async fn a_500_is_unknown_held_for_sms_and_sent_again_with_the_same_id_for_webhooks(place: Place) {
    assert_eq!(
        outcome(place.another(), once(FaultAnswer::Fail, false)).await,
        [(State::Held, 1, 0), (State::Sent, 2, 1)]
    );
    assert_eq!(
        outcome(place.another(), once(FaultAnswer::Fail, true)).await,
        [(State::Held, 1, 1), (State::Sent, 2, 2)]
    );
}

pub async fn a_reset_after_the_body_is_unknown(place: Place) {
    assert_eq!(
        outcome(place, once(FaultAnswer::Reset, true)).await,
        [(State::Held, 1, 1), (State::Sent, 2, 2)]
    );
}

pub async fn a_provider_that_hangs_is_unknown_after_the_timeout(place: Place) {
    assert_eq!(
        outcome(place, once(FaultAnswer::Hang, true)).await,
        [(State::Held, 1, 1), (State::Sent, 2, 2)]
    );
}

pub async fn a_late_answer_is_an_answer(place: Place) {
    let late = |protocol| Rule { delay_ms: 400, ..Rule::always(protocol, FaultAnswer::Ok) };
    let faults = vec![late(Protocol::Twilio), late(Protocol::Webhook)];
    assert_eq!(outcome(place, faults).await, [(State::Sent, 1, 1), (State::Sent, 1, 1)]);
}

pub async fn a_call_that_fires_nothing_is_done_with_the_reason(place: Place) {
    let real = Real::start(place, storm(), Vec::new()).await;
    real.customer("ann", json!({"name": "Ann", "phone": "+43660"})).await;
    let call = real.call("alert", json!({"kind": "heat"})).await;
    assert_eq!(real.ended(&call).await, Vec::new());
    let record = real.ledger.calls.get(&call).await.unwrap().unwrap();
    assert_eq!(record.state.word(), "done");
    let not_fired = record.not_fired.unwrap();
    assert!(not_fired.contains("storm") && not_fired.contains("heat"), "{not_fired}");
    real.engine.stop(Duration::from_secs(1)).await;
}

pub async fn a_person_decides_what_is_held(place: Place) {
    let real = Real::start(place, storm(), once(FaultAnswer::Fail, false)).await;
    real.customer("ann", json!({"name": "Ann", "phone": "+43660"})).await;
    let call = real.call("alert", json!({"kind": "storm"})).await;
    let held = real.ended(&call).await[0].delivery.id;
    let control = real.engine.control();
    // The number was wrong; it is right now, and a person has seen that.
    real.customer("ann", json!({"phone": "+43661"})).await;
    assert_eq!(control.resend(held).await, Ok(true));
    let deliveries = real.ended(&call).await;
    assert_eq!(deliveries[0].delivery.state, State::Sent);
    assert_eq!(deliveries[0].delivery.address.as_deref(), Some("+43661"));
    assert_eq!(control.resend(held).await, Ok(false));
    let other = DeliveryId { customer: fanfare::domain::customer::CustomerKey(99), ..held };
    assert_eq!(control.close(other).await, Ok(false));
    real.engine.stop(Duration::from_secs(1)).await;
}

pub async fn a_held_delivery_that_is_closed_stays_unknown_and_the_run_adds_up(place: Place) {
    let real = Real::start(place, storm(), once(FaultAnswer::Fail, false)).await;
    real.customer("ann", json!({"name": "Ann", "phone": "+43660"})).await;
    let call = real.call("alert", json!({"kind": "storm"})).await;
    let held = real.ended(&call).await[0].delivery.id;
    assert_eq!(real.engine.control().close(held).await, Ok(true));
    let run = &real.ledger.log.runs_of_call(&call).await.unwrap()[0];
    assert_eq!(run.audience, Some(1));
    assert_eq!(run.run_counts.journeys.total(), 1);
    assert_eq!(run.run_counts.by_state(), [("sent", 1), ("unknown", 1)].into());
    real.engine.stop(Duration::from_secs(1)).await;
}

/// How many connections a run of 600 webhooks opens at a sandbox that answers after 100 ms.
async fn connections(place: Place, rate: serde_json::Value) -> u64 {
    let late = Rule { delay_ms: 100, ..Rule::always(Protocol::Webhook, FaultAnswer::Ok) };
    let mut sources = storm();
    sources["channels"]["hook"]["rate"] = rate;
    sources["channels"]["hook"]["timeout"] = json!("30s");
    sources["scenarios"]["storm"]["nodes"].as_array_mut().unwrap().remove(0);
    let real = Real::start(place, sources, vec![late]).await;
    let attributes = |n: u32| {
        let text = |text: String| Value::from_json(&text.into()).unwrap();
        [("name".to_owned(), text(format!("c{n}"))), ("phone".to_owned(), text(format!("+43660{n}")))]
    };
    let line = |n| CustomerWrite {
        registered: format!("c{n}"),
        attributes: attributes(n).into_iter().collect(),
        ..CustomerWrite::default()
    };
    real.customers.upsert_customers((0..600).map(line).collect()).await.unwrap();
    let call = real.call("alert", json!({"kind": "storm"})).await;
    real.ended(&call).await;
    let stats = real.sandbox.stats();
    assert_eq!((stats.webhook.taken, stats.webhook.received), (600, 600));
    real.engine.stop(Duration::from_secs(1)).await;
    stats.http_connections
}

pub async fn more_connections_are_used_at_a_provider_that_answers_late_unless_it_is_told_how_many(
    place: Place,
) {
    let declared = json!({"concurrency": 12});
    let learned = connections(place, json!({})).await;
    assert!(learned > 32, "{learned}");
    let place = Place::sqlite();
    let fixed = connections(place, declared).await;
    assert!(fixed <= 12, "{fixed}");
}

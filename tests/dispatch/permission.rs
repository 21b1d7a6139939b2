//! Permission to send is asked right before a message leaves: what a customer or a person said meanwhile counts.

use std::collections::BTreeMap;
use std::time::Duration;

use fanfare::domain::name::ChannelName;
use fanfare::domain::pause::PauseScope;
use fanfare::domain::state::DeliveryState as State;
use fanfare::sandbox::{FaultAnswer, Filter, Protocol, Rule};
use fanfare::store::customers::CustomerWrite;
use fanfare::store::run_log::DeliveryRecord;
use serde_json::{Value as Json, json};

use crate::harness::{Place, until_true};
use crate::pauses::pause;
use crate::real::{Real, storm};

/// The storm by text message alone, one at a time.
fn one_at_a_time() -> Json {
    let mut sources = storm();
    let nodes = sources["scenarios"]["storm"]["nodes"].as_array_mut().unwrap();
    nodes.truncate(1);
    sources["channels"]["sms"]["rate"] = json!({"concurrency": 1});
    sources["channels"]["sms"]["timeout"] = json!("20s");
    sources
}

/// Customers named so, each with a telephone number and the consent.
async fn customers(real: &Real, names: &[&str]) {
    for (n, name) in names.iter().enumerate() {
        real.customer(name, json!({"name": name, "phone": format!("+43660{n}")})).await;
    }
}

async fn withdraws(real: &Real, name: &str) {
    let consents = BTreeMap::from([("sms".to_owned(), Some(false))]);
    let line = CustomerWrite { registered: name.into(), consents, ..CustomerWrite::default() };
    real.customers.upsert_customers(vec![line]).await.unwrap()[0].as_ref().unwrap();
}

/// What became of the customer's message, why, and how often the provider was asked to take it.
async fn end_of(real: &Real, deliveries: &[DeliveryRecord], name: &str) -> (State, Option<String>, usize) {
    let key = real.customers.find(name).await.unwrap().unwrap();
    let own = deliveries.iter().find(|it| it.delivery.id.customer == key).unwrap();
    let messages = real.sandbox.messages(&Filter::default()).items;
    let begins = format!("{name}, stay");
    let texts = messages.iter().filter_map(|message| message.content.text.as_deref());
    let asked = texts.filter(|text| text.starts_with(&begins)).count();
    (own.delivery.state, own.delivery.reason.clone(), asked)
}

fn no_consent(asked: usize) -> (State, Option<String>, usize) {
    (State::Skipped, Some("no consent: sms".to_owned()), asked)
}

/// Waits until the provider has been asked so often.
async fn until_asked(real: &Real, times: usize) {
    let asked = async || real.sandbox.messages(&Filter::default()).items.len() >= times;
    until_true("the provider to be asked", asked).await;
}

pub async fn who_withdraws_the_consent_while_a_message_waits_for_its_turn_is_not_written_to(place: Place) {
    // The others are opened, or not even that, and wait for the first.
    let (opened, unopened) = (place.another(), place);
    tokio::join!(waits_for_its_turn(opened, 256), waits_for_its_turn(unopened, 1));
}

async fn waits_for_its_turn(place: Place, window: u32) {
    let late = Rule { delay_ms: 7_000, count: Some(1), ..Rule::always(Protocol::Twilio, FaultAnswer::Ok) };
    let mut sources = one_at_a_time();
    sources["channels"]["sms"]["window"] = json!(window);
    let real = Real::start(place, sources, vec![late]).await;
    customers(&real, &["ann", "ben", "cid"]).await;
    let call = real.call("alert", json!({"kind": "storm"})).await;
    until_asked(&real, 1).await;
    withdraws(&real, "ben").await;
    let deliveries = real.ended(&call).await;
    assert_eq!(end_of(&real, &deliveries, "ben").await, no_consent(0));
    for name in ["ann", "cid"] {
        let (state, _, asked) = end_of(&real, &deliveries, name).await;
        assert_eq!((state, asked), (State::Sent, 1), "{name}: {deliveries:?}");
    }
    real.engine.stop(Duration::from_secs(1)).await;
}

pub async fn who_withdraws_the_consent_while_the_channel_is_paused_is_not_written_to(place: Place) {
    let real = Real::start(place, one_at_a_time(), Vec::new()).await;
    customers(&real, &["ann", "ben"]).await;
    let (control, sms) = (real.engine.control(), PauseScope::Channel(ChannelName::new("sms")));
    control.pause(&pause(sms.clone())).await.unwrap().unwrap();
    let call = real.call("alert", json!({"kind": "storm"})).await;
    withdraws(&real, "ben").await;
    control.resume(&sms).await.unwrap().unwrap();
    let deliveries = real.ended(&call).await;
    assert_eq!(end_of(&real, &deliveries, "ben").await, no_consent(0));
    assert_eq!(end_of(&real, &deliveries, "ann").await.0, State::Sent);
    real.engine.stop(Duration::from_secs(1)).await;
}

pub async fn who_withdraws_the_consent_before_the_next_attempt_is_not_written_to(place: Place) {
    let busy =
        Rule { status: Some(503), count: Some(1), ..Rule::always(Protocol::Twilio, FaultAnswer::Throttle) };
    let busy = Rule { retry_after: Some(2), ..busy };
    let real = Real::start(place, one_at_a_time(), vec![busy]).await;
    customers(&real, &["ann"]).await;
    let call = real.call("alert", json!({"kind": "storm"})).await;
    until_asked(&real, 1).await;
    withdraws(&real, "ann").await;
    let deliveries = real.ended(&call).await;
    assert_eq!(end_of(&real, &deliveries, "ann").await, no_consent(1), "it was not asked again");
    real.engine.stop(Duration::from_secs(1)).await;
}

//! Who is refused, and who is not: an outage and a refusal of us are nobody's failure, whatever the manifest counts.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fanfare::channels::{Attempt, Reach};
use fanfare::domain::name::ChannelName;
use fanfare::domain::pause::PauseScope;
use fanfare::domain::state::DeliveryState as State;
use fanfare::runtime::engine::dispatch::{ChannelHandle, RetryPolicy};
use fanfare::sandbox::{FaultAnswer, FaultStep, Filter, Protocol, Rule};
use serde_json::json;

use crate::harness::Place;
use crate::provider::{Manner, down, sent, willing};
use crate::real::{Real, storm};
use crate::world::World;

const SOON: Duration = Duration::from_secs(30);

/// Answers so until it is told to take everything.
fn until_willing(is_willing: &Arc<AtomicBool>, refusal: Attempt) -> Manner {
    let is_willing = Arc::clone(is_willing);
    Arc::new(move |_, _| match is_willing.load(Ordering::Acquire) {
        true => (true, sent(), Duration::ZERO),
        false => (false, refusal.clone(), Duration::ZERO),
    })
}

/// A world where each customer gets one message by `sms`, whose retries are these.
async fn world(place: Place, customers: i64, sms: Manner, attempts_max: u32, retry_for: Duration) -> World {
    let world = World::new(place).await;
    world.populate(customers, |_| 2).await;
    world.connect(sms, willing());
    let policy = |handle: &ChannelHandle| RetryPolicy { attempts_max, retry_for, ..handle.retry };
    let handles: HashMap<_, _> = world
        .channels
        .load()
        .iter()
        .map(|(name, handle)| {
            let changed = ChannelHandle {
                channel: Arc::clone(&handle.channel),
                window: handle.window,
                concurrency: handle.concurrency,
                concurrency_max: handle.concurrency_max,
                per_second: handle.per_second,
                retry: policy(handle),
                provider_health: Default::default(),
            };
            (name.clone(), Arc::new(changed))
        })
        .collect();
    world.channels.store(Arc::new(handles));
    world
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn count(world: &World, state: State) -> usize {
    world.counts().iter().filter(|((_, code), _)| *code == state.code()).map(|(_, count)| count).sum()
}

pub async fn an_outage_uses_no_attempt_from_the_first_message_on(place: Place) {
    for customers in [1, 60] {
        let is_up = Arc::new(AtomicBool::new(false));
        let manner = until_willing(&is_up, down());
        let world = world(place.another(), customers, manner, 2, Duration::from_secs(3600)).await;
        let engine = world.start();
        let call = world.call("narrow", None).await;
        let tried = || world.record.lock().unwrap().len();
        until("it was tried more often than attempts are counted", || {
            tried() >= usize::try_from(customers).unwrap().min(16) + 4
        })
        .await;
        is_up.store(true, Ordering::Release);
        assert_eq!(world.until_ended(&call, SOON).await, "done");
        engine.stop(Duration::from_secs(1)).await;
        assert_eq!(count(&world, State::Sent), usize::try_from(customers).unwrap(), "{:?}", world.counts());
        assert_eq!(world.record.lock().unwrap().iter().filter(|seen| seen.taken).count(), customers as usize);
    }
}

pub async fn an_outage_is_waited_for_no_longer_than_a_message_may_be_tried(place: Place) {
    let never = until_willing(&Arc::default(), down());
    let world = world(place, 40, never, 100, Duration::from_secs(2)).await;
    let engine = world.start();
    let call = world.call("narrow", None).await;
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    let rows = world.rows();
    let is_given_up = |reason: &Option<String>| {
        reason
            .as_ref()
            .is_some_and(|it| it.contains("no connection") && it.contains("time for retries is over"))
    };
    assert!(rows.iter().all(|row| row.3 == State::Failed.code() && is_given_up(&row.4)), "{rows:?}");
}

pub async fn who_is_refused_with_the_words_of_others_waits(place: Place) {
    let is_willing = Arc::new(AtomicBool::new(false));
    let reach = Reach::PerhapsAll { alike: "550 no".into() };
    let refusal = Attempt::Refused { reason: "550 no".into(), reach };
    let manner = until_willing(&is_willing, refusal);
    let world = world(place, 100, manner, 2, Duration::from_secs(3600)).await;
    let engine = world.start();
    let call = world.call("narrow", None).await;
    until("it is probed", || world.record.lock().unwrap().len() >= 18).await;
    is_willing.store(true, Ordering::Release);
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    assert_eq!((count(&world, State::Failed), count(&world, State::Sent)), (0, 100), "{:?}", world.counts());
}

pub async fn two_recipients_refused_as_everyone_wait_and_are_served(place: Place) {
    let is_willing = Arc::new(AtomicBool::new(false));
    let reach = Reach::PerhapsAll { alike: "550 no".into() };
    let refusal = Attempt::Refused { reason: "550 no".into(), reach };
    let manner = until_willing(&is_willing, refusal);
    let world = world(place, 2, manner, 1, Duration::from_secs(3600)).await;
    let engine = world.start();
    let call = world.call("narrow", None).await;
    until("both were refused", || world.record.lock().unwrap().len() >= 2).await;
    is_willing.store(true, Ordering::Release);
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    assert_eq!(count(&world, State::Sent), 2, "{:?}", world.counts());
}

pub async fn who_is_refused_with_doubtful_words_while_others_are_served_fails(place: Place) {
    let is_bad = |address: &str| address.ends_with('5');
    let manner: Manner = Arc::new(move |_, message| match is_bad(&message.address) {
        false => (true, sent(), Duration::from_millis(2)),
        true => {
            let reach = Reach::PerhapsAll { alike: "550 no".into() };
            (false, Attempt::Refused { reason: "550 no".into(), reach }, Duration::ZERO)
        }
    });
    let world = world(place, 100, manner, 2, Duration::from_secs(3600)).await;
    let engine = world.start();
    let call = world.call("narrow", None).await;
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    assert_eq!((count(&world, State::Failed), count(&world, State::Sent)), (10, 90), "{:?}", world.counts());
    let reasons = world.rows().into_iter().filter_map(|row| row.4);
    assert!(reasons.into_iter().all(|reason| reason == "550 no"));
}

pub async fn who_is_told_to_come_back_later_uses_no_attempt(place: Place) {
    let is_willing = Arc::new(AtomicBool::new(false));
    let retry_after = Some(Duration::from_millis(1));
    let later = Attempt::Throttled { reason: "429".into(), retry_after };
    let world = world(place, 1, until_willing(&is_willing, later), 1, Duration::from_secs(3600)).await;
    let engine = world.start();
    let call = world.call("narrow", None).await;
    until("it was tried again", || world.record.lock().unwrap().len() >= 4).await;
    is_willing.store(true, Ordering::Release);
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    assert_eq!(count(&world, State::Sent), 1, "{:?}", world.counts());
}

pub async fn refusals_of_single_recipients_stop_nobody(place: Place) {
    let refusal = || Attempt::Refused { reason: "550 5.1.1 nobody".into(), reach: Reach::This };
    let manner: Manner = Arc::new(move |_, _| (false, refusal(), Duration::ZERO));
    let world = world(place, 100, manner, 2, Duration::from_secs(3600)).await;
    let engine = world.start();
    let call = world.call("narrow", None).await;
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    assert_eq!(count(&world, State::Failed), 100, "{:?}", world.counts());
    assert_eq!(world.record.lock().unwrap().len(), 100, "each was tried once");
}

pub async fn a_channel_whose_endpoint_is_gone_rests_until_a_person_resumes_it(place: Place) {
    let gone = || Attempt::Refused { reason: "410 Gone".into(), reach: Reach::Gone };
    // As many as are under way at once.
    let manner: Manner = Arc::new(move |n, _| match n < 16 {
        true => (false, gone(), Duration::ZERO),
        false => (true, sent(), Duration::ZERO),
    });
    let world = world(place, 60, manner, 2, Duration::from_secs(3600)).await;
    let engine = world.start();
    let call = world.call("narrow", None).await;
    let control = engine.control();
    let deadline = Instant::now() + SOON;
    let pause = loop {
        if let Some(pause) = control.pauses().await.unwrap().pop() {
            break pause;
        }
        assert!(Instant::now() < deadline, "nothing was paused");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!((pause.scope.kind(), pause.scope.name(), pause.who.as_str()), ("channel", "sms", "fanfare"));
    assert!(pause.reason.contains("410 Gone"), "{pause:?}");
    until("what was under way has its outcome", || {
        world.record.lock().unwrap().len() >= 16 && count(&world, State::Sending) == 0
    })
    .await;
    assert_eq!(count(&world, State::Failed), 0, "{:?}", world.counts());
    control.resume(&PauseScope::Channel(ChannelName::new("sms"))).await.unwrap();
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    assert_eq!(count(&world, State::Sent), 60, "{:?}", world.counts());
}

pub async fn who_opted_out_at_the_provider_has_withdrawn_the_consent(place: Place) {
    let stop = Rule {
        status: Some(400),
        code: Some(21610),
        to: Some("+43660".into()),
        ..Rule::always(Protocol::Twilio, FaultAnswer::Fail)
    };
    let real = Real::start(place, storm(), vec![stop]).await;
    real.customer("ann", json!({"name": "Ann", "phone": "+43660"})).await;
    real.customer("ben", json!({"name": "Ben", "phone": "+43661"})).await;
    for reason in ["their consent sms is withdrawn", "no consent: sms"] {
        let call = real.call("alert", json!({"kind": "storm"})).await;
        let deliveries = real.ended(&call).await;
        let of_ann = deliveries
            .iter()
            .map(|it| it.delivery.reason.clone().unwrap_or_default())
            .find(|it| it.contains("sms"));
        assert!(of_ann.as_ref().is_some_and(|it| it.contains(reason)), "{deliveries:?}");
    }
    let consents = |key: fanfare::domain::customer::CustomerKey| {
        let customers = Arc::clone(&real.customers);
        async move { customers.load(&[key], &Default::default()).await.unwrap()[0].consents.clone() }
    };
    let key = |name: &'static str| real.customers.find(name);
    assert_eq!(consents(key("ann").await.unwrap().unwrap()).await.get("sms"), Some(&false));
    assert_eq!(consents(key("ben").await.unwrap().unwrap()).await.get("sms"), Some(&true));
    let taken = real.sandbox.messages(&Filter::default()).items;
    assert_eq!(taken.iter().filter(|it| it.taken && it.protocol == Protocol::Twilio).count(), 2);
    real.engine.stop(Duration::from_secs(1)).await;
}

pub async fn mails_that_refuse_us_at_the_recipient_are_sent_in_the_end(place: Place) {
    let mut sources = storm();
    let mail = json!({"smtp": {"host": "sandbox", "port": 25, "tls": "None", "from": "w@example.org"},
        "retry": {"attempts": 1}});
    sources["channels"] = json!({"mail": mail});
    sources["scenarios"]["storm"]["nodes"] = json!([{"name": "by-mail", "message": {
        "channelRef": {"name": "mail"}, "consent": "None", "to": "{{ customer.name }}@example.org",
        "email": {"subject": "Storm", "text": "Stay at home"}}}]);
    let refusal = |step, status, text: &str| Rule {
        step,
        status: Some(status),
        text: Some(text.to_owned()),
        count: Some(1),
        ..Rule::always(Protocol::Smtp, FaultAnswer::Fail)
    };
    let faults = vec![
        refusal(FaultStep::Connect, 554, "5.7.1 Client host blocked"),
        refusal(FaultStep::Mail, 553, "5.1.8 Domain of sender address does not exist"),
        refusal(FaultStep::Rcpt, 553, "5.7.1 <w@example.org>: Sender address rejected: not owned by user"),
        refusal(FaultStep::Rcpt, 554, "5.7.1 Relay access denied"),
        refusal(FaultStep::Data, 454, "4.7.0 Daily message quota exceeded"),
        refusal(FaultStep::End, 550, "5.4.5 Daily user sending limit exceeded"),
    ];
    let real = Real::start(place, sources, faults).await;
    for name in ["ann", "ben", "cid"] {
        real.customer(name, json!({"name": name, "phone": "+43660"})).await;
    }
    let call = real.call("alert", json!({"kind": "storm"})).await;
    let deliveries = real.ended(&call).await;
    assert!(deliveries.iter().all(|it| it.delivery.state == State::Sent), "{deliveries:?}");
    assert_eq!(deliveries.len(), 3);
    real.engine.stop(Duration::from_secs(1)).await;
}

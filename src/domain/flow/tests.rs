//! Journeys, and messages written or skipped with their reason.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::*;
use crate::domain::content::Content;
use crate::domain::expression::tests::{NOW, call, customer, scope};
use crate::domain::expression::{Expression, Facts, Truth};
use crate::domain::name::ChannelName;
use crate::domain::render::{Escaping, Subject, Template};
use crate::domain::time_budget::TimeBudget;

fn template(source: &str) -> Template {
    Template::compile(source, Escaping::None, &scope(), &BTreeMap::new()).unwrap()
}

fn sms(body: &str) -> FlowMessage {
    FlowMessage {
        channel: ChannelName::new("sms"),
        consent: Some("sms".into()),
        to: None,
        numbers: Numbers::AsWritten,
        content: ContentTemplates::Sms { body: template(body) },
    }
}

fn message(message: FlowMessage, next: NextNode) -> FlowNode {
    FlowNode { name: "m".into(), kind: FlowNodeKind::Message(Box::new(message)), next }
}

fn condition(source: &str, next: NextNode, otherwise: NextNode) -> FlowNode {
    let condition = Condition::compile(source, &scope()).unwrap();
    FlowNode { name: "c".into(), kind: FlowNodeKind::Condition { condition, otherwise }, next }
}

fn at(index: u16) -> NextNode {
    NextNode::Node(NodeIndex(index))
}

/// Adults get a message at 1, others at 2; whoever is unknown goes with the others.
fn flow() -> Flow {
    Flow {
        nodes: vec![
            condition("customer.age >= 18", at(1), at(2)),
            message(sms("adult"), NextNode::End),
            message(sms("other"), at(3)),
            condition("customer.vip", at(4), NextNode::End),
            message(sms("vip"), NextNode::End),
        ],
    }
}

fn walked(position: NextNode, attributes: &Json) -> Walked {
    let (customer, call) = (customer(attributes), call(&json!({})));
    let now = NOW.parse().unwrap();
    walk(&flow(), position, Facts::of_call(&call, now).with_customer(&customer), now)
}

#[test]
fn only_a_true_condition_goes_on() {
    let node = |attributes: Json| walked(flow().start(), &attributes).step;
    assert_eq!(node(json!({"age": 18})), FlowStep::Message { node: NodeIndex(1) });
    assert_eq!(node(json!({"age": 17})), FlowStep::Message { node: NodeIndex(2) });
    assert_eq!(node(json!({})), FlowStep::Message { node: NodeIndex(2) });
    let decision = &walked(at(0), &json!({"age": "5"})).decisions[0];
    let Truth::Unknown(reason) = &decision.truth else { panic!("unknown") };
    assert!(reason.to_string().starts_with("customer.age is the text `5`"));
}

#[test]
fn a_journey_goes_on_from_its_position_to_its_end() {
    let flow = flow();
    assert_eq!(flow.after(NodeIndex(1)), NextNode::End);
    assert_eq!(
        walked(flow.after(NodeIndex(2)), &json!({"vip": true})).step,
        FlowStep::Message { node: NodeIndex(4) }
    );
    assert_eq!(walked(flow.after(NodeIndex(2)), &json!({})).step, FlowStep::End);
    assert_eq!(walked(at(99), &json!({})).step, FlowStep::End);
}

fn composed(message: &FlowMessage, attributes: &Json, consent: Option<bool>) -> Composed {
    composed_within(TimeBudget::default(), message, attributes, consent)
}

fn composed_within(
    time: TimeBudget,
    message: &FlowMessage,
    attributes: &Json,
    consent: Option<bool>,
) -> Composed {
    let mut customer = customer(attributes);
    customer.consents = Arc::new(consent.map(|given| ("sms".to_owned(), given)).into_iter().collect());
    let (call, customer) = (Arc::new(call(&json!({}))), Arc::new(customer));
    let subject = Subject { call, customer, now: NOW.parse().unwrap(), time };
    compose(message, &subject)
}

#[test]
fn a_message_needs_consent_address_and_text_in_this_order() {
    let skipped = |reason: &str| Composed::Skipped(reason.to_owned());
    let hello = sms("Hello {{ customer.name }}");
    let ann = json!({"phone": "+431", "name": "Ann"});
    let text = Content::Sms { body: "Hello Ann".into() };
    assert_eq!(composed(&hello, &ann, Some(true)), Composed::Ready { address: "+431".into(), text });
    assert_eq!(composed(&hello, &ann, Some(false)), skipped("no consent: sms"));
    assert_eq!(composed(&hello, &ann, None), skipped("no consent: sms"));
    let unreachable = json!({"name": "Ann", "phone": " "});
    assert_eq!(composed(&hello, &unreachable, Some(true)), skipped("no address"));
    assert_eq!(composed(&hello, &unreachable, None), skipped("no consent: sms"));
    let unnamed = composed(&hello, &json!({"phone": 431}), Some(true));
    assert_eq!(unnamed, skipped("body cannot be written: `customer.name` is missing (line 1)"));
    assert_eq!(composed(&sms("{{ abort('why') }}"), &ann, Some(true)), skipped("aborted: why"));
    let to = FlowMessage { to: Some(template("{{ customer.other | default('') }}")), ..hello };
    assert_eq!(composed(&to, &ann, Some(true)), skipped("no address"));
    let unreadable = FlowMessage { to: Some(template("{{ customer.other }}")), ..to };
    assert_eq!(composed(&unreadable, &ann, None), skipped("no consent: sms"));
    let reason = "to cannot be written: `customer.other` is missing (line 1)";
    assert_eq!(composed(&unreadable, &ann, Some(true)), skipped(reason));
}

#[test]
fn numbers_are_written_as_e164_where_asked_for() {
    let austrian = FlowMessage { numbers: Numbers::E164("AT".parse().ok()), ..sms("Hi") };
    let abroad = FlowMessage { numbers: Numbers::E164(None), ..sms("Hi") };
    let to =
        |message: &FlowMessage, phone: Json| match composed(message, &json!({"phone": phone}), Some(true)) {
            Composed::Ready { address, .. } => address,
            Composed::Skipped(reason) => reason,
        };
    assert_eq!(to(&austrian, json!("0664/123 45 67")), "+436641234567");
    assert_eq!(to(&austrian, json!(436_641_234_567_i64)), "+436641234567");
    assert_eq!(to(&austrian, json!("whatsapp:0664 1234567")), "whatsapp:+436641234567");
    assert_eq!(to(&austrian, json!("0664 12")), "`0664 12` is no phone number: +43 has no such numbers");
    assert_eq!(to(&austrian, json!(" ")), "no address");
    assert!(to(&abroad, json!("0664 1234567")).contains("no country code"));
    assert!(to(&abroad, json!("x".repeat(500))).len() < 100);
    let given = FlowMessage { to: Some(template("{{ customer.phone }}")), ..austrian };
    assert_eq!(to(&given, json!("0043 664 1234567")), "+436641234567");
    assert_eq!(to(&sms("Hi"), json!("0664/123 45 67")), "0664/123 45 67");
}

#[test]
fn a_text_without_a_word_is_not_sent() {
    let ann = json!({"phone": "+431", "email": "a@b", "name": " \n"});
    let mail = |text: Option<&str>, html: Option<&str>| FlowMessage {
        channel: ChannelName::new("mail"),
        consent: None,
        to: None,
        numbers: Numbers::AsWritten,
        content: ContentTemplates::Email {
            subject: template("Hi"),
            text: text.map(template),
            html: html.map(template),
        },
    };
    let log =
        FlowMessage { content: ContentTemplates::Log { text: template("{{ none }}") }, ..mail(None, None) };
    for message in [
        sms("{{ customer.name }}"),
        sms("{% if customer.vip %}x{% endif %}"),
        mail(Some(" "), Some("\n")),
        log,
    ] {
        assert_eq!(composed(&message, &ann, Some(true)), Composed::Skipped("the text is empty".into()));
    }
    assert!(matches!(composed(&mail(Some(""), Some("x")), &ann, None), Composed::Ready { .. }));
}

#[test]
fn a_subject_stays_one_line() {
    let mail = FlowMessage {
        channel: ChannelName::new("mail"),
        consent: None,
        to: None,
        numbers: Numbers::AsWritten,
        content: ContentTemplates::Email {
            subject: template("Hi {{ customer.name }}"),
            text: Some(template("x")),
            html: None,
        },
    };
    for (name, expected) in [
        ("Ann\r\nBcc: x@y", "Hi Ann Bcc: x@y"),
        ("Ann\tB.", "Hi Ann B."),
        ("\u{1b}[1mAnn\u{85}B.\u{7}", "Hi [1mAnn B."),
    ] {
        let Composed::Ready { text: Content::Email { subject, .. }, .. } =
            composed(&mail, &json!({"email": "a@b", "name": name}), None)
        else {
            panic!("ready")
        };
        assert_eq!(subject, expected);
    }
}

/// A message of a kind whose parts are these.
fn of_kind(content: ContentTemplates, to: Option<&str>) -> FlowMessage {
    let numbers = Numbers::AsWritten;
    FlowMessage { channel: ChannelName::new("c"), consent: None, to: to.map(template), content, numbers }
}

#[test]
fn what_is_longer_than_its_kind_may_be_is_skipped_with_the_reason() {
    let long = "{{ 'x' * customer.n }}";
    let mail = |subject: &str| ContentTemplates::Email {
        subject: template(subject),
        text: Some(template("x")),
        html: None,
    };
    let body =
        Template::compile("{\"a\": \"{{ 'x' * customer.n }}\"}", Escaping::Json, &scope(), &BTreeMap::new());
    for (message, fits, part) in [
        (of_kind(mail(long), None), 998, "subject"),
        (of_kind(ContentTemplates::Webhook { body: body.unwrap() }, None), 256 * 1024 - 9, "body"),
        (of_kind(ContentTemplates::Log { text: template(long) }, None), 16 * 1024, "text"),
        (of_kind(mail("x"), Some(long)), 1024, "to"),
    ] {
        let of = |n: usize| composed(&message, &json!({"email": "a@b", "n": n}), None);
        assert!(matches!(of(fits), Composed::Ready { .. }), "{part}: {:?}", of(fits));
        let Composed::Skipped(reason) = of(fits + 1) else { panic!("{part} is sent") };
        assert!(reason.starts_with(&format!("{part} is longer than ")), "{reason}");
    }
}

#[test]
fn a_message_that_takes_too_long_is_skipped_with_the_reason() {
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let used_up_after = |looks: usize| {
        let asked = Arc::clone(&asked);
        asked.store(0, std::sync::atomic::Ordering::Relaxed);
        TimeBudget::new(move || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= looks)
    };
    let ann = json!({"phone": "+431", "n": 5, "tags": ["a", "b"]});
    let heavy = sms("{% for x in range(5000) %}{% if customer.tags == [x] %}y{% endif %}{% endfor %}done");
    let ready = composed_within(used_up_after(100_000), &heavy, &ann, Some(true));
    assert!(matches!(ready, Composed::Ready { .. }), "{ready:?}");
    // In the midst of a text, and before the next part.
    for looks in [0, 3] {
        let skipped = composed_within(used_up_after(looks), &heavy, &ann, Some(true));
        let Composed::Skipped(reason) = skipped else { panic!("{skipped:?}") };
        assert!(reason.contains("this takes more time than one message may"), "{reason}");
        let most = looks + 2;
        assert!(asked.load(std::sync::atomic::Ordering::Relaxed) <= most, "it went on");
    }
}

fn over_at(wait: &Wait, attributes: &Json) -> Option<String> {
    let (customer, call) = (customer(attributes), call(&json!({})));
    let now: jiff::Timestamp = NOW.parse().unwrap();
    wait.over_at(Facts::of_call(&call, now).with_customer(&customer), now).map(|at| at.to_string())
}

#[test]
fn a_journey_waits_until_its_time_and_not_for_what_is_past_or_unknown() {
    let until = |source: &str, before: u64| Wait::Until {
        time: Expression::compile(source, &scope()).unwrap(),
        before: Duration::from_secs(before),
    };
    let (later, past) = (json!({"at": "2099-01-01T00:00:00Z"}), json!({"at": "1999-01-01T00:00:00Z"}));
    let at = until("customer.at", 0);
    assert_eq!(over_at(&at, &later).as_deref(), Some("2099-01-01T00:00:00Z"));
    assert_eq!(over_at(&until("customer.at", 60), &later).as_deref(), Some("2098-12-31T23:59:00Z"));
    assert_eq!(over_at(&at, &past), None, "it is past");
    assert_eq!(over_at(&at, &json!({})), None, "it is missing");
    assert_eq!(over_at(&at, &json!({"at": "soon"})), None, "it is no time");
    assert_eq!(over_at(&at, &json!({"at": [1]})), None);
    let now: jiff::Timestamp = NOW.parse().unwrap();
    let hour = over_at(&Wait::For(Duration::from_secs(3600)), &json!({}));
    assert_eq!(hour, Some((now + jiff::SignedDuration::from_hours(1)).to_string()));
}

#[test]
fn the_customers_clock_is_the_runtimes_for_who_names_none() {
    let zone = WaitZone::Customer(jiff::tz::TimeZone::UTC);
    let wait = Wait::UntilTime { at: jiff::civil::time(9, 0, 0, 0), zone };
    let hour = |attributes: Json| over_at(&wait, &attributes).unwrap()[11..13].to_owned();
    assert_eq!(hour(json!({"time_zone": "Asia/Tokyo"})), "00");
    assert_eq!(hour(json!({"time_zone": "nowhere"})), "09");
    assert_eq!(hour(json!({})), "09");
}

#[test]
fn a_walk_stops_at_a_wait_and_passes_one_that_is_over() {
    let wait = |source: &str| FlowNode {
        name: "w".into(),
        kind: FlowNodeKind::Wait(Box::new(Wait::Until {
            time: Expression::compile(source, &scope()).unwrap(),
            before: Duration::ZERO,
        })),
        next: at(1),
    };
    let walked = |source: &str| {
        let (customer, call) = (customer(&json!({"at": "2099-01-01T00:00:00Z"})), call(&json!({})));
        let now = NOW.parse().unwrap();
        let flow = Flow { nodes: vec![wait(source), message(sms("behind"), NextNode::End)] };
        walk(&flow, at(0), Facts::of_call(&call, now).with_customer(&customer), now).step
    };
    let until = "2099-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(walked("customer.at"), FlowStep::Wait { node: NodeIndex(0), until });
    assert_eq!(walked("customer.nope"), FlowStep::Message { node: NodeIndex(1) });
}

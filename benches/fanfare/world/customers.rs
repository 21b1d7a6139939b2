//! The customer base: made from a number each, so that whoever knows the number knows the message.

use std::collections::BTreeMap;

use fanfare::domain::value::Value;
use fanfare::store::customers::{CustomerWrite, Customers, EventWrite};
use jiff::Timestamp;

/// How many customers share a postcode, and how many a match: what a narrow call reaches.
pub const NARROW: u64 = 200;

const BATCH: u64 = 10_000;
const CITIES: [&str; 4] = ["Cedar Falls", "Mason City", "Fort Dodge", "Spencer"];
const NAMES: [&str; 5] = ["Ann", "Ben", "Cleo", "Dan", "Eve"];

/// Writes customers `0..count` and a ticket for each, straight through the store.
pub async fn fill(store: &dyn Customers, count: u64) {
    for batch in (0..count).step_by(BATCH as usize) {
        let numbers = batch..(batch + BATCH).min(count);
        let customers = numbers.clone().map(|number| customer(number, count)).collect();
        let kept = store.upsert_customers(customers).await.expect("the store takes them");
        assert!(kept.iter().all(Result::is_ok));
        let tickets = numbers.map(|number| ticket(number, count)).collect();
        let kept = store.insert_events(tickets).await.expect("the store takes them");
        assert!(kept.iter().all(Result::is_ok));
    }
}

/// How many customers of a base are gold: three of ten.
pub fn gold(count: u64) -> u64 {
    (0..count % 10).filter(|rest| *rest < 3).count() as u64 + count / 10 * 3
}

/// How many customers of a base are 18 years old.
pub fn aged_18(count: u64) -> u64 {
    count.div_ceil(70)
}

/// A postcode that [`NARROW`] customers of the base have.
pub fn postcode(number: u64, count: u64) -> String {
    format!("{:06}", number % (count / NARROW).max(1))
}

/// A match that [`NARROW`] customers of the base have a ticket for.
pub fn match_id(number: u64, count: u64) -> String {
    format!("m{}", number % (count / NARROW).max(1))
}

/// What the text message to a gold customer says, and where it goes.
pub fn sms(number: u64) -> (String, String) {
    let (name, city) = (NAMES[number as usize % 5], CITIES[number as usize % 4]);
    (format!("+4366012{number:07}"), format!("{name}, a snowstorm is coming to {city}. Please don't drive."))
}

fn customer(number: u64, count: u64) -> CustomerWrite {
    let text = |text: String| Some(Value::text(text));
    let tier = if number % 10 < 3 { "gold" } else { "silver" };
    let attributes = [
        ("first_name", text(NAMES[number as usize % 5].into())),
        ("last_name", text(format!("Example{number}"))),
        ("city", text(CITIES[number as usize % 4].into())),
        ("phone", text(format!("+4366012{number:07}"))),
        ("email", text(format!("customer{number}@example.org"))),
        ("postcode", text(postcode(number, count))),
        ("tier", text(tier.into())),
        ("age", Some(Value::integer(18 + (number % 70) as i64))),
    ];
    CustomerWrite {
        registered: format!("c{number:07}"),
        attributes: attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        consents: [("sms".to_owned(), Some(true)), ("mail".to_owned(), Some(true))].into(),
        ..CustomerWrite::default()
    }
}

fn ticket(number: u64, count: u64) -> EventWrite {
    let properties =
        [("match_id", Value::text(match_id(number, count))), ("seat", Value::integer(number as i64))];
    EventWrite {
        registered: format!("c{number:07}"),
        other_ids: BTreeMap::new(),
        event_type: "ticket_purchased".into(),
        timestamp: Timestamp::now(),
        properties: properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}

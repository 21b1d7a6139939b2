//! The customers of the story, by number. Region and mail address never change; phones and consents do.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// So many customers in the north, and a tenth as many in the south, whom no storm concerns.
#[derive(Debug, Clone, Copy)]
pub struct Customers {
    /// How many are in the north.
    pub north: u32,
}

impl Customers {
    /// All of them.
    pub fn count(self) -> u32 {
        self.north + self.north / 10
    }

    /// The `registered` id.
    pub fn id(number: u32) -> String {
        format!("c{number:06}")
    }

    /// The audience of `storm`.
    pub fn in_the_north(self) -> BTreeSet<String> {
        (0..self.north).map(Self::id).collect()
    }

    /// The audience of `briefing`: every tenth.
    pub fn with_a_car(self) -> BTreeSet<String> {
        (0..self.count()).step_by(10).map(Self::id).collect()
    }

    /// Writes the files that `fanfare dev` loads into an empty store: all of them, and the events that decide who
    /// has a car.
    pub fn write(self, manifests: &Path) {
        let data = manifests.join("data");
        fs::create_dir_all(&data).unwrap();
        let customers: String = (0..self.count()).map(|number| format!("{}\n", self.line(number))).collect();
        fs::write(data.join("customers.ndjson"), customers).unwrap();
        let bought = |id: String| {
            json!({"ids": {"registered": id}, "type": "policy_purchased",
                   "timestamp": "2026-01-01T00:00:00Z", "properties": {"product": "car"}})
        };
        let events: String = self.with_a_car().into_iter().map(|id| format!("{}\n", bought(id))).collect();
        fs::write(data.join("events.ndjson"), events).unwrap();
    }

    /// Two of three have a phone, every second one agreed to SMS: a third gets one.
    fn line(self, number: u32) -> Value {
        let id = Self::id(number);
        let region = if number < self.north { "north" } else { "south" };
        let mut attributes = json!({"n": id, "region": region, "email": format!("{id}@example.org")});
        if !number.is_multiple_of(3) {
            attributes["phone"] = Self::phone(number).into();
        }
        json!({"ids": {"registered": id}, "attributes": attributes, "consents": {"sms": number.is_multiple_of(2)}})
    }

    /// A phone number of this customer's.
    pub fn phone(number: u32) -> String {
        format!("+43660{number:07}")
    }
}

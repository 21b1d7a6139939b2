//! Every alert that the feed's schema allows, posted to the weather example: who is told what, and who is not.
//!
//! The schema is `Alert` of <https://api.weather.gov/openapi.json>; it requires no field, and extends CAP 1.2
//! (<http://docs.oasis-open.org/emergency/cap/v1.2/CAP-v1.2-os.html>).

use std::collections::BTreeMap;

use fanfare::sandbox::{Protocol, ReceivedMessage};
use serde_json::{Value, json};

use crate::command::{Example, example_file};
use crate::harness::wait_for;

/// Who is told of an alert: how many SMS and mails.
type Told = (usize, usize);

const NOBODY: Told = (0, 0);
/// The warning by SMS and mail, and the mail to three account managers.
const WARNED: Told = (44, 24 + 3);
/// The account managers alone: the alert names no county.
const BRIEFED: Told = (0, 3);
/// The customers alone: the alert does not say whose region it is.
const WARNED_WITHOUT_REGION: Told = (44, 24);
const ALL_CLEAR: Told = (44, 24);

fn alert(file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(example_file(&format!("calls/{file}"))).unwrap()).unwrap()
}

/// The storm with these properties changed; null removes nothing, it stands there as the feed writes it.
fn storm(changes: &Value) -> Value {
    let mut alert = alert("winter-storm.json");
    for (name, value) in changes.as_object().unwrap() {
        alert["properties"][name] = value.clone();
    }
    alert
}

/// The storm without a property.
fn storm_without(name: &str) -> Value {
    let mut alert = alert("winter-storm.json");
    alert["properties"].as_object_mut().unwrap().remove(name).unwrap();
    alert
}

/// Posts an alert as the feed serves it, waits for all that comes of it, and returns what the sandbox received.
fn posted(example: &Example, alert: &Value, content_type: &str) -> Vec<ReceivedMessage> {
    let before = example.sandbox.messages().len();
    let trigger = example.dev.trigger("weather-alert");
    let call = crate::harness::Request::post(&trigger.url).basic(&trigger.username, &trigger.password);
    let answer = call.header("Content-Type", content_type).body(alert.to_string()).must().expect(202).json();
    let id = answer["id"].as_str().unwrap().to_owned();
    wait_for("the call to be done", || example.dev.is_done(&id).then_some(()));
    example.sandbox.messages().split_off(before)
}

fn told(messages: &[ReceivedMessage]) -> Told {
    let mails = messages.iter().filter(|message| message.protocol == Protocol::Smtp).count();
    (messages.len() - mails, mails)
}

#[test]
fn only_an_actual_alert_or_update_warns() {
    let example = Example::start();
    for message_type in ["Alert", "Update", "Cancel", "Ack", "Error"] {
        for status in ["Actual", "Exercise", "System", "Test", "Draft"] {
            let alert = storm(&json!({"messageType": message_type, "status": status}));
            let expected = match (status, message_type) {
                ("Actual", "Alert" | "Update") => WARNED,
                _ => NOBODY,
            };
            let messages = posted(&example, &alert, "application/geo+json");
            assert_eq!(told(&messages), expected, "{message_type}, {status}");
        }
    }
    let over = json!({"messageType": "Update", "urgency": "Past", "response": "AllClear"});
    for (what, alert, expected) in [
        ("an update that says that it is over", storm(&over), NOBODY),
        ("an update of what is past", storm(&json!({"messageType": "Update", "urgency": "Past"})), NOBODY),
        ("a cancel of what is over", alert("winter-storm-cancel.json"), ALL_CLEAR),
        ("another event", storm(&json!({"event": "Winter Storm Watch"})), NOBODY),
    ] {
        assert_eq!(told(&posted(&example, &alert, "application/json")), expected, "{what}");
    }
    let mut drill = alert("winter-storm-cancel.json");
    drill["properties"]["status"] = json!("Test");
    assert_eq!(told(&posted(&example, &drill, "application/json")), NOBODY, "the cancel of a test");
}

#[test]
fn every_alert_of_the_schema_is_taken() {
    let example = Example::start();
    let all = alert("winter-storm.json");
    let properties = all["properties"].as_object().unwrap();
    for name in properties.keys() {
        let expected = match name.as_str() {
            "event" | "status" | "messageType" => NOBODY,
            "geocode" => BRIEFED,
            "senderName" => WARNED_WITHOUT_REGION,
            _ => WARNED,
        };
        let messages = posted(&example, &storm_without(name), "application/json");
        assert_eq!(told(&messages), expected, "without {name}");
    }
}

#[test]
fn what_the_schema_lets_be_null_is_as_if_it_were_not_there() {
    let example = Example::start();
    let nulls = json!({"headline": null, "instruction": null, "ends": null, "onset": null});
    assert_eq!(told(&posted(&example, &storm(&nulls), "application/json")), WARNED);
    let codes = |codes: Value| storm(&json!({"geocode": codes}));
    for (what, alert, expected) in [
        ("no SAME codes", codes(json!({"UGC": ["NYZ001"]})), BRIEFED),
        ("SAME codes that are null", codes(json!({"SAME": null, "UGC": null})), BRIEFED),
        ("an empty list of them", codes(json!({"SAME": [], "UGC": []})), BRIEFED),
        ("no UGC codes", codes(json!({"SAME": all_counties()})), WARNED),
        ("an empty headline", storm(&json!({"headline": ""})), WARNED),
        ("a severity that is not known", storm(&json!({"severity": "Unknown"})), WARNED),
        ("no properties", json!({"type": "Feature", "geometry": null, "properties": null}), NOBODY),
        (
            "a polygon",
            {
                let mut alert = storm(&json!({}));
                let ring = [[-79.0, 43.0], [-78.0, 43.0], [-78.0, 42.0], [-79.0, 43.0]];
                alert["geometry"] = json!({"type": "Polygon", "coordinates": [ring]});
                alert
            },
            WARNED,
        ),
    ] {
        assert_eq!(told(&posted(&example, &alert, "application/json")), expected, "{what}");
    }
}

fn all_counties() -> Value {
    alert("winter-storm.json")["properties"]["geocode"]["SAME"].clone()
}

/// One message of each kind, by whom it goes to.
fn texts(messages: &[ReceivedMessage]) -> BTreeMap<String, (Option<String>, String)> {
    let text = |message: &ReceivedMessage| {
        let text = message.content.text.clone().unwrap_or_default();
        (message.content.subject.clone(), text.replace("\r\n", "\n").trim_end().to_owned())
    };
    messages.iter().map(|message| (message.content.to.join(","), text(message))).collect()
}

/// Uma Tran of Batavia.
const SMS: &str = "+15855550103";
/// Ann Vasquez of Albion, who has no phone.
const MAIL: &str = "ann.vasquez@example.org";
/// Nadia Fischer of the office in Buffalo.
const MANAGER: &str = "nadia.fischer@northlight.example";

fn mail(subject: &str, text: &str) -> (Option<String>, String) {
    (Some(subject.to_owned()), text.to_owned())
}

#[test]
fn the_messages_say_what_the_alert_says() {
    let example = Example::start();
    let warned = texts(&posted(&example, &storm(&json!({})), "application/json"));
    let sms = "Uma, a snowstorm is coming to Batavia. Please park under a roof and don't drive. Northlight Insurance";
    assert_eq!(warned[SMS], (None, sms.to_owned()));
    let warning = "Dear Ann Vasquez,\n\nthe National Weather Service warns of a snowstorm in Albion:\n\n  Winter Storm \
        Warning issued January 16 at 2:51PM EST until January 18 at 7:00AM EST by NWS Buffalo NY\n\nPlease park your \
        car under a roof if you can, and don't drive until it is over.\n\nIf you must travel, keep an extra flashlight, \
        food, and water in\nyour vehicle in case of an emergency.\n\nNorthlight Insurance";
    assert_eq!(warned[MAIL], mail("Snowstorm warning for Albion", warning));
    let briefing = "Good day Nadia,\n\nWinter Storm Warning issued January 16 at 2:51PM EST until January 18 at 7:00AM \
        EST by NWS Buffalo NY\n\nSeverity: Severe\nCounties: Niagara; Orleans; Northern Erie; Genesee; Wyoming; \
        Chautauqua; Cattaraugus; Southern Erie\n\nYour customers with a car policy there are being warned by SMS or mail \
        at this moment. Expect calls.\n\nNorthlight Insurance";
    let subject = "Buffalo NY: Winter Storm Warning, customers are being warned";
    assert_eq!(warned[MANAGER], mail(subject, briefing));

    let updated = json!({"messageType": "Update", "headline": null, "instruction": null});
    let updated = texts(&posted(&example, &storm(&updated), "application/json"));
    let sms = "Uma, the warning was updated: a snowstorm is coming to Batavia. Please park under a roof and don't \
        drive. Northlight Insurance";
    assert_eq!(updated[SMS], (None, sms.to_owned()));
    let warning = "Dear Ann Vasquez,\n\nthe National Weather Service warns of a snowstorm in Albion:\n\n  Winter Storm \
        Warning\n\nPlease park your car under a roof if you can, and don't drive until it is over.\n\nNorthlight \
        Insurance";
    assert_eq!(updated[MAIL], mail("Update: Snowstorm warning for Albion", warning));

    let bare = json!({"severity": null, "areaDesc": null, "geocode": null, "headline": null});
    let briefed = texts(&posted(&example, &storm(&bare), "application/json"));
    let briefing = "Good day Nadia,\n\nWinter Storm Warning\n\nSeverity: Unknown\n\nThe alert names no county, so none \
        of your customers is being warned. Warn them by hand if they should be.\n\nNorthlight Insurance";
    let subject = "Buffalo NY: Winter Storm Warning, no customer is being warned";
    assert_eq!(briefed[MANAGER], mail(subject, briefing));

    let over = texts(&posted(&example, &alert("winter-storm-cancel.json"), "application/json"));
    let sms =
        "Uma, the snowstorm warning for Batavia has ended. Roads may still be icy. Northlight Insurance";
    assert_eq!(over[SMS], (None, sms.to_owned()));
    let ended = "Dear Ann Vasquez,\n\nthe National Weather Service has ended its snowstorm warning for Albion. Roads may \
        still be icy.\n\nNorthlight Insurance";
    assert_eq!(over[MAIL], mail("The snowstorm warning for Albion has ended", ended));
}

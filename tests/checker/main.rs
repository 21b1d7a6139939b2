//! The checker is itself checked: a world in order passes, and each promise broken in a copy of it is found.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "mod.rs"]
mod checker;
mod world;

use checker::Kind;
use world::World;

/// Breaks something in a world in order, and expects exactly these kinds of complaint.
#[track_caller]
fn found(break_it: impl FnOnce(&World), expected: &[Kind]) {
    let world = World::in_order();
    break_it(&world);
    let violations = world.check();
    let mut kinds: Vec<Kind> = violations.iter().map(|violation| violation.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, expected, "{violations:#?}");
}

#[test]
fn a_world_in_order_passes() {
    found(|_| {}, &[]);
}

#[test]
fn a_lost_call_is_found() {
    found(
        |world| world.sql("DELETE FROM run; DELETE FROM call WHERE seq = 1"),
        &[Kind::LostCall, Kind::UnknownMessage],
    );
    found(|world| world.sql("UPDATE call SET state = 1 WHERE seq = 1"), &[Kind::LostCall]);
}

#[test]
fn a_call_taken_twice_is_found() {
    let second =
        "INSERT INTO call SELECT 2, 'call-2', request, trigger_name, credential, received_at, expires_at,
         version, params, state, http_status, reason, not_fired, finished_at FROM call WHERE seq = 1";
    found(|world| world.sql(second), &[Kind::DoubleCall, Kind::LostRun]);
}

#[test]
fn a_lost_run_is_found() {
    found(|world| world.sql("UPDATE run SET state = 3, error = 'no such table'"), &[Kind::LostRun]);
    found(|world| world.sql("UPDATE chunk SET state = 0"), &[Kind::LostRun]);
}

#[test]
fn a_lost_message_is_found() {
    found(|world| world.drop_message("ann", "sms"), &[Kind::LostMessage]);
}

#[test]
fn a_customer_left_out_is_found() {
    found(
        |world| world.sql("DELETE FROM delivery WHERE customer = 1"),
        &[Kind::Equation, Kind::EndedEarly, Kind::UnknownMessage],
    );
    // The same, forged so well that every sum is right.
    let forged = "DELETE FROM delivery WHERE customer = 2 AND node = 3;
         UPDATE chunk SET counts = replace(counts, '\"3\":{\"sent\":1}', '\"3\":{}')";
    found(|world| world.sql(forged), &[Kind::Equation, Kind::EndedEarly, Kind::UnknownMessage]);
    found(
        |world| world.sql("UPDATE delivery SET state = 2 WHERE customer = 2"),
        &[Kind::EndedEarly, Kind::UnknownMessage],
    );
}

#[test]
fn an_audience_cut_short_is_found() {
    found(
        |world| world.sql("UPDATE chunk_customers SET customers = x'01'"),
        &[Kind::Audience, Kind::Equation],
    );
    found(
        |world| world.sql("UPDATE chunk_customers SET customers = x'010101'"),
        &[Kind::Audience, Kind::Equation, Kind::EndedEarly],
    );
}

#[test]
fn a_second_sms_is_found() {
    found(|world| world.repeat_message("ann", "sms", |_| {}), &[Kind::Double]);
}

#[test]
fn a_repeated_mail_must_be_the_same() {
    found(|world| world.repeat_message("bob", "mail", |_| {}), &[]);
    let other_id = |message: &mut serde_json::Value| message["messageId"] = "<other>".into();
    found(|world| world.repeat_message("bob", "mail", other_id), &[Kind::Double]);
    let no_id = |message: &mut serde_json::Value| drop(message.as_object_mut().unwrap().remove("messageId"));
    found(|world| world.repeat_message("bob", "mail", no_id), &[Kind::Double]);
    let other_subject = |message: &mut serde_json::Value| message["subject"] = "Another".into();
    found(|world| world.repeat_message("bob", "mail", other_subject), &[Kind::Double]);
}

#[test]
fn more_repeats_than_the_kills_explain_are_found() {
    found(|world| (0..3).for_each(|_| world.repeat_message("bob", "mail", |_| {})), &[Kind::TooManyInDoubt]);
}

#[test]
fn a_second_branch_is_found() {
    found(|world| world.add_message("ann", "mail"), &[Kind::UnknownMessage, Kind::SecondBranch]);
    let decided_again = "INSERT INTO delivery (run, customer, node, channel, state, attempt)
         VALUES (1, 1, 2, 'mail', 7, 0);
         UPDATE chunk SET counts = replace(counts, '\"2\":{\"sent\":1}', '\"2\":{\"sent\":1,\"skipped\":1}')";
    found(|world| world.sql(decided_again), &[Kind::SecondBranch]);
}

#[test]
fn another_version_is_found() {
    let other = |message: &mut serde_json::Value| {
        let text = message["text"].as_str().unwrap().replace("|v1|", "|v2|");
        message["text"] = text.into();
    };
    found(|world| world.change_message("bob", "hook", other), &[Kind::OtherVersion]);
    found(|world| world.sql("UPDATE version SET content = 'storm: [[x|storm|v7|y]]'"), &[Kind::OtherVersion]);
}

#[test]
fn a_message_of_nobody_is_found() {
    let anonymous = |message: &mut serde_json::Value| message["text"] = "who am I?".into();
    found(|world| world.repeat_message("bob", "hook", anonymous), &[Kind::UnknownMessage]);
    let refused = "UPDATE delivery SET state = 4 WHERE customer = 1;
         UPDATE chunk SET counts = replace(counts, '\"1\":{\"sent\":1}', '\"1\":{\"failed\":1}')";
    found(|world| world.sql(refused), &[Kind::UnknownMessage]);
}

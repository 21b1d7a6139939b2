//! The checker is shown to see also what is wrong in the database: each wrong is planted in its rows, found, and taken
//! back.

use crate::checker::{Kind, check};
use crate::world::Settled;

/// Plants each and expects it to be found.
pub fn are_found(settled: &Settled) {
    let expect = |what: &str, kind: Kind, plant: &str| {
        settled.admin.batch("BEGIN; SET LOCAL session_replication_role = replica");
        settled.admin.batch(plant);
        let found = check(&settled.claims, &settled.record, &settled.admin.ledger());
        settled.admin.batch("ROLLBACK");
        assert!(found.iter().any(|violation| violation.kind == kind), "{what} is not found: {found:#?}");
    };
    let one = "(run, customer, node) = (SELECT run, customer, node FROM delivery WHERE state = 3 LIMIT 1)";
    expect("a call that is gone", Kind::LostCall, "DELETE FROM call");
    expect("a call that is open", Kind::LostCall, "UPDATE call SET state = 1");
    expect("a run that is gone", Kind::LostRun, "DELETE FROM run WHERE id = (SELECT max(id) FROM run)");
    expect("an open chunk", Kind::LostRun, "UPDATE chunk SET state = 0 WHERE n = 0");
    expect("a customer left out", Kind::EndedEarly, &format!("DELETE FROM delivery WHERE {one}"));
    expect(
        "a delivery that is not in the counts",
        Kind::Equation,
        &format!("DELETE FROM delivery WHERE {one}"),
    );
    expect("an open delivery", Kind::EndedEarly, &format!("UPDATE delivery SET state = 2 WHERE {one}"));
    expect(
        "a message called failed",
        Kind::UnknownMessage,
        &format!("UPDATE delivery SET state = 4 WHERE {one}"),
    );
    expect(
        "a message that was never sent",
        Kind::LostMessage,
        "UPDATE delivery SET state = 3 WHERE state <> 3;
         INSERT INTO delivery (run, customer, node, accepted_at, channel, state, attempt)
            SELECT run, customer, 1, accepted_at, 'sms', 3, 1 FROM delivery WHERE node = 2 LIMIT 1",
    );
    expect(
        "a second branch",
        Kind::SecondBranch,
        "INSERT INTO delivery (run, customer, node, accepted_at, channel, state, attempt)
            SELECT run, customer, 1, accepted_at, 'sms', 7, 0 FROM delivery WHERE node = 2 LIMIT 1",
    );
    expect(
        "an audience cut short",
        Kind::Audience,
        "UPDATE chunk_customers SET customers = substr(customers, 1, 1)",
    );
    expect("too many in doubt", Kind::TooManyInDoubt, "UPDATE delivery SET state = 6");
    expect(
        "another version",
        Kind::OtherVersion,
        "UPDATE version SET content = 'storm: [[x|storm|other|y]]'",
    );
}

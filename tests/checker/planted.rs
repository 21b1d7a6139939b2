//! The checker is shown to see: a loss, a double and a second branch, planted in copies of what a run left.

use fanfare::sandbox::Protocol;

use super::{Claims, Kind, Ledger, Record, Taken, check};

/// Plants each in the record of a good run and expects it to be found.
pub fn are_found(claims: &Claims, record: &Record, ledger: &Ledger) {
    let expect = |what: &str, kind: Kind, plant: &dyn Fn(&mut Record)| {
        let mut record = record.clone();
        plant(&mut record);
        let found = check(claims, &record, ledger);
        assert!(found.iter().any(|violation| violation.kind == kind), "{what} is not found: {found:#?}");
    };
    let sms = position(record, |taken| taken.protocol == Protocol::Twilio);
    let hook = position(record, |taken| taken.protocol == Protocol::Webhook);
    expect("a loss", Kind::LostMessage, &|record| drop_all(record, hook));
    expect("a second SMS", Kind::Double, &|record| record.taken.push(record.taken[sms].clone()));
    expect("a second branch", Kind::SecondBranch, &|record| {
        let mut second = record.taken[sms].clone();
        second.protocol = Protocol::Smtp;
        second.mark.step = "mail".to_owned();
        record.taken.push(second);
    });
    let mut forgetful = ledger.clone();
    forgetful.calls.remove(&claims.acknowledged[0]);
    let found = check(claims, record, &forgetful);
    assert!(found.iter().any(|violation| violation.kind == Kind::LostCall), "a lost call is not found");
}

fn position(record: &Record, is: impl Fn(&Taken) -> bool) -> usize {
    record.taken.iter().position(is).expect("the run sent messages of every kind")
}

/// A message may be there more than once; a loss is when it never was.
fn drop_all(record: &mut Record, at: usize) {
    let mark = record.taken[at].mark.clone();
    record.taken.retain(|taken| taken.mark != mark);
}

//! Customers whom a scenario left out: a run that skipped or failed all of them, or more than a tenth, for one reason.
//!
//! The condition is there from such a run until another one has reached its customers; it says nothing about Ready, as
//! the scenario is in force. While no replica tells of its store, what was told last holds.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::conditions::{Finding, find};
use super::paused::no_replica_tells;
use super::programmed::Replica;
use crate::domain::replica_report::LeftOutReport;
use crate::domain::state::DeliveryState;

/// The condition's type.
pub(super) const CUSTOMERS_REACHED: &str = "CustomersReached";
const SKIPPED: &str = "CustomersSkipped";
const FAILED: &str = "CustomersFailed";

/// Whom the scenario left out, as any replica tells it, or as it was `observed` before.
pub(super) fn left_out(replicas: &[Replica], observed: &[Condition], name: &str) -> Option<Finding> {
    let told =
        replicas.iter().find_map(|replica| replica.report.as_ref().ok()?.left_out.get(name)).map(finding);
    told.or_else(|| if no_replica_tells(replicas) { last(observed) } else { None })
}

fn finding(report: &LeftOutReport) -> Finding {
    let LeftOutReport { call, since, state, in_words } = report;
    let reason = if *state == DeliveryState::Failed.word() { FAILED } else { SKIPPED };
    let message = format!(
        "{in_words} (call {call}, {since:.0}); `kubectl fanfare log {call}` has the counts. This stays until a run of it has \
         reached its customers"
    );
    Finding::retrying(CUSTOMERS_REACHED, reason, message)
}

fn last(observed: &[Condition]) -> Option<Finding> {
    let found = find(observed, CUSTOMERS_REACHED).filter(|it| it.status == "False")?;
    let reason = if found.reason == FAILED { FAILED } else { SKIPPED };
    Some(Finding::retrying(CUSTOMERS_REACHED, reason, found.message.clone()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::domain::replica_report::ReplicaReport;
    use crate::operator::conditions::Ground;

    fn replica(left_out: Option<LeftOutReport>) -> Replica {
        let mut report = ReplicaReport::default();
        report.left_out.extend(left_out.map(|it| ("storm".to_owned(), it)));
        Replica { pod: "a".into(), report: Ok(Arc::new(report)) }
    }

    #[test]
    fn it_says_how_many_and_why_until_somebody_is_reached() {
        let report = LeftOutReport {
            call: "c-1".into(),
            since: "2026-11-25T10:00:00Z".parse().unwrap(),
            state: "skipped".into(),
            in_words: "all 20000 customers were skipped: no address".into(),
        };
        let told = replica(Some(report));
        let found = left_out(std::slice::from_ref(&told), &[], "storm").unwrap();
        assert_eq!(
            found.message,
            "all 20000 customers were skipped: no address (call c-1, 2026-11-25T10:00:00Z); `kubectl fanfare log c-1` has the \
             counts. This stays until a run of it has reached its customers"
        );
        assert_eq!((found.kind, found.reason), ("CustomersReached", "CustomersSkipped"));
        assert_eq!(left_out(std::slice::from_ref(&told), &[], "flood"), None);
        let ground = Ground { observed: &[], generation: 1, now: Timestamp::now(), made: None };
        let observed = ground.conditions(&[], std::slice::from_ref(&found));
        assert_eq!(left_out(&[], &observed, "storm"), Some(found), "no process is ready");
        assert_eq!(left_out(&[replica(None)], &observed, "storm"), None);
    }
}

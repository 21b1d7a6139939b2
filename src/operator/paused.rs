//! What people have paused in the store outranks what is declared, and must be seen where that is.
//!
//! The condition is there only while the pause is; it says nothing about Ready. While no replica tells of its store, what
//! was told last holds: a pause must not seem to be over because a process is.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::conditions::{Finding, Standing};
use super::programmed::Replica;
use crate::domain::pause::PauseReport;
use crate::domain::replica_report::ReplicaReport;

/// The condition's type.
pub(super) const PAUSED: &str = "Paused";
/// Its only reason.
const REQUESTED: &str = "Requested";

/// Whether no replica says what its store holds.
pub(super) fn no_replica_tells(replicas: &[Replica]) -> bool {
    replicas.iter().all(|replica| match &replica.report {
        Ok(report) => report.store_problem.is_some(),
        Err(_) => true,
    })
}

/// The pause of an object, or of the whole runtime, as any replica tells it, or as it was `observed` before; `kind` as
/// pauses name it.
pub(super) fn paused(
    replicas: &[Replica],
    observed: &[Condition],
    kind: &str,
    name: &str,
) -> Option<Finding> {
    told(replicas, kind, name).or_else(|| if no_replica_tells(replicas) { last(observed) } else { None })
}

fn last(observed: &[Condition]) -> Option<Finding> {
    let found = observed.iter().find(|it| it.type_ == PAUSED && it.status == "True")?;
    let message = found.message.clone();
    Some(Finding { kind: PAUSED, standing: Standing::Good, reason: REQUESTED, message })
}

fn told(replicas: &[Replica], kind: &str, name: &str) -> Option<Finding> {
    let reports = || replicas.iter().filter_map(|replica| replica.report.as_ref().ok());
    let told = |named: String| reports().find_map(|report| report.pauses.get(&named));
    let own = told(ReplicaReport::paused(kind, name)).map(|pause| ("it was", resume(kind, name), pause));
    let whole = || {
        told(ReplicaReport::paused("runtime", ""))
            .map(|pause| ("everything of this namespace was", resume("runtime", ""), pause))
    };
    let (what, resume, pause) = own.or_else(whole)?;
    let PauseReport { who, since, reason, .. } = pause;
    let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let message = format!("{what} paused by {who} at {since:.0}{why}. Nothing is sent until `{resume}`");
    Some(Finding { kind: PAUSED, standing: Standing::Good, reason: REQUESTED, message })
}

fn resume(kind: &str, name: &str) -> String {
    format!("kubectl fanfare resume {kind} {name}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::operator::conditions::Ground;

    fn replica(kind: &str, name: &str) -> Replica {
        let since = "2026-11-25T10:00:00Z".parse().unwrap();
        let (who, reason) = ("key/desk".to_owned(), "a wrong text".to_owned());
        let pause = PauseReport { kind: kind.into(), name: name.into(), who, reason, since };
        let mut report = ReplicaReport::default();
        report.pauses.insert(ReplicaReport::paused(kind, name), pause);
        Replica { pod: "a".into(), report: Ok(Arc::new(report)) }
    }

    #[test]
    fn it_says_who_why_and_how_it_ends() {
        let found = paused(&[replica("scenario", "storm")], &[], "scenario", "storm").unwrap();
        assert_eq!(
            found.message,
            "it was paused by key/desk at 2026-11-25T10:00:00Z: a wrong text. Nothing is sent until \
             `kubectl fanfare resume scenario storm`"
        );
        assert_eq!(paused(&[replica("scenario", "storm")], &[], "channel", "storm"), None);
        let whole = paused(&[replica("runtime", "")], &[], "channel", "sms").unwrap();
        assert!(whole.message.ends_with("`kubectl fanfare resume runtime`"), "{}", whole.message);
    }

    #[test]
    fn it_lasts_while_no_replica_tells_of_it() {
        let told = paused(&[replica("scenario", "storm")], &[], "scenario", "storm").unwrap();
        let now = Timestamp::now();
        let ground = Ground { observed: &[], generation: 1, now, made: None };
        let observed = ground.conditions(&[], std::slice::from_ref(&told));
        let still = |replicas: &[Replica]| paused(replicas, &observed, "scenario", "storm");
        assert_eq!(still(&[]), Some(told.clone()), "no process is ready");
        let silent = Replica { pod: "a".into(), report: Err("no answer".into()) };
        assert_eq!(still(&[silent]), Some(told.clone()));
        let of_store = |problem: Option<&str>| {
            let report =
                ReplicaReport { store_problem: problem.map(str::to_owned), ..ReplicaReport::default() };
            Replica { pod: "a".into(), report: Ok(Arc::new(report)) }
        };
        assert_eq!(still(&[of_store(Some("it is away"))]), Some(told));
        assert_eq!(still(&[of_store(None), of_store(Some("it is away"))]), None, "one knows that it is over");
    }
}

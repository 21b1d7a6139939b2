//! What people have paused in the store outranks what is declared, and must be seen where that is.
//!
//! The condition is there only while the pause is; it says nothing about Ready.

use super::conditions::{Finding, Standing};
use super::programmed::Replica;
use crate::domain::pause::PauseReport;
use crate::domain::replica_report::ReplicaReport;

/// The condition's type.
const PAUSED: &str = "Paused";

/// The pause of an object, or of the whole runtime, as any replica tells it; `kind` as pauses name it.
pub(super) fn paused(replicas: &[Replica], kind: &str, name: &str) -> Option<Finding> {
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
    Some(Finding { kind: PAUSED, standing: Standing::Good, reason: "Requested", message })
}

fn resume(kind: &str, name: &str) -> String {
    format!("kubectl fanfare resume {kind} {name}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

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
        let found = paused(&[replica("scenario", "storm")], "scenario", "storm").unwrap();
        assert_eq!(
            found.message,
            "it was paused by key/desk at 2026-11-25T10:00:00Z: a wrong text. Nothing is sent until \
             `kubectl fanfare resume scenario storm`"
        );
        assert_eq!(paused(&[replica("scenario", "storm")], "channel", "storm"), None);
        let whole = paused(&[replica("runtime", "")], "channel", "sms").unwrap();
        assert!(whole.message.ends_with("`kubectl fanfare resume runtime`"), "{}", whole.message);
    }
}

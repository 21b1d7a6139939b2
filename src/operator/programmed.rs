//! Whether what was declared is in force: every ready replica must report the digest of the object and of all that it
//! refers to.

use super::conditions::{Finding, Standing};
use super::verdict::ACCEPTED;
use crate::compile::references::SecretUse;
use crate::domain::replica_report::{ReplicaReport, SecretReport};

/// The condition's type.
pub(super) const PROGRAMMED: &str = "Programmed";
const NO_RUNTIME: &str = "NoRuntime";

/// What a replica must report.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The object, as `Kind/name`, and its digest.
    pub object: (String, String),
    /// ConfigMaps and the digests of their texts.
    pub config_maps: Vec<(String, String)>,
    /// Secrets, what they are used for, and their revisions.
    pub secrets: Vec<(String, SecretUse, String)>,
}

/// A ready replica, as the operator knows it.
#[derive(Debug, Clone)]
pub(super) struct Replica {
    /// Its pod.
    pub pod: String,
    /// What it reported last, or why it could not be asked.
    pub report: Result<std::sync::Arc<ReplicaReport>, String>,
}

/// Who serves a namespace.
#[derive(Debug, Default)]
pub(super) struct Serving {
    /// The Runtime in force.
    pub runtime: Option<String>,
    /// Its ready replicas.
    pub replicas: Vec<Replica>,
    /// Whether these are all: before the first list, and before one that has become ready was asked, that is not known.
    pub are_known: bool,
}

impl Serving {
    /// Whether every ready replica has what is wanted.
    pub(super) fn programmed(&self, wanted: &Wanted) -> Finding {
        programmed(self.runtime.as_deref(), &self.replicas, wanted)
    }
}

/// Whether every ready replica has what is wanted.
pub(super) fn programmed(runtime: Option<&str>, replicas: &[Replica], wanted: &Wanted) -> Finding {
    let Some(runtime) = runtime else {
        return Finding::retrying(
            PROGRAMMED,
            NO_RUNTIME,
            "there is no Runtime in this namespace, so nothing serves it; apply one",
        );
    };
    if replicas.is_empty() {
        let message = format!("Runtime {runtime} has no ready replica yet; its conditions say why");
        return Finding::progressing(PROGRAMMED, "NoReplicaReady", message);
    }
    let mut behind = replicas.iter().filter_map(|replica| lack(replica, wanted));
    match behind.next() {
        None => Finding::good(PROGRAMMED, format!("in force on every ready replica ({})", replicas.len())),
        Some((reason, first)) => {
            let others = behind.count();
            let more = if others == 0 {
                String::new()
            } else {
                format!("; so do {others} more of {}", replicas.len())
            };
            Finding::progressing(PROGRAMMED, reason, format!("{first}{more}"))
        }
    }
}

/// The generation that is in force: this one once every replica has it, and what was in force before until then. Without
/// a Runtime none is.
pub(super) fn in_force(programmed: &Finding, before: Option<i64>, generation: Option<i64>) -> Option<i64> {
    match programmed.standing {
        Standing::Good => generation,
        _ if programmed.reason == NO_RUNTIME => None,
        _ => before,
    }
}

/// Says of what is not right, or not in force yet, which generation goes on in its place.
pub(super) fn tell_in_force(findings: &mut [Finding], in_force: Option<i64>, generation: Option<i64>) {
    let Some(in_force) = in_force else { return };
    for finding in findings {
        let is_wrong = finding.kind == ACCEPTED && finding.standing == Standing::Stalled;
        let is_behind = finding.kind == PROGRAMMED && finding.standing != Standing::Good;
        if is_wrong || is_behind && Some(in_force) != generation {
            let separator = if finding.message.contains('\n') { "\n" } else { "; " };
            finding.message.push_str(&format!("{separator}generation {in_force} is still in force"));
        }
    }
}

/// What a replica lacks.
fn lack(replica: &Replica, wanted: &Wanted) -> Option<(&'static str, String)> {
    let pod = &replica.pod;
    let report = match &replica.report {
        Ok(report) => report,
        Err(why) => return Some(("ReplicaUnreachable", format!("replica {pod} cannot be asked: {why}"))),
    };
    let (object, digest) = &wanted.object;
    if report.objects.get(object) != Some(digest) {
        return Some(("NotInForceYet", format!("replica {pod} has not put this generation in force yet")));
    }
    for (name, digest) in &wanted.config_maps {
        if report.config_maps.get(name) != Some(digest) {
            return Some((
                "NotInForceYet",
                format!("replica {pod} has not read ConfigMap {name} as it is now yet"),
            ));
        }
    }
    for (name, use_, revision) in &wanted.secrets {
        match report.secret(name, use_.word()) {
            Some(SecretReport::Read(read)) if read == revision => {}
            Some(SecretReport::Unreadable(why)) => {
                return Some(("SecretUnreadable", format!("replica {pod} cannot read Secret {name}: {why}")));
            }
            _ => {
                return Some((
                    "NotInForceYet",
                    format!("replica {pod} has not read Secret {name} as it is now yet"),
                ));
            }
        }
    }
    None
}

/// Whether every ready replica has read the Secret of generated credentials at this revision: what it holds may be used
/// then. One that is not ready reads it before it is, so none at all is every one, as long as it is known that there is
/// none.
pub(super) fn is_read_by_all(replicas: &[Replica], secret: &str, revision: &str) -> bool {
    replicas.iter().all(|replica| {
        let report = replica.report.as_ref().ok();
        let read = report.and_then(|report| report.secret(secret, SecretUse::Generated.word()));
        matches!(read, Some(SecretReport::Read(read)) if read == revision)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn replica(pod: &str, digest: &str, secret: SecretReport) -> Replica {
        let mut report = ReplicaReport::default();
        report.objects.insert("Channel/sms".into(), digest.into());
        report.secrets.insert("twilio".into(), secret);
        Replica { pod: pod.into(), report: Ok(Arc::new(report)) }
    }

    #[test]
    fn what_is_wrong_with_one_use_of_a_secret_says_nothing_of_another() {
        let mut report = ReplicaReport::default();
        report.objects.insert("Channel/sms".into(), "new".into());
        let refused = SecretReport::Unreadable("label it otherwise".into());
        let uses = [("channel", SecretReport::Read("7".into())), ("trigger", refused.clone())];
        report.secret_uses.insert("twilio".into(), uses.map(|(word, it)| (word.to_owned(), it)).into());
        // Over all uses, as a version before says it.
        report.secrets.insert("twilio".into(), refused);
        let replica = Replica { pod: "a".into(), report: Ok(Arc::new(report)) };
        let found = programmed(Some("main"), std::slice::from_ref(&replica), &wanted());
        assert_eq!(found.standing, Standing::Good);
        let trigger = Wanted { secrets: vec![("twilio".into(), SecretUse::Trigger, "7".into())], ..wanted() };
        assert_eq!(programmed(Some("main"), &[replica], &trigger).reason, "SecretUnreadable");
    }

    fn wanted() -> Wanted {
        Wanted {
            object: ("Channel/sms".into(), "new".into()),
            secrets: vec![("twilio".into(), SecretUse::Channel, "7".into())],
            ..Wanted::default()
        }
    }

    #[test]
    fn what_goes_on_in_place_of_a_wrong_edit_is_said() {
        let behind =
            Finding::progressing(PROGRAMMED, "NotInForceYet", "replica a has not put it in force yet");
        assert_eq!(in_force(&behind, Some(1), Some(2)), Some(1));
        assert_eq!(in_force(&Finding::good(PROGRAMMED, "in force"), Some(1), Some(2)), Some(2));
        assert_eq!(in_force(&programmed(None, &[], &wanted()), Some(1), Some(2)), None);
        let told = |in_force, message: &str| {
            let mut findings = [Finding::stalled(ACCEPTED, "Invalid", message), behind.clone()];
            tell_in_force(&mut findings, in_force, Some(2));
            findings.map(|it| it.message)
        };
        let [accepted, programmed] = told(Some(1), "spec.where, line 1: wrong\n  a\n  ^");
        assert!(accepted.ends_with("^\ngeneration 1 is still in force"), "{accepted}");
        assert!(programmed.ends_with("yet; generation 1 is still in force"), "{programmed}");
        assert_eq!(told(None, "wrong")[0], "wrong");
        // Somebody else's edit broke it: the very generation goes on, as it was compiled before.
        assert_eq!(told(Some(2), "wrong")[0], "wrong; generation 2 is still in force");
    }

    #[test]
    fn the_last_replica_decides() {
        let read = |revision: &str| SecretReport::Read(revision.into());
        let found = |replicas: &[Replica]| {
            let found = programmed(Some("main"), replicas, &wanted());
            (found.standing, found.reason)
        };
        let [good, old] = [replica("a", "new", read("7")), replica("b", "old", read("7"))];
        assert_eq!(found(std::slice::from_ref(&good)).0, Standing::Good);
        assert_eq!(found(&[good.clone(), old]), (Standing::Progressing, "NotInForceYet"));
        assert_eq!(found(&[replica("c", "new", read("6"))]).1, "NotInForceYet");
        let unreadable = SecretReport::Unreadable("it has no key token".into());
        assert_eq!(found(&[replica("d", "new", unreadable)]).1, "SecretUnreadable");
        let lost = Replica { pod: "e".into(), report: Err("connection refused".into()) };
        assert_eq!(found(&[good, lost]).1, "ReplicaUnreachable");
        assert_eq!(found(&[]), (Standing::Progressing, "NoReplicaReady"));
        assert_eq!(programmed(None, &[], &wanted()).reason, "NoRuntime");
    }
}

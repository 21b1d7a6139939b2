//! Conditions of an object: what was found, summed up in Ready as kstatus and Flux read it.
//!
//! `Reconciling` and `Stalled` are there only while they are true; Ready repeats the worst finding.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// As it should.
    Good,
    /// On its way by itself.
    Progressing,
    /// Not as it should; it is tried again, or waits for something else to change.
    Retrying,
    /// Not as it should, until a person edits something.
    Stalled,
}

/// One thing that was found out about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// The condition's type: an adjective or a participle.
    pub kind: &'static str,
    /// How it stands.
    pub standing: Standing,
    /// The reason, for programs.
    pub reason: &'static str,
    /// What it is and what to do about it, for people.
    pub message: String,
}

/// The words of the reasons that more than one kind has.
pub(super) mod reason {
    pub const SUCCEEDED: &str = "Succeeded";
    pub const PROGRESSING: &str = "Progressing";
    pub const RETRYING: &str = "ProgressingWithRetry";
}

/// The reason of what is not known of this generation.
const NOT_LOOKED_AT: &str = "NotLookedAt";
const READY: &str = "Ready";
const RECONCILING: &str = "Reconciling";
const STALLED: &str = "Stalled";
/// The API allows 32 KiB, more than a person reads.
const MESSAGE_BYTES_MAX: usize = 4096;

impl Finding {
    pub(super) fn good(kind: &'static str, message: impl Into<String>) -> Self {
        Finding { kind, standing: Standing::Good, reason: reason::SUCCEEDED, message: message.into() }
    }

    pub(super) fn progressing(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Finding { kind, standing: Standing::Progressing, reason, message: message.into() }
    }

    pub(super) fn retrying(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Finding { kind, standing: Standing::Retrying, reason, message: message.into() }
    }

    pub(super) fn stalled(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Finding { kind, standing: Standing::Stalled, reason, message: message.into() }
    }

    fn status(&self) -> &'static str {
        match self.standing {
            Standing::Good => "True",
            Standing::Progressing => "Unknown",
            Standing::Retrying | Standing::Stalled => "False",
        }
    }
}

/// What all conditions of an object rest on.
pub(super) struct Ground<'a> {
    /// The conditions it has.
    pub observed: &'a [Condition],
    /// The generation that was looked at.
    pub generation: i64,
    /// When.
    pub now: Timestamp,
    /// When the object was made.
    pub made: Option<Timestamp>,
}

/// What may be on its way in the very `kubectl apply` that brought the object.
const ON_ITS_WAY: [&str; 5] =
    ["NoRuntime", "TriggerNotFound", "ChannelNotFound", "ConfigMapNotFound", "SecretNotFound"];
/// For how long that is waited for without a word.
const NEW_FOR: SignedDuration = SignedDuration::from_secs(30);
/// For how long something may not be as it should before a person is called: longer than a node takes to come.
const GRACE: SignedDuration = SignedDuration::from_mins(5);

impl Ground<'_> {
    /// The conditions of an object: those that Ready sums up, and those that stand beside it.
    pub(super) fn conditions(&self, summed_up: &[Finding], beside: &[Finding]) -> Vec<Condition> {
        let summed_up: Vec<Finding> = summed_up.iter().map(|finding| self.in_time(finding)).collect();
        // Of several that are as bad the first one speaks: the others may come of it.
        let worst = summed_up.iter().rev().max_by_key(|finding| finding.standing);
        let worst = worst.filter(|finding| finding.standing != Standing::Good);
        let mut conditions = vec![self.ready(worst, &summed_up)];
        conditions.extend(worst.map(|worst| self.abnormal(worst)));
        for finding in summed_up.iter().chain(beside) {
            conditions.push(self.condition(finding.kind, finding.status(), finding.reason, &finding.message));
        }
        conditions
    }

    /// The conditions of an object that could not be looked at to the end. All are about one generation, as who reads them
    /// expects: what was found out about an older one is not known of this one.
    pub(super) fn failed(&self, finding: &Finding) -> Vec<Condition> {
        let mut conditions = self.conditions(std::slice::from_ref(finding), &[]);
        let found_before = self.observed.iter().filter(|it| !is_summary(it) && it.type_ != finding.kind);
        let restated = found_before.map(|it| match it.observed_generation {
            Some(generation) if generation == self.generation => it.clone(),
            _ if it.reason == NOT_LOOKED_AT => {
                self.condition(&it.type_, "Unknown", NOT_LOOKED_AT, &it.message)
            }
            before => {
                let before = before.map_or_else(|| "an older one".into(), |it| format!("generation {it}"));
                let message = format!(
                    "generation {} could not be looked at to the end; of {before} it was said: {}",
                    self.generation, it.message
                );
                self.condition(&it.type_, "Unknown", NOT_LOOKED_AT, &message)
            }
        });
        conditions.extend(restated);
        conditions
    }

    /// When conditions change by time alone.
    pub(super) fn due(&self, summed_up: &[Finding]) -> Option<Duration> {
        let ends =
            summed_up.iter().filter(|finding| finding.standing == Standing::Retrying).map(
                |finding| match self.is_new(finding) {
                    true => self.made.unwrap_or(self.now).saturating_add(NEW_FOR),
                    false => self.since(finding).unwrap_or(self.now).saturating_add(GRACE),
                },
            );
        let next = ends.filter_map(Result::ok).filter(|end| *end > self.now).min()?;
        // Times of conditions have whole seconds.
        Duration::try_from(next.duration_since(self.now)).ok().map(|rest| rest + Duration::from_secs(1))
    }

    /// A finding as it counts by now: what may be on its way is waited for, and what did not pass by itself is a person's.
    fn in_time(&self, finding: &Finding) -> Finding {
        let standing = match finding.standing {
            Standing::Retrying if self.is_new(finding) => Standing::Progressing,
            Standing::Retrying
                if self.since(finding).is_some_and(|since| self.now.duration_since(since) >= GRACE) =>
            {
                Standing::Stalled
            }
            standing => standing,
        };
        Finding { standing, ..finding.clone() }
    }

    fn is_new(&self, finding: &Finding) -> bool {
        let is_new = self.made.is_some_and(|made| self.now.duration_since(made) < NEW_FOR);
        is_new && ON_ITS_WAY.contains(&finding.reason)
    }

    /// Since when it has been found like this.
    fn since(&self, finding: &Finding) -> Option<Timestamp> {
        let before = find(self.observed, finding.kind)?;
        (before.status == "False" && before.reason == finding.reason).then_some(before.last_transition_time.0)
    }

    fn ready(&self, worst: Option<&Finding>, all: &[Finding]) -> Condition {
        match worst {
            None => {
                let message = all.last().map_or("", |finding| finding.message.as_str());
                self.condition(READY, "True", reason::SUCCEEDED, message)
            }
            Some(worst) => self.condition(READY, worst.status(), worst.reason, &worst.message),
        }
    }

    fn abnormal(&self, worst: &Finding) -> Condition {
        match worst.standing {
            Standing::Stalled => self.condition(STALLED, "True", worst.reason, &worst.message),
            Standing::Retrying => self.condition(RECONCILING, "True", reason::RETRYING, &worst.message),
            _ => self.condition(RECONCILING, "True", reason::PROGRESSING, &worst.message),
        }
    }

    fn condition(&self, kind: &str, status: &str, reason: &str, message: &str) -> Condition {
        let before = self.observed.iter().find(|condition| condition.type_ == kind);
        let since =
            before.filter(|before| before.status == status).map(|before| before.last_transition_time.clone());
        // Times of conditions have whole seconds.
        let now = Timestamp::from_second(self.now.as_second()).unwrap_or(self.now);
        Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: shortened(message),
            last_transition_time: since.unwrap_or(Time(now)),
            observed_generation: Some(self.generation),
        }
    }
}

fn shortened(message: &str) -> String {
    if message.len() <= MESSAGE_BYTES_MAX {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(MESSAGE_BYTES_MAX - 4);
    format!("{} ...", &message[..end])
}

/// The condition of this type.
pub(super) fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// Whether a condition sums up others.
pub(super) fn is_summary(condition: &Condition) -> bool {
    [READY, RECONCILING, STALLED].contains(&condition.type_.as_str())
}

/// Whether, and why, an object is ready.
pub(super) fn ready(conditions: &[Condition]) -> Option<&Condition> {
    find(conditions, READY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(observed: &[Condition], second: i64, findings: &[Finding]) -> Vec<Condition> {
        let now = Timestamp::from_second(second).unwrap();
        Ground { observed, generation: 3, now, made: None }.conditions(findings, &[])
    }

    fn types(conditions: &[Condition]) -> Vec<(&str, &str)> {
        conditions.iter().map(|condition| (condition.type_.as_str(), condition.status.as_str())).collect()
    }

    #[test]
    fn ready_repeats_the_worst() {
        let findings = [
            Finding::progressing("Programmed", "NoReplica", "no replica yet"),
            Finding::stalled("Accepted", "Invalid", "spec.where: wrong"),
            Finding::retrying("ResolvedRefs", "ChannelNotFound", "no channel"),
        ];
        let made = conditions(&[], 1, &findings);
        assert_eq!(
            types(&made),
            [
                ("Ready", "False"),
                ("Stalled", "True"),
                ("Programmed", "Unknown"),
                ("Accepted", "False"),
                ("ResolvedRefs", "False")
            ]
        );
        assert_eq!((made[0].reason.as_str(), made[0].message.as_str()), ("Invalid", "spec.where: wrong"));
        assert_eq!(made[0].observed_generation, Some(3));
    }

    #[test]
    fn of_equals_the_first_speaks() {
        let made = conditions(
            &[],
            1,
            &[Finding::retrying("ResolvedRefs", "A", "a"), Finding::retrying("Programmed", "B", "b")],
        );
        assert_eq!(made[0].reason, "A");
    }

    #[test]
    fn each_standing_has_its_abnormal_condition() {
        let of = |finding| {
            types(&conditions(&[], 1, &[finding]))
                .iter()
                .take(2)
                .map(|(a, b)| format!("{a}={b}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(of(Finding::good("Accepted", "fine")), "Ready=True Accepted=True");
        assert_eq!(of(Finding::progressing("Accepted", "R", "m")), "Ready=Unknown Reconciling=True");
        assert_eq!(of(Finding::retrying("Accepted", "R", "m")), "Ready=False Reconciling=True");
    }

    #[test]
    fn what_does_not_pass_by_itself_calls_for_a_person() {
        let missing = [Finding::retrying("ResolvedRefs", "SecretNotFound", "there is no Secret a")];
        let grace = GRACE.as_secs();
        let first = conditions(&[], 100, &missing);
        assert_eq!(types(&first)[1], ("Reconciling", "True"));
        let late = conditions(&first, 100 + grace - 1, &missing);
        assert_eq!(types(&late)[1], ("Reconciling", "True"));
        let stalled = conditions(&late, 100 + grace, &missing);
        assert_eq!(types(&stalled), [("Ready", "False"), ("Stalled", "True"), ("ResolvedRefs", "False")]);
        assert_eq!(stalled[1].message, "there is no Secret a");
        // Something else has its own time.
        let other = [Finding::retrying("ResolvedRefs", "SecretKeyNotFound", "it has no key b")];
        assert_eq!(types(&conditions(&stalled, 100 + grace, &other))[1], ("Reconciling", "True"));
        let now = Timestamp::from_second(100 + grace - 60).unwrap();
        let ground = Ground { observed: &first, generation: 3, now, made: None };
        assert_eq!(ground.due(&missing), Some(Duration::from_secs(61)));
        assert_eq!(ground.due(&[Finding::good("Accepted", "fine")]), None);
    }

    #[test]
    fn what_the_same_apply_brings_is_waited_for() {
        let at = |second| {
            let now = Timestamp::from_second(second).unwrap();
            Ground { observed: &[], generation: 1, now, made: Timestamp::from_second(100).ok() }
        };
        let missing = [Finding::retrying("Programmed", "NoRuntime", "there is no Runtime")];
        let status = |second| at(second).conditions(&missing, &[])[0].status.clone();
        assert_eq!((status(110).as_str(), status(131).as_str()), ("Unknown", "False"));
        assert_eq!(at(110).due(&missing), Some(Duration::from_secs(21)));
        let wrong = [Finding::retrying("ResolvedRefs", "SecretNotAllowed", "label it")];
        assert_eq!(at(110).conditions(&wrong, &[])[0].status, "False", "that does not pass by itself");
    }

    #[test]
    fn what_could_not_be_looked_at_is_unknown_of_this_generation() {
        let fine = [Finding::good("Accepted", "fine"), Finding::good("Programmed", "everywhere")];
        let failed = Finding::retrying("Reconciled", "Forbidden", "may not");
        let told = |observed: &[Condition], generation| {
            let now = Timestamp::from_second(9).unwrap();
            Ground { observed, generation, now, made: None }.failed(&failed)
        };
        let all = |conditions: &[Condition]| -> Vec<String> {
            let one =
                |it: &Condition| format!("{}={}@{}", it.type_, it.status, it.observed_generation.unwrap());
            conditions.iter().map(one).collect()
        };
        let of_third = conditions(&[], 1, &fine);
        let now = told(&of_third, 3);
        let same = [
            "Ready=False@3",
            "Reconciling=True@3",
            "Reconciled=False@3",
            "Accepted=True@3",
            "Programmed=True@3",
        ];
        assert_eq!(all(&now), same);
        let next = told(&now, 4);
        let other = [
            "Ready=False@4",
            "Reconciling=True@4",
            "Reconciled=False@4",
            "Accepted=Unknown@4",
            "Programmed=Unknown@4",
        ];
        assert_eq!(all(&next), other);
        assert!(next[3].message.ends_with("of generation 3 it was said: fine"), "{}", next[3].message);
        let again = told(&next, 5);
        assert!(again[3].message.ends_with("of generation 3 it was said: fine"), "{}", again[3].message);
        assert!(again.iter().all(|it| it.observed_generation == Some(5)));
    }

    #[test]
    fn time_moves_only_with_the_status() {
        let first = conditions(&[], 1, &[Finding::retrying("Accepted", "A", "a")]);
        let second = conditions(&first, 2, &[Finding::retrying("Accepted", "B", "b")]);
        let third = conditions(&second, 3, &[Finding::good("Accepted", "c")]);
        let at = |made: &[Condition]| ready(made).unwrap().last_transition_time.0.as_second();
        assert_eq!((at(&first), at(&second), at(&third)), (1, 1, 3));
    }
}

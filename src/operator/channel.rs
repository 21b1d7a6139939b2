//! Channel: whether it is right, may use its Secrets, is in force, and whether its provider answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::caches::name_of;
use super::conditions::{Finding, Ground, Standing};
use super::context::Context;
use super::controller::{Reconcile, again};
use super::error::ReconcileError;
use super::kind::Kind;
use super::paused::paused;
use super::programmed::{Replica, Wanted, in_force, tell_in_force};
use super::status;
use super::user_secret::{self, RESOLVED_REFS, UserSecret};
use super::verdict::judge;
use crate::api::{Channel, ChannelStatus, LearnedOfProvider, SecretRevision};
use crate::compile::references::{SecretUse, channel_secrets};
use crate::compile::{ObjectKind, spec_digest};
use crate::domain::replica_report::{ChannelReport, ReplicaReport};

const CONNECTED: &str = "Connected";
const REFUSALS_RECOGNIZED: &str = "RefusalsRecognized";

impl Reconcile for Channel {
    const DEBOUNCE: Duration = Duration::from_millis(20);

    async fn reconcile(context: &Context, channel: &Self) -> Result<Duration, ReconcileError> {
        let (namespace, name, now) =
            (channel.namespace().unwrap_or_default(), name_of(channel), Timestamp::now());
        let space = context.namespace(&namespace);
        let mut sources = space.sources();
        sources.channels.insert(name.clone(), channel.spec.clone());
        let verdict = judge(&sources, ObjectKind::Channel, &name, &channel.spec);
        let serving = context.serving(&namespace);
        let (resolved, revisions) = secrets(context, channel, &namespace).await?;
        let wanted = Wanted {
            object: (ReplicaReport::object(Self::NAME, &name), spec_digest(&channel.spec)),
            secrets: revisions
                .iter()
                .map(|it| (it.name.clone(), SecretUse::Channel, it.revision.clone()))
                .collect(),
            ..Wanted::default()
        };
        let programmed = serving.programmed(&wanted);
        let observed = channel.status.as_ref();
        let generation = channel.metadata.generation;
        let conditions = observed.map_or(&[][..], |status| &status.conditions);
        let made = channel.creation_timestamp().map(|time| time.0);
        let ground = Ground { observed: conditions, generation: generation.unwrap_or_default(), now, made };
        let before = observed.and_then(|status| status.generation_in_force);
        let generation_in_force = in_force(&programmed, before, generation);
        let is_resolved = resolved.standing == Standing::Good;
        let mut beside = vec![connected(&name, &serving.replicas)];
        beside.extend(unrecognized(&name, &serving.replicas));
        beside.extend(paused(&serving.replicas, conditions, "channel", &name));
        let mut findings = [verdict.finding(), resolved, programmed];
        tell_in_force(&mut findings, generation_in_force, generation);
        let new = ChannelStatus {
            observed_generation: generation,
            generation_in_force,
            conditions: ground.conditions(&findings, &beside),
            secret_revisions: revisions,
            learned: learned(&name, &serving.replicas),
        };
        status::write(context, channel, observed, &new, (conditions, &new.conditions)).await?;
        Ok(again(is_resolved, ground.due(&findings)))
    }
}

/// Looks at every Secret the channel reads.
async fn secrets(
    context: &Context,
    channel: &Channel,
    namespace: &str,
) -> Result<(Finding, Vec<SecretRevision>), ReconcileError> {
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for key in channel_secrets(&channel.spec) {
        keys.entry(key.secret).or_default().insert(key.key);
    }
    let (mut unusable, mut revisions) = (None, Vec::new());
    for (name, keys) in keys {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        match user_secret::look(context, namespace, &name, &keys, SecretUse::Channel).await? {
            UserSecret::Usable(secret) => {
                let revision = secret.resource_version().unwrap_or_default();
                revisions.push(SecretRevision { name, revision });
            }
            UserSecret::Unusable(finding) => unusable = unusable.or(Some(finding)),
        }
    }
    let resolved = || Finding::good(RESOLVED_REFS, "every Secret it refers to may be used");
    Ok((unusable.unwrap_or_else(resolved), revisions))
}

/// A refusal of the provider that no table knows, if a replica saw one: it was judged by when it came alone.
fn unrecognized(name: &str, replicas: &[Replica]) -> Option<Finding> {
    let said = replicas.iter().find_map(|it| it.report.as_ref().ok()?.unrecognized_refusals.get(name))?;
    Some(Finding::retrying(
        REFUSALS_RECOGNIZED,
        "UnknownRefusal",
        format!(
            "the provider refused a message with words that Fanfare does not know: {said}; look whether it is the \
             message's failure, and report the words"
        ),
    ))
}

/// What the replicas have learned of the provider's limits, together.
fn learned(name: &str, replicas: &[Replica]) -> Option<LearnedOfProvider> {
    let told: Vec<_> =
        replicas.iter().filter_map(|replica| replica.report.as_ref().ok()?.learned.get(name)).collect();
    let sum = |counts: &mut dyn Iterator<Item = u32>| {
        counts.fold(0_i32, |sum, count| sum.saturating_add(i32::try_from(count).unwrap_or(i32::MAX)))
    };
    let are_throttled = !told.is_empty() && told.iter().all(|it| it.per_second.is_some());
    (!told.is_empty()).then(|| LearnedOfProvider {
        concurrency: sum(&mut told.iter().map(|it| it.concurrency)),
        per_second: are_throttled.then(|| sum(&mut told.iter().filter_map(|it| it.per_second))),
    })
}

/// Whether the provider answers, as the replicas see it; the one that is worst off speaks.
fn connected(name: &str, replicas: &[Replica]) -> Finding {
    let reports = replicas.iter().filter_map(|replica| replica.report.as_ref().ok()?.channels.get(name));
    let worst = reports.max_by_key(|report| match report {
        ChannelReport::Answers => 1,
        ChannelReport::Untried => 0,
        ChannelReport::Down(_) => 2,
        ChannelReport::Unconnected(_) => 3,
    });
    match worst {
        None => Finding::progressing(CONNECTED, "NoReplicaReady", "no replica has it in force yet"),
        Some(ChannelReport::Untried) => Finding::progressing(
            CONNECTED,
            "Untried",
            "nothing has been sent through it yet, so nothing is known",
        ),
        Some(ChannelReport::Answers) => Finding::good(CONNECTED, "the provider answered last"),
        Some(ChannelReport::Down(why)) => Finding::retrying(
            CONNECTED,
            "ProviderDown",
            format!(
                "several attempts in a row failed, the last one with: {why}; messages wait and one at a time is tried"
            ),
        ),
        Some(ChannelReport::Unconnected(why)) => {
            Finding::retrying(CONNECTED, "Unconnected", format!("{why}; its messages wait"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::concurrency::LearnedLimits;

    fn replica(learned: Option<LearnedLimits>) -> Replica {
        let mut report = ReplicaReport::default();
        report.learned.extend(learned.map(|it| ("hook".to_owned(), it)));
        Replica { pod: "a".into(), report: Ok(Arc::new(report)) }
    }

    #[test]
    fn what_replicas_have_learned_is_told_together() {
        let limits = |concurrency, per_second| Some(LearnedLimits { concurrency, per_second });
        let all = |learned: &[Option<LearnedLimits>]| {
            let replicas: Vec<Replica> = learned.iter().map(|it| replica(*it)).collect();
            learned_pair(&replicas)
        };
        assert_eq!(all(&[]), None);
        assert_eq!(all(&[None]), None);
        assert_eq!(all(&[limits(100, None), None, limits(60, Some(9))]), Some((160, None)));
        assert_eq!(all(&[limits(100, Some(200)), limits(60, Some(9))]), Some((160, Some(209))));
    }

    fn learned_pair(replicas: &[Replica]) -> Option<(i32, Option<i32>)> {
        learned("hook", replicas).map(|it| (it.concurrency, it.per_second))
    }
}

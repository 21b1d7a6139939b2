//! The checks of what providers took, against the ledger and against each other.

use std::collections::{BTreeMap, BTreeSet};

use fanfare::sandbox::Protocol;

use super::check::{Kind, Violation};
use super::claims::{Claims, Story};
use super::deliveries::report;
use super::ledger::{HELD, Ledger, Run, SENT, UNKNOWN};
use super::record::{Record, Taken};

type Messages<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a Taken>>;

pub(super) fn check(claims: &Claims, record: &Record, ledger: &Ledger, found: &mut Vec<Violation>) {
    let mut by_run = BTreeMap::<(&str, &str), Messages<'_>>::new();
    for taken in &record.taken {
        let mark = &taken.mark;
        let messages = by_run.entry((&mark.call, &mark.scenario)).or_default();
        messages.entry((&mark.customer, &mark.step)).or_default().push(taken);
    }
    for run in &ledger.runs {
        let messages = by_run.remove(&(run.call.as_str(), run.scenario.as_str())).unwrap_or_default();
        let Some(story) = claims.stories.get(&run.scenario) else { continue };
        against_ledger(run, story, &messages, found);
        repeats(run, &messages, found);
        ways(run, story, &messages, found);
        version(run, ledger, &messages, found);
    }
    for ((call, scenario), messages) in by_run {
        let messages = messages.len();
        found.push(
            Kind::UnknownMessage
                .of(format!("{messages} messages of {scenario} for call {call}, without a run")),
        );
    }
    if !record.unmarked.is_empty() {
        found.push(Kind::UnknownMessage.of(format!("messages {:?} belong to nobody", record.unmarked)));
    }
    doubts(claims, record, ledger, found);
}

/// What the ledger calls sent was taken, and what was taken and confirmed the ledger calls sent, or in doubt.
fn against_ledger(run: &Run, story: &Story, messages: &Messages<'_>, found: &mut Vec<Violation>) {
    let (mut lost, mut unknown, mut known) = (Vec::new(), Vec::new(), BTreeSet::new());
    for delivery in &run.deliveries {
        let Some(Some(step)) = story.steps.get(usize::from(delivery.node)) else { continue };
        let key = (delivery.customer.as_str(), step.as_str());
        known.insert(key);
        let taken = messages.get(&key);
        if delivery.state == SENT && taken.is_none() {
            lost.push(format!("{} {step} is sent, and nobody took it", delivery.customer));
        }
        let confirmed = taken.is_some_and(|taken| taken.iter().any(|one| one.answered_ok));
        if confirmed && ![SENT, UNKNOWN, HELD].contains(&delivery.state) {
            let (state, reason) = (delivery.state, delivery.reason.as_deref().unwrap_or(""));
            unknown.push(format!("{} {step} was taken, and is in state {state} {reason}", delivery.customer));
        }
    }
    for key in messages.keys().filter(|key| !known.contains(*key)) {
        unknown.push(format!("{} {} was taken without a delivery", key.0, key.1));
    }
    report(run, Kind::LostMessage, &lost, found);
    report(run, Kind::UnknownMessage, &unknown, found);
}

/// No second SMS; a second mail or webhook only with the id and the content of the first.
fn repeats(run: &Run, messages: &Messages<'_>, found: &mut Vec<Violation>) {
    let mut doubles = Vec::new();
    for ((customer, step), taken) in messages {
        let [first, others @ ..] = &taken[..] else { continue };
        let same = |other: &&Taken| {
            other.protocol != Protocol::Twilio
                && other.message_id.is_some()
                && (&other.message_id, &other.said) == (&first.message_id, &first.said)
        };
        if !others.iter().all(same) {
            let seqs: Vec<u64> = taken.iter().map(|one| one.seq).collect();
            doubles.push(format!("{customer} {step}: messages {seqs:?} of the record"));
        }
    }
    report(run, Kind::Double, &doubles, found);
}

/// What one customer got belongs to one way.
fn ways(run: &Run, story: &Story, messages: &Messages<'_>, found: &mut Vec<Violation>) {
    let mut steps = BTreeMap::<&str, BTreeSet<String>>::new();
    for (customer, step) in messages.keys() {
        steps.entry(customer).or_default().insert((*step).to_owned());
    }
    let second: Vec<String> = steps
        .iter()
        .filter(|(_, got)| !story.ways.iter().any(|way| got.is_subset(way)))
        .map(|(customer, got)| format!("{customer} got {got:?}"))
        .collect();
    report(run, Kind::SecondBranch, &second, found);
}

/// All messages of a run say the same version, and it is the one the call came in with.
fn version(run: &Run, ledger: &Ledger, messages: &Messages<'_>, found: &mut Vec<Violation>) {
    let labels: BTreeSet<&str> =
        messages.values().flatten().map(|taken| taken.mark.version.as_str()).collect();
    if labels.len() > 1 {
        found.push(Kind::OtherVersion.of(format!("{}: versions {labels:?}", run.name())));
    }
    let sources = ledger.calls.get(&run.call).and_then(|call| call.sources.as_deref());
    let Some(sources) = sources else { return };
    for label in labels {
        let source = format!("|{}|{label}|", run.scenario);
        if !sources.contains(&source) {
            found.push(Kind::OtherVersion.of(format!("{}: {label} is not its call's version", run.name())));
        }
    }
}

/// After a fault at most a window of each channel and process is in doubt: sent again, or held. So is what a provider
/// did not confirm.
fn doubts(claims: &Claims, record: &Record, ledger: &Ledger, found: &mut Vec<Violation>) {
    let by_faults = claims.faults * claims.window * claims.replicas;
    let (mut repeated, mut seen) = (BTreeMap::<Protocol, u64>::new(), BTreeSet::new());
    for taken in &record.taken {
        if !seen.insert(&taken.mark) {
            *repeated.entry(taken.protocol).or_default() += 1;
        }
    }
    for (protocol, count) in repeated {
        let bound = by_faults + record.unconfirmed.get(&protocol).copied().unwrap_or(0);
        if count > bound {
            let detail = format!("{count} repeated messages by {protocol:?}, at most {bound}");
            found.push(Kind::TooManyInDoubt.of(detail));
        }
    }
    let mut held = BTreeMap::<&str, u64>::new();
    for delivery in ledger.runs.iter().flat_map(|run| &run.deliveries) {
        *held.entry(&delivery.channel).or_default() += u64::from([HELD, UNKNOWN].contains(&delivery.state));
    }
    let bound = by_faults + record.unconfirmed.values().sum::<u64>();
    for (channel, count) in held.into_iter().filter(|(_, count)| *count > bound) {
        found.push(
            Kind::TooManyInDoubt.of(format!("{count} messages in doubt on {channel}, at most {bound}")),
        );
    }
}

//! The checks of one run's deliveries: every member at the end of exactly one way.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Kind, Violation};
use super::claims::Story;
use super::ledger::Run;

/// Complaints of one kind and run that are spelled out; the rest is counted.
const SPELLED_OUT: usize = 5;

pub(super) fn check(run: &Run, story: &Story, found: &mut Vec<Violation>) {
    let mut steps = BTreeMap::<&str, BTreeSet<String>>::new();
    let (mut early, mut open) = (Vec::new(), Vec::new());
    for delivery in &run.deliveries {
        let step = story.steps.get(usize::from(delivery.node)).cloned().flatten();
        let step = step.unwrap_or_else(|| format!("node {}, which sends nothing", delivery.node));
        if delivery.state <= 2 {
            open.push(format!("{} {step}: state {}", delivery.customer, delivery.state));
        }
        steps.entry(&delivery.customer).or_default().insert(step);
    }
    let nothing = BTreeSet::new();
    let mut branches = Vec::new();
    for member in &run.members {
        let met = steps.get(member.as_str()).unwrap_or(&nothing);
        if story.ways.contains(met) {
            continue;
        }
        let complaint = format!("{member} met {met:?}");
        let on_the_way = story.ways.iter().any(|way| met.is_subset(way));
        if on_the_way { early.push(complaint) } else { branches.push(complaint) }
    }
    report(run, Kind::EndedEarly, &open, found);
    report(run, Kind::EndedEarly, &early, found);
    report(run, Kind::SecondBranch, &branches, found);
}

/// One violation a kind, with the first few complaints.
pub(super) fn report(run: &Run, kind: Kind, complaints: &[String], found: &mut Vec<Violation>) {
    if !complaints.is_empty() {
        let some = complaints.iter().take(SPELLED_OUT).cloned().collect::<Vec<_>>().join("; ");
        found.push(kind.of(format!("{}: {} customers: {some}", run.name(), complaints.len())));
    }
}

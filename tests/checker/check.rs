//! The checks of calls and runs, and all checks together.

use std::collections::{BTreeMap, BTreeSet};

use super::claims::{Claims, Story};
use super::ledger::{Ledger, Run};
use super::record::Record;
use super::{deliveries, messages};

/// A promise that was not kept, in words, with the kind a test can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub kind: Kind,
    pub detail: String,
}

/// What was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An acknowledged call is not in the ledger, or is not at its end.
    LostCall,
    /// A call was taken twice.
    DoubleCall,
    /// A run is missing, or is not done.
    LostRun,
    /// The audience is not who it should be.
    Audience,
    /// Journeys, or deliveries, do not add up.
    Equation,
    /// A customer's journey ended before its end, or never began.
    EndedEarly,
    /// A delivery was called sent, but nobody took it.
    LostMessage,
    /// A provider took what the ledger does not know, or calls not sent.
    UnknownMessage,
    /// A second SMS, or a second mail that is not the same as the first.
    Double,
    /// More repeated messages, or more in doubt, than the faults explain.
    TooManyInDoubt,
    /// Messages of two ways that exclude each other.
    SecondBranch,
    /// A run went on with another version than the one it began with.
    OtherVersion,
}

/// Everything that is not as promised.
pub fn check(claims: &Claims, record: &Record, ledger: &Ledger) -> Vec<Violation> {
    let mut found = Vec::new();
    calls(claims, ledger, &mut found);
    for run in &ledger.runs {
        let Some(story) = claims.stories.get(&run.scenario) else {
            found.push(Kind::LostRun.of(format!("a run of {}, which nobody wrote", run.scenario)));
            continue;
        };
        audience(run, story, &mut found);
        equations(run, &mut found);
        deliveries::check(run, story, &mut found);
    }
    messages::check(claims, record, ledger, &mut found);
    found
}

impl Kind {
    pub(super) fn of(self, detail: String) -> Violation {
        Violation { kind: self, detail }
    }
}

fn calls(claims: &Claims, ledger: &Ledger, found: &mut Vec<Violation>) {
    const DONE: i64 = 2;
    let by_call: BTreeMap<&str, BTreeSet<&str>> =
        ledger.runs.iter().fold(BTreeMap::new(), |mut by_call, run| {
            by_call.entry(run.call.as_str()).or_default().insert(run.scenario.as_str());
            by_call
        });
    for id in &claims.acknowledged {
        if !ledger.calls.contains_key(id) {
            found.push(Kind::LostCall.of(format!("call {id} was answered 202 and is not in the ledger")));
        }
    }
    for (id, call) in &ledger.calls {
        if call.state != DONE {
            found.push(Kind::LostCall.of(format!("call {id} is in state {}, not done", call.state)));
        }
        let fired = by_call.get(id.as_str()).cloned().unwrap_or_default();
        for scenario in claims.stories.keys().filter(|scenario| !fired.contains(scenario.as_str())) {
            found.push(Kind::LostRun.of(format!("call {id} has no run of {scenario}")));
        }
    }
    if ledger.calls.len() > claims.calls_max {
        let calls = ledger.calls.len();
        found.push(Kind::DoubleCall.of(format!("{calls} calls of {} requests", claims.calls_max)));
    }
}

fn audience(run: &Run, story: &Story, found: &mut Vec<Violation>) {
    let members: BTreeSet<&String> = run.members.iter().collect();
    if members.len() != run.members.len() {
        found.push(Kind::Audience.of(format!("{}: a customer is in its chunks twice", run.name())));
    }
    let missing = story.audience.iter().filter(|id| !members.contains(id)).count();
    let foreign = members.iter().filter(|id| !story.audience.contains(id.as_str())).count();
    if missing + foreign > 0 {
        let name = run.name();
        found.push(Kind::Audience.of(format!("{name}: {missing} members missing, {foreign} too many")));
    }
}

/// Audience = members of the chunks = journeys at an end; per node, rows = the sum over the final states.
fn equations(run: &Run, found: &mut Vec<Violation>) {
    const DONE: i64 = 2;
    let name = run.name();
    if run.state != DONE || run.open_chunks > 0 {
        let (state, open, error) = (run.state, run.open_chunks, run.error.as_deref().unwrap_or("no error"));
        found.push(Kind::LostRun.of(format!("{name}: state {state}, {open} chunks open, {error}")));
        return;
    }
    let (audience, members) = (run.audience.unwrap_or(-1), run.members.len() as i64);
    if audience != members || audience != run.journeys {
        let journeys = run.journeys;
        found
            .push(Kind::Equation.of(format!(
                "{name}: audience {audience}, members {members}, journeys at an end {journeys}"
            )));
    }
    let mut rows = BTreeMap::<u16, i64>::new();
    for delivery in &run.deliveries {
        *rows.entry(delivery.node).or_default() += 1;
    }
    if rows != run.counted {
        let counted = &run.counted;
        found.push(
            Kind::Equation.of(format!("{name}: deliveries by node {rows:?}, counted as final {counted:?}")),
        );
    }
}

impl Run {
    pub(super) fn name(&self) -> String {
        format!("{} for call {}", self.scenario, self.call)
    }
}

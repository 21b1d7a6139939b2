//! Every field of every kind, changed to whatever a person might write: it is refused, or the object says what is
//! wrong with it, or it can be seen. Put back, the object is as it was.

mod bases;
mod effect;
mod ignored;
mod lane;
mod mutations;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bases::{Base, SUPPORT, bases, referred};
pub use effect::objects;
use ignored::{IGNORED, is_listed};
pub use lane::create;
use lane::{Complaint, Lane, Outcome};
use mutations::{Mutation, fields, mutations};
use tokio::sync::OnceCell;

use crate::stage::{Operator, Stage};

/// What became of every mutation: the field, what was done to it, and the outcome or a complaint.
type Results = Vec<(String, String, Result<Outcome, Complaint>)>;

/// Namespaces with all that is referred to, and one operator for them.
struct Place {
    stage: Stage,
    /// For Runtimes, of which a namespace has one.
    others: Vec<String>,
    _operator: Operator,
}

impl Place {
    async fn new(runtimes: usize) -> Self {
        let stage = Stage::new("acto").await;
        crate::gateway::install(&stage);
        let others: Vec<String> =
            (0..runtimes).map(|number| stage.serve_too(&format!("r{number}"))).collect();
        let served = others.iter().flat_map(|namespace| ["--watch", namespace]);
        let extra: Vec<&str> = ["--no-leader-election"].into_iter().chain(served).collect();
        for namespace in others.iter().chain([&stage.namespace]) {
            stage.apply_in(namespace, SUPPORT);
        }
        for (kind, name, spec) in referred() {
            create(&stage.client, kind, &stage.namespace, name, &spec).await;
        }
        let operator = stage.operator(&extra).await;
        Place { stage, others, _operator: operator }
    }
}

/// The mutations of each base, dealt out to its lanes. Every field of every kind must be among them.
fn dealt(bases: &[Base]) -> Vec<Vec<Mutation>> {
    let (mut done, mut dealt) = (BTreeSet::new(), Vec::new());
    for base in bases {
        let mut hands: Vec<Vec<Mutation>> = (0..base.lanes).map(|_| Vec::new()).collect();
        for (number, mutation) in mutations(base.kind, &base.spec, &mut done).into_iter().enumerate() {
            hands[number % base.lanes].push(mutation);
        }
        dealt.extend(hands);
    }
    let all: BTreeSet<String> = bases.iter().flat_map(|base| fields(base.kind)).collect();
    let missing: Vec<&String> = all.difference(&done).collect();
    assert!(missing.is_empty(), "no object in `bases` has these fields: {missing:?}");
    dealt
}

/// Does all mutations, on all lanes at the same time.
async fn results() -> Results {
    let bases = bases();
    let dealt = dealt(&bases);
    let place =
        Place::new(bases.iter().filter(|base| base.kind == "Runtime").map(|base| base.lanes).sum()).await;
    let results = Arc::new(Mutex::new(Results::new()));
    let (mut lanes, mut namespaces) = (tokio::task::JoinSet::new(), place.others.iter());
    let seats = bases.iter().flat_map(|base| (0..base.lanes).map(move |_| base));
    for (number, (base, hand)) in seats.zip(dealt).enumerate() {
        let own = if base.kind == "Runtime" { namespaces.next().unwrap() } else { &place.stage.namespace };
        let (client, namespace, results) = (place.stage.client.clone(), own.clone(), Arc::clone(&results));
        let (kind, spec) = (base.kind, base.spec.clone());
        lanes.spawn(async move {
            let lane = Lane::new(client, kind, &namespace, &format!("lane{number}"), &spec).await;
            for mutation in hand {
                let outcome = lane.judge(&mutation).await;
                results.lock().unwrap().push((mutation.field, mutation.what, outcome));
            }
        });
    }
    while let Some(ended) = lanes.join_next().await {
        ended.unwrap();
    }
    Arc::into_inner(results).unwrap().into_inner().unwrap()
}

fn kind_of(field: &str) -> &str {
    field.split('.').next().unwrap()
}

/// Prints how many mutations of each kind came to what.
fn count(results: &Results) {
    let mut counts: BTreeMap<&str, BTreeMap<Outcome, usize>> = BTreeMap::new();
    for (field, _, outcome) in results {
        if let Ok(outcome) = outcome {
            for kind in [kind_of(field), "all"] {
                *counts.entry(kind).or_default().entry(*outcome).or_default() += 1;
            }
        }
    }
    for (kind, counts) in counts {
        let fields = if kind == "all" { String::new() } else { format!("{} fields, ", fields(kind).len()) };
        println!("{kind}: {fields}{} mutations: {counts:?}", counts.values().sum::<usize>());
    }
}

/// The results, found out once for the three tests that look at them.
async fn shared() -> &'static Results {
    static RESULTS: OnceCell<Results> = OnceCell::const_new();
    RESULTS
        .get_or_init(async || {
            let results = results().await;
            count(&results);
            results
        })
        .await
}

/// What went wrong with mutations in this way.
fn complaints(results: &Results, way: impl Fn(&Complaint) -> Option<&str>) -> Vec<String> {
    let wrong = |(field, what, outcome): &(String, String, Result<Outcome, Complaint>)| {
        Some(format!("{field} {what}: {}", way(outcome.as_ref().err()?)?))
    };
    results.iter().filter_map(wrong).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn f04_every_field_has_an_effect_whenever_it_is_changed() {
    let results = shared().await;
    let is_ignored = |(field, what, outcome): &(String, String, Result<Outcome, Complaint>)| {
        (*outcome == Ok(Outcome::Ignored)).then(|| (field.clone(), what.clone()))
    };
    let found: Vec<(String, String)> = results.iter().filter_map(is_ignored).collect();
    let listed = |field: &str, what: &str| IGNORED.iter().any(|(known, _)| is_listed(known, field, what));
    let unlisted: Vec<_> = found.iter().filter(|(field, what)| !listed(field, what)).collect();
    assert!(unlisted.is_empty(), "nothing comes of these, and nothing says so: {unlisted:#?}");
    let is_needed = |known: &str| found.iter().any(|(field, what)| is_listed(known, field, what));
    let stale: Vec<_> = IGNORED.iter().filter(|(known, _)| !is_needed(known)).collect();
    assert!(stale.is_empty(), "these have an effect now; take them off the list: {stale:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f06_what_no_one_can_want_is_refused_or_said_to_be_wrong() {
    let results = shared().await;
    let wrong = complaints(results, |it| match it {
        Complaint::Judged(why) => Some(why),
        Complaint::NotRecovered(_) => None,
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for outcome in [Outcome::Rejected, Outcome::Stalled, Outcome::Effective] {
        assert!(results.iter().any(|it| it.2 == Ok(outcome)), "nothing came to {outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f07_what_is_put_back_recovers() {
    let wrong = complaints(shared().await, |it| match it {
        Complaint::NotRecovered(why) => Some(why),
        Complaint::Judged(_) => None,
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

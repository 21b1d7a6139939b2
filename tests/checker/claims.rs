//! What the driver of a test knows from its own side: what it was answered, how often it killed, what it wrote.

use std::collections::{BTreeMap, BTreeSet};

/// What the driver claims.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// Ids of calls that were answered 202.
    pub acknowledged: Vec<String>,
    /// How many faults could leave a window in doubt: kills, say, or restarts of the database.
    pub faults: u64,
    /// How many processes shared the work. A fault may leave a window of each in doubt.
    pub replicas: u64,
    /// The channels' `window`; at most so many messages of a channel may be in doubt in one process.
    pub window: u64,
    /// The scenarios that every acknowledged call fires, by name.
    pub stories: BTreeMap<String, Story>,
    /// Calls there may be at most, acknowledged or not; more would be a call that was taken twice.
    pub calls_max: usize,
}

/// A scenario as its author meant it.
#[derive(Debug, Clone, Default)]
pub struct Story {
    /// The step of each node, by its place in the list; none for a condition. Renaming keeps the places.
    pub steps: Vec<Option<String>>,
    /// The ways through it: a journey meets exactly the steps of one of these.
    pub ways: Vec<BTreeSet<String>>,
    /// The `registered` ids of everyone it is for. The tests never change what decides this.
    pub audience: BTreeSet<String>,
}

impl Story {
    /// A story with these nodes, ways and members.
    pub fn new(steps: &[Option<&str>], ways: &[&[&str]], audience: BTreeSet<String>) -> Self {
        let steps = steps.iter().map(|step| step.map(str::to_owned)).collect();
        let ways = ways.iter().map(|way| way.iter().map(|step| (*step).to_owned()).collect()).collect();
        Self { steps, ways, audience }
    }
}

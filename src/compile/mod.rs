//! Turns manifests into an immutable snapshot that can run, or says precisely why it cannot.
//!
//! Invariant: pure; the operator, the runtime, `dev` and `validate` all call this same code.

mod api_key;
mod before;
mod channel;
mod confined;
mod digest;
mod last_good;
mod listeners;
mod problem;
pub mod references;
mod rotation;
mod runtime;
mod scenario;
mod snapshot;
mod sources;
mod trigger;

pub use api_key::ApiKey;
pub use before::Before;
pub use channel::{ATTEMPTS_UNCOUNTED, ChannelKind, CompiledChannel};
pub use digest::{of_bytes as bytes_digest, spec_digest, texts_digest};
pub use last_good::{Settled, settle, settle_after};
pub use listeners::Listeners;
pub use problem::{ObjectKind, ObjectName, Problem, Problems, Severity};
pub use rotation::rotation_schedule;
pub use scenario::{CompiledAudience, Listener, Scenario};
pub use snapshot::Snapshot;
pub use sources::{LeftOutScenario, Sources, Texts};
pub use trigger::{BasicSource, Deduplication, Expiry, KnownFields, Trigger, curl};

/// What came of compiling: what can run, and what is wrong with the rest.
#[derive(Debug)]
pub struct Compilation {
    /// Every object that compiled. One bad object never takes another down.
    pub snapshot: Snapshot,
    /// Errors of objects that are left out of the snapshot, and warnings about those that are in it.
    pub problems: Vec<Problem>,
}

/// Compiles everything that is in force in one namespace.
pub fn compile(sources: &Sources) -> Compilation {
    compile_with(sources, None)
}

/// The same, with what has not changed since taken over.
pub fn compile_after(sources: &Sources, before: &Before) -> Compilation {
    compile_with(sources, Some(before))
}

fn compile_with(sources: &Sources, before: Option<&Before>) -> Compilation {
    let mut problems = Problems::default();
    runtime::check(sources, &mut problems);
    let local = runtime::local_defaults(sources, &mut problems);
    let triggers = trigger::compile_all(sources, before, &local, &mut problems);
    let retention = runtime::retention(sources, &triggers, &mut problems);
    let channels = channel::compile_all(sources, &mut problems);
    let scenarios = scenario::compile_all(sources, before, &local, &mut problems);
    let api_keys = api_key::compile_all(sources, &triggers, &mut problems);
    Compilation {
        snapshot: Snapshot {
            version: sources.version(),
            namespace: sources.namespace.as_str().into(),
            triggers,
            listeners: Listeners::of(&scenarios),
            scenarios,
            left_out: sources.left_out.clone(),
            channels,
            api_keys,
            retention,
        },
        problems: problems.into_vec(),
    }
}

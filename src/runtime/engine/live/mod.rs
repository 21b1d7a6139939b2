//! What the engine holds in memory of runs and chunks under way. Run workers and dispatchers share it.

mod bound_scenario;
mod chunk;
mod contiguous_progress;
mod run;

pub use bound_scenario::{BoundScenario, ComposedMessage, Moment, Version, VersionError, VersionSource};
pub use chunk::{ChunkEvent, HeldText, LiveChunk};
pub use run::LiveRun;

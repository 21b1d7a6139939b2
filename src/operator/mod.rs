//! Makes manifests real: credentials, endpoints and running runtimes, and the status that says how it stands.
//!
//! Invariant: each kind decides in pure functions from what was declared and observed; the thin loops around them
//! read and write. The operator never writes what a user declared, and never talks to a provider.

mod admin;
mod allowed;
mod api_key;
mod api_trigger;
mod apply;
mod backoff;
mod beginning;
mod caches;
mod channel;
mod conditions;
mod context;
mod controller;
mod credentials;
mod error;
mod exact;
mod filled_in;
mod installation;
mod kind;
mod leadership;
mod lease_held;
mod left_out;
mod managed_by;
mod metrics;
mod namespace;
mod paused;
mod programmed;
mod replicas;
mod rights;
mod runtime;
mod scenario;
mod scenario_summary;
mod scope;
mod settings;
mod standing;
mod standing_back;
mod start;
mod status;
mod user_secret;
mod verdict;
mod wake;
mod watches;

pub use installation::{Installation, InstallationFinding};
pub use lease_held::LeaseName;
pub use runtime::PORTS as RUNTIME_PORTS;
pub use settings::{EgressRules, OperatorSettings, Ports, Resources, Tracing};
pub use start::{OperatorStartError, RunningOperator, start};

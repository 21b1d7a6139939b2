//! Configuration from the API server: watched, compiled, put in force, and reported to the operator.
//!
//! The API server may be away at any time, also at the start: then what the store says was in force last is served.
//!
//! Reading order: `watches` fill `objects`, `secret_reader` fills `secret_cache`, `live` puts both in force, `reporter`
//! says what is.

mod api_server;
mod content;
mod kept;
mod keyring;
mod live;
mod objects;
mod reporter;
mod secret_cache;
mod secret_reader;
mod watches;

pub use api_server::{ApiServer, ApiServerError, configuration};
pub use live::{Cluster, ClusterSources};
pub use reporter::Reporter;

//! Logs on stderr: for people on a terminal, one JSON object a line elsewhere.
//!
//! `RUST_LOG` chooses what is shown, as `info,fanfare::runtime=debug`.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Without `RUST_LOG`. What kube's client says of failed requests, those who made them say better.
const USUAL: &str = "info,kube_client=off";

/// Begins to log; a second call changes nothing.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(USUAL));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed = if std::io::stderr().is_terminal() {
        subscriber.with_target(false).try_init()
    } else {
        subscriber.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    };
    // Tests in one process may have begun before; theirs stays.
    drop(installed);
}

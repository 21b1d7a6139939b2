//! Logs, metrics and traces: what an operator looks at when something is wrong.
//!
//! Invariant: no secret and no customer's data is ever a label or a log field.

mod collector;
mod exposition;
mod logs;
mod sampled;
pub mod traces;

pub use exposition::Exposition;
pub use logs::init;
pub use sampled::Sampled;

/// Does the work with traces, if the environment asks for them, and sends the last of them before it is over.
pub async fn traced<T>(work: impl Future<Output = T>) -> T {
    let traces = traces::Traces::start();
    let done = work.await;
    if let Some(traces) = traces {
        traces.stop().await;
    }
    done
}

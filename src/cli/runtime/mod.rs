//! `fanfare runtime`: one process of a Runtime in its cluster.
//!
//! Reading order: `args`, `run` (start, serve, drain), then `store` and `ready_file`.

mod args;
mod ready_file;
mod run;
mod store;

pub use args::RuntimeCommand;

//! `fanfare dev`: the whole thing from a folder of manifests on SQLite or PostgreSQL, without a
//! cluster.
//!
//! Reading order: `args`, `run` (start, serve, drain), `live` (what is in force and how it changes), then the parts.

mod announce;
mod args;
pub(super) mod credentials;
pub(super) mod data_folder;
mod demo;
mod folder;
mod hosts;
mod import;
mod keyring;
mod live;
pub(super) mod private_file;
mod ready_file;
mod run;
mod sandbox_process;
mod secrets;
mod watch;

pub use args::DevCommand;

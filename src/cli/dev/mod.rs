//! `fanfare dev`: the whole thing from a folder of manifests on SQLite, without a cluster.
mod credentials;
mod folder;
mod keyring;
mod sandbox_process;
mod secrets;
mod watch;

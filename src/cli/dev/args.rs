//! What `fanfare dev` is told on its command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::duration::duration_from_text;
use crate::store::postgres::PostgresAddress;

/// Run a folder of manifests on this machine, with SQLite or PostgreSQL and without a cluster.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  fanfare dev examples/weather-alert
  fanfare dev examples/weather-alert --demo --once
  fanfare dev examples/weather-alert --database postgres://fanfare@localhost/fanfare
  kustomize build overlays/test | fanfare dev - --listen 127.0.0.1:0 --ready-file ready.json

Exit codes: 0 stopped by SIGTERM or SIGINT after draining, or the demo went as promised; 1 the demo did not;
2 the manifests, the data folder, the database or the address cannot be used.")]
pub struct DevCommand {
    /// The folder of manifests, or `-` for a stream of manifests on standard input.
    pub(super) manifests: PathBuf,
    /// Where to listen: endpoints, API, OpenAPI, health and metrics. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080", env = "FANFARE_LISTEN")]
    pub(super) listen: SocketAddr,
    /// Where customers, calls and generated credentials are kept.
    #[arg(long, default_value = ".fanfare", env = "FANFARE_DATA")]
    pub(super) data: PathBuf,
    /// Keep customers and calls in this PostgreSQL database instead of files: `postgres://user:password@host/database`.
    /// Several processes may work on one database; give them the same --data, or Secrets for every trigger.
    #[arg(long, value_name = "URL", env = "FANFARE_DATABASE", hide_env_values = true)]
    pub(super) database: Option<PostgresAddress>,
    /// Be unready for so long before ending on SIGTERM, so that a load balancer looks elsewhere first: `5s`.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration_from_text)]
    pub(super) unready_for: Duration,
    /// Write addresses and credentials to this file as JSON, once calls are served, and again after each edit.
    #[arg(long)]
    pub(super) ready_file: Option<PathBuf>,
    /// Reach a channel's host at another address: `sandbox=127.0.0.1:2525` for all its ports, or
    /// `sandbox:8080=127.0.0.1:34567` for one. Without any for `sandbox`, a sandbox is started for channels
    /// that name that host.
    #[arg(long = "host", value_name = "NAME[:PORT]=ADDRESS:PORT")]
    pub(super) hosts: Vec<String>,
    /// Send the calls that `calls/expected.json` names, and show what came of each.
    #[arg(long)]
    pub(super) demo: bool,
    /// With --demo: stop afterwards, with 0 if everything was as it promises.
    #[arg(long, requires = "demo")]
    pub(super) once: bool,
}

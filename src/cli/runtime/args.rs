//! What `fanfare runtime` is told on its command line; the operator writes it into the Pods it makes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use crate::domain::duration::duration_from_text;
use crate::domain::egress_target::EgressTarget;
use crate::store::in_force::Holder;

/// What a cluster is called that nobody has named.
pub(super) const UNKNOWN_CLUSTER: &str = "unknown";

/// Run one process of a Runtime in its cluster: receive calls and dispatch messages.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  fanfare runtime --namespace shop --name main --data /var/lib/fanfare
  fanfare runtime --namespace shop --name main --database-file /etc/fanfare/database/uri --egress-allow 10.20.0.0/16

The API server is found by KUBECONFIG, or as the Pod's own account. While it is away, what was in force last is served.

Exit codes: 0 stopped by SIGTERM or SIGINT after draining; 2 the cluster's configuration, the data folder, the
database or an address cannot be used, or another namespace holds the tenant.")]
pub struct RuntimeCommand {
    /// The namespace to serve.
    #[arg(long, env = "FANFARE_NAMESPACE")]
    pub(super) namespace: String,
    /// The Runtime this is a process of. Whatever its name, what serves is the Runtime in force: the oldest.
    #[arg(long, env = "FANFARE_RUNTIME")]
    pub(super) name: String,
    /// Under which name everything is kept; the namespace, if nothing is said.
    #[arg(long, env = "FANFARE_TENANT")]
    pub(super) tenant: Option<String>,
    /// The cluster, as the store knows it: the UID of its namespace kube-system.
    #[arg(long, env = "FANFARE_CLUSTER_ID", default_value = UNKNOWN_CLUSTER)]
    pub(super) cluster_id: String,
    /// Take the tenant over from this cluster and namespace, which must not serve it any more.
    #[arg(long, value_name = "CLUSTER/NAMESPACE", value_parser = HolderText::from_str)]
    pub(super) take_over_from: Option<HolderText>,
    /// Keep everything in files in this folder.
    #[arg(
        long,
        env = "FANFARE_DATA",
        required_unless_present = "database_file",
        conflicts_with = "database_file"
    )]
    pub(super) data: Option<PathBuf>,
    /// Keep everything in the PostgreSQL database whose URL, `postgres://user:password@host/database`, is in this file.
    #[arg(long, env = "FANFARE_DATABASE_FILE")]
    pub(super) database_file: Option<PathBuf>,
    /// Trust the authority in this file (PEM) where the database's URL asks for TLS and names no sslrootcert itself.
    #[arg(long, env = "FANFARE_DATABASE_CA_FILE", requires = "database_file")]
    pub(super) database_ca_file: Option<PathBuf>,
    /// Where calls come in: `[::]` is everywhere, by IPv4 and IPv6. Port 0 takes a free one.
    #[arg(long, default_value = "[::]:8080")]
    pub(super) listen_calls: SocketAddr,
    /// Where the API is.
    #[arg(long, default_value = "[::]:8081")]
    pub(super) listen_api: SocketAddr,
    /// Where /livez, /readyz, /metrics and /report are.
    #[arg(long, default_value = "[::]:8082")]
    pub(super) listen_admin: SocketAddr,
    /// Addresses that are not public and that channels may reach all the same.
    #[arg(long = "egress-allow", value_name = "CIDR|NAMESPACE/SERVICE")]
    pub(super) egress_allow: Vec<EgressTarget>,
    /// The domain of the cluster's Services.
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    pub(super) cluster_domain: String,
    /// Addresses that channels may never reach.
    #[arg(long = "egress-deny", value_name = "CIDR")]
    pub(super) egress_deny: Vec<IpNet>,
    /// Whether channels may reach the Services of their own namespace.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub(super) same_namespace_egress: bool,
    /// Be unready for so long before ending on SIGTERM, so that callers are sent elsewhere first.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration_from_text)]
    pub(super) unready_for: Duration,
    /// How long requests, and then messages, under way may take once nothing more is taken.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration_from_text)]
    pub(super) drain_for: Duration,
    /// Write the addresses to this file as JSON, once calls are served.
    #[arg(long)]
    pub(super) ready_file: Option<PathBuf>,
}

/// `<cluster>/<namespace>`.
#[derive(Debug, Clone)]
pub(super) struct HolderText(pub Holder);

impl FromStr for HolderText {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts =
            text.rsplit_once('/').filter(|(cluster, namespace)| !cluster.is_empty() && !namespace.is_empty());
        let (cluster, namespace) = parts.ok_or("write <cluster>/<namespace>, as the refusal shows it")?;
        Ok(HolderText(Holder { cluster: cluster.to_owned(), namespace: namespace.to_owned() }))
    }
}

impl RuntimeCommand {
    /// Under which name everything is kept.
    pub(super) fn tenant(&self) -> &str {
        self.tenant.as_deref().unwrap_or(&self.namespace)
    }

    /// Who this process serves for.
    pub(super) fn holder(&self) -> Holder {
        Holder { cluster: self.cluster_id.clone(), namespace: self.namespace.clone() }
    }
}

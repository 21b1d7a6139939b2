//! What whoever installs the operator decides for all namespaces: never a field of a tenant's kind.

use std::net::SocketAddr;

use ipnet::IpNet;

use crate::domain::egress_target::EgressTarget;

/// The operator's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The namespaces it serves; empty for all.
    pub namespaces: Vec<String>,
    /// The namespace it lives in: where its Lease is, and from where replicas' admin ports may be reached.
    pub own_namespace: String,
    /// Who this process is among several: the name of its pod.
    pub identity: String,
    /// Whether several processes agree by a Lease on which one works.
    pub elects_leader: bool,
    /// Where `/livez`, `/readyz` and `/metrics` are.
    pub admin: SocketAddr,
    /// The image of the runtimes.
    pub image: String,
    /// Names of Secrets with which the image is pulled; they must be in the runtimes' namespaces.
    pub pull_secrets: Vec<String>,
    /// The domain of the cluster's Services: `cluster.local`.
    pub cluster_domain: String,
    /// What each runtime's container gets.
    pub resources: Resources,
    /// Where channels may connect to besides public addresses.
    pub egress: EgressRules,
    /// Where replicas' admin ports are.
    pub admin_port: u16,
}

/// What a container asks for, in Kubernetes' notation of quantities.
#[derive(Debug, Clone)]
pub struct Resources {
    /// The share of a processor that is set aside: `100m`.
    pub cpu_request: String,
    /// The memory that is set aside, which is also the most it may use: `512Mi`.
    pub memory: String,
}

/// Which addresses that are not public channels may reach.
#[derive(Debug, Clone, Default)]
pub struct EgressRules {
    /// These.
    pub allow: Vec<EgressTarget>,
    /// Never these, whatever else is allowed: nodes, API servers.
    pub deny: Vec<IpNet>,
    /// The Services of the runtime's own namespace.
    pub same_namespace: bool,
}

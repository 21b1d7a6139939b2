//! What whoever installs the operator decides for all namespaces: never a field of a tenant's kind.

use std::net::SocketAddr;
use std::str::FromStr;

use ipnet::IpNet;

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
    pub allow: Vec<IpNet>,
    /// These Services of any namespace, by name.
    pub services: Vec<ServiceName>,
    /// Never these, whatever else is allowed: nodes, API servers.
    pub deny: Vec<IpNet>,
    /// The Services of the runtime's own namespace.
    pub same_namespace: bool,
}

/// A Service, as `namespace/service`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceName {
    /// Its namespace.
    pub namespace: String,
    /// Its own name.
    pub name: String,
}

impl ServiceName {
    /// The names it is reached by, of which no namespace can make one for something else. `relay.mail` is none of them:
    /// a resolver looks for it in the caller's own namespace first.
    pub(super) fn hosts(&self, cluster_domain: &str) -> [String; 2] {
        let short = format!("{}.{}.svc", self.name, self.namespace);
        [format!("{short}.{cluster_domain}"), short]
    }
}

/// What channels may be allowed to reach: a network, or a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EgressTarget {
    /// All its addresses.
    Network(IpNet),
    /// Its addresses, by its name.
    Service(ServiceName),
}

/// A text that is neither a network nor a Service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a network such as 10.20.0.0/16 nor a Service, written namespace/service")]
pub struct NotATarget(String);

impl FromStr for EgressTarget {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        if let Ok(network) = text.parse() {
            return Ok(EgressTarget::Network(network));
        }
        let (namespace, name) = text.split_once('/').ok_or_else(|| NotATarget(text.to_owned()))?;
        // A Service's name begins with a letter, so that a network with a slip is none.
        let is_service =
            is_label(namespace) && is_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase());
        let service = || ServiceName { namespace: namespace.to_owned(), name: name.to_owned() };
        is_service.then(|| EgressTarget::Service(service())).ok_or_else(|| NotATarget(text.to_owned()))
    }
}

/// Whether a text is a label as DNS has it, which the names of namespaces and Services are.
fn is_label(text: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len())
        && text.chars().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_network_or_a_service() {
        assert_eq!("10.20.0.0/16".parse(), Ok(EgressTarget::Network("10.20.0.0/16".parse().unwrap())));
        assert_eq!("fd00::/64".parse(), Ok(EgressTarget::Network("fd00::/64".parse().unwrap())));
        let relay = ServiceName { namespace: "mail".into(), name: "relay".into() };
        assert_eq!("mail/relay".parse(), Ok(EgressTarget::Service(relay.clone())));
        assert_eq!(relay.hosts("cluster.local"), ["relay.mail.svc.cluster.local", "relay.mail.svc"]);
        for wrong in [
            "",
            "mail",
            "10.20.0.0",
            "10.20.0.0/33",
            "mail/",
            "/relay",
            "a/b/c",
            "Mail/relay",
            "mail/*",
            "1/2",
        ] {
            assert_eq!(wrong.parse::<EgressTarget>(), Err(NotATarget(wrong.into())), "{wrong}");
        }
    }
}

//! What the installation of the operator decides for all namespaces: never a field of a tenant's kind.

use std::net::SocketAddr;

use ipnet::IpNet;

use crate::domain::egress_target::EgressTarget;

/// The operator's settings.
#[derive(Debug, Clone)]
pub struct OperatorSettings {
    /// The namespaces it serves; empty for all.
    pub namespaces: Vec<String>,
    /// The namespace it lives in: where its Lease is, and from where replicas' admin ports may be reached.
    pub own_namespace: String,
    /// Who this process is among several: the name of its pod.
    pub identity: String,
    /// The UID of this process's Pod, if it is known: the Lease goes with it.
    pub pod_uid: Option<String>,
    /// The name of the Lease: those who share one take turns, those with another work beside them.
    pub lease_name: String,
    /// Whether several processes agree by that Lease on which one works.
    pub elects_leader: bool,
    /// Where `/livez`, `/readyz` and `/metrics` are.
    pub admin: SocketAddr,
    /// The image of the runtimes; empty for that of the operator's own Pod.
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
    /// Where what runtimes need of the cluster itself is.
    pub ports: Ports,
    /// Where runtimes send their traces; they make none without.
    pub tracing: Option<Tracing>,
}

/// Where traces go and how many calls have one: the values of OpenTelemetry's variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracing {
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: a collector's address for OTLP over HTTP, `http://collector.observability:4318`.
    pub endpoint: String,
    /// `OTEL_TRACES_SAMPLER`: `parentbased_traceidratio` and others.
    pub sampler: String,
    /// `OTEL_TRACES_SAMPLER_ARG`: the share of calls, `0.01`.
    pub sampler_argument: Option<String>,
    /// `OTEL_SERVICE_NAME`.
    pub service: String,
}

impl Tracing {
    /// The variables of a runtime's container, with the namespace and the Runtime it belongs to.
    pub fn variables(&self, namespace: &str, runtime: &str) -> Vec<(&'static str, String)> {
        let attributes = format!("k8s.namespace.name={namespace},fanfare.runtime={runtime}");
        let mut variables = vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.endpoint.clone()),
            ("OTEL_TRACES_SAMPLER", self.sampler.clone()),
            ("OTEL_SERVICE_NAME", self.service.clone()),
            ("OTEL_RESOURCE_ATTRIBUTES", attributes),
        ];
        let argument = self.sampler_argument.clone();
        variables.extend(argument.map(|argument| ("OTEL_TRACES_SAMPLER_ARG", argument)));
        variables
    }

    /// The collector's port, which the runtimes' NetworkPolicy lets out.
    pub fn port(&self) -> Option<u16> {
        let rest = self.endpoint.split_once("://")?;
        let (usual, authority) = (if rest.0 == "https" { 443 } else { 80 }, rest.1.split('/').next()?);
        let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.contains(']'));
        port.map_or(Some(usual), |port| port.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collectors_port_is_what_its_address_says() {
        let port = |endpoint: &str| {
            Tracing {
                endpoint: endpoint.into(),
                sampler: String::new(),
                sampler_argument: None,
                service: String::new(),
            }
            .port()
        };
        assert_eq!(port("http://collector.observability:4318"), Some(4318));
        assert_eq!(port("https://collector.example/otlp"), Some(443));
        assert_eq!(port("http://[fd00::1]:4318/"), Some(4318));
        assert_eq!(port("http://[fd00::1]"), Some(80));
        assert_eq!(port("collector:4318"), None);
    }
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

/// Ports of the cluster's own parts, as NetworkPolicies see them: those of the processes behind the Services.
#[derive(Debug, Clone)]
pub struct Ports {
    /// The API server's.
    pub api_server: Vec<u16>,
    /// Those of the cluster's DNS.
    pub dns: Vec<u16>,
}

impl Ports {
    /// 6443 is kubeadm's and that of most, 8443 minikube's, 16443 MicroK8s'.
    pub const API_SERVER: [u16; 4] = [443, 6443, 8443, 16443];
    /// 5353 is OpenShift's.
    pub const DNS: [u16; 2] = [53, 5353];
}

impl Default for Ports {
    fn default() -> Self {
        Ports { api_server: Self::API_SERVER.into(), dns: Self::DNS.into() }
    }
}

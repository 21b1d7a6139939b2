//! `fanfare operator`: the controllers that make manifests real.

use std::net::SocketAddr;
use std::process::ExitCode;

use ipnet::IpNet;
use kube::Client;

use crate::cli::output::warn;
use crate::cli::signals::Signals;
use crate::domain::egress_target::EgressTarget;
use crate::operator::{EgressRules, OperatorSettings, Ports, RUNTIME_PORTS, Resources, Tracing, start};
use crate::runtime::cluster::{ApiServerError, configuration};
use crate::telemetry;

/// Run the controllers that make manifests in a cluster real.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  fanfare operator --image registry.example.com/fanfare:0.1.0
  fanfare operator --image fanfare:dev --watch shop --watch news

Exit codes: 0 stopped by SIGTERM or SIGINT; 2 the cluster's configuration or the address cannot be used.")]
pub struct OperatorCommand {
    /// The image of the runtimes; if none is named, that of the operator's own Pod, which it must be allowed to get.
    #[arg(long, env = "FANFARE_IMAGE", default_value = "", hide_default_value = true)]
    image: String,
    /// A Secret with which that image is pulled, in each runtime's namespace.
    #[arg(long = "pull-secret", value_name = "NAME")]
    pull_secrets: Vec<String>,
    /// A namespace to serve; all, if none is named.
    #[arg(long = "watch", value_name = "NAMESPACE", env = "FANFARE_WATCH", value_delimiter = ',')]
    namespaces: Vec<String>,
    /// The namespace the operator lives in, where its Lease is.
    #[arg(long, default_value = "fanfare-system", env = "POD_NAMESPACE")]
    own_namespace: String,
    /// The name of this process among several.
    #[arg(long, default_value = "fanfare-operator", env = "POD_NAME")]
    identity: String,
    /// The UID of this process's Pod, with which the Lease goes.
    #[arg(long, value_name = "UID", env = "POD_UID")]
    pod_uid: Option<String>,
    /// The Lease that is held by whoever works. Operators that share it take turns; each installation has its own.
    #[arg(long, value_name = "NAME", default_value = "fanfare-operator")]
    lease_name: String,
    /// Work without a Lease. Only where nothing else can run a second operator.
    #[arg(long)]
    no_leader_election: bool,
    /// Where /livez, /readyz and /metrics are: `[::]` is everywhere, by IPv4 and IPv6.
    #[arg(long, default_value = "[::]:8082", env = "FANFARE_LISTEN")]
    listen: SocketAddr,
    /// The domain of the cluster's Services.
    #[arg(long, default_value = "cluster.local")]
    cluster_domain: String,
    /// The share of a processor each runtime process asks for.
    #[arg(long, default_value = "100m")]
    runtime_cpu: String,
    /// The memory each runtime process asks for, and may use.
    #[arg(long, default_value = "512Mi")]
    runtime_memory: String,
    /// The port on which replicas report what they have in force.
    #[arg(long, default_value_t = 8082, value_parser = admin_port)]
    runtime_admin_port: u16,
    /// A port of the API server, behind its Service: where runtimes' NetworkPolicies let out to.
    #[arg(long = "api-server-port", value_name = "PORT", default_values_t = Ports::API_SERVER, value_delimiter = ',',
        value_parser = clap::value_parser!(u16).range(1..))]
    api_server_ports: Vec<u16>,
    /// A port of the cluster's DNS, likewise.
    #[arg(long = "dns-port", value_name = "PORT", default_values_t = Ports::DNS, value_delimiter = ',',
        value_parser = clap::value_parser!(u16).range(1..))]
    dns_ports: Vec<u16>,
    /// Addresses that are not public and that channels may reach all the same.
    #[arg(long = "egress-allow", value_name = "CIDR|NAMESPACE/SERVICE")]
    egress_allow: Vec<EgressTarget>,
    /// Addresses that channels may never reach: nodes, API servers.
    #[arg(long = "egress-deny", value_name = "CIDR")]
    egress_deny: Vec<IpNet>,
    /// Whether channels may reach the Services of their own namespace.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    same_namespace_egress: bool,
    /// Where runtimes send traces, by OTLP over HTTP: `http://collector.observability:4318`. Without it they make none.
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    trace_endpoint: Option<String>,
    /// Which of their calls have a trace, as OpenTelemetry names it.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "parentbased_traceidratio",
        env = "OTEL_TRACES_SAMPLER"
    )]
    trace_sampler: String,
    /// The share of calls that have one, where the caller does not say.
    #[arg(long, value_name = "SHARE", default_value = "0.01", env = "OTEL_TRACES_SAMPLER_ARG")]
    trace_sampler_arg: String,
    /// What runtimes are called in traces.
    #[arg(long, value_name = "NAME", default_value = "fanfare", env = "OTEL_SERVICE_NAME")]
    trace_service_name: String,
}

impl OperatorCommand {
    pub(in crate::cli) fn run(self) -> ExitCode {
        telemetry::init();
        let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return failed(&error),
        };
        runtime.block_on(self.serve())
    }

    async fn serve(self) -> ExitCode {
        let mut signals = match Signals::receive() {
            Ok(signals) => signals,
            Err(error) => return failed(&format!("cannot receive signals: {error}")),
        };
        let client = match client().await {
            Ok(client) => client,
            Err(error) => return failed(&error),
        };
        let running = match start(client, self.settings()).await {
            Ok(running) => running,
            Err(error) => return failed(&error),
        };
        tracing::info!(admin = %running.admin, "the operator runs");
        signals.stop().await;
        running.stop().await;
        ExitCode::SUCCESS
    }

    fn settings(self) -> OperatorSettings {
        OperatorSettings {
            namespaces: self.namespaces,
            own_namespace: self.own_namespace,
            identity: self.identity,
            pod_uid: self.pod_uid.filter(|uid| !uid.is_empty()),
            lease_name: self.lease_name,
            elects_leader: !self.no_leader_election,
            admin: self.listen,
            image: self.image,
            pull_secrets: self.pull_secrets,
            cluster_domain: self.cluster_domain,
            resources: Resources { cpu_request: self.runtime_cpu, memory: self.runtime_memory },
            egress: EgressRules {
                allow: self.egress_allow,
                deny: self.egress_deny,
                same_namespace: self.same_namespace_egress,
            },
            admin_port: self.runtime_admin_port,
            ports: Ports { api_server: self.api_server_ports, dns: self.dns_ports },
            tracing: self.trace_endpoint.filter(|endpoint| !endpoint.is_empty()).map(|endpoint| Tracing {
                endpoint,
                sampler: self.trace_sampler,
                sampler_argument: Some(self.trace_sampler_arg).filter(|argument| !argument.is_empty()),
                service: self.trace_service_name,
            }),
        }
    }
}

/// A port that the runtimes' processes do not use for something else.
fn admin_port(text: &str) -> Result<u16, String> {
    let port: u16 = text.parse().map_err(|_| format!("{text:?} is no port; write a number such as 8082"))?;
    match RUNTIME_PORTS.iter().find(|(_, taken)| *taken == port) {
        Some((what, _)) => Err(format!("runtimes need {port} for {what}; choose another port, such as 8082")),
        None if port == 0 => Err("it must be the same for every replica; write a number such as 8082".into()),
        None => Ok(port),
    }
}

async fn client() -> Result<Client, ApiServerError> {
    Ok(Client::try_from(configuration().await?)?)
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    warn(&format!("fanfare operator: {error}"));
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use super::admin_port;

    #[test]
    fn a_port_that_runtimes_need_is_refused_in_words() {
        assert_eq!(admin_port("8082"), Ok(8082));
        for (wrong, words) in [
            ("8080", "runtimes need 8080 for calls; choose another port"),
            ("8081", "runtimes need 8081 for their API; choose another port"),
            ("0", "the same for every replica"),
            ("65536", "\"65536\" is no port"),
        ] {
            let refused = admin_port(wrong).unwrap_err();
            assert!(refused.contains(words), "{refused}");
        }
    }
}

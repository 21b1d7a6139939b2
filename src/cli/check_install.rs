//! `fanfare check-install`: what `helm test` runs, as the operator's account.

use std::process::ExitCode;
use std::time::Duration;

use kube::Client;

use super::output::{line, warn};
use crate::domain::duration::duration_from_text;
use crate::operator::{Installation, InstallationFinding, LeaseName};
use crate::runtime::cluster::{ApiServerError, configuration};

/// Check whether the operator of a cluster is installed as it should be.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  fanfare check-install --operator http://fanfare-operator.fanfare-system:8082

The API server is found by KUBECONFIG, or as the Pod's own account, and what that account may see is what is checked.

Exit codes: 0 all is well; 1 something is not, and stderr says what; 2 the cluster's configuration cannot be used.")]
pub struct CheckInstall {
    /// Where the operator's admin port is.
    #[arg(long, value_name = "URL", default_value = "http://fanfare-operator:8082")]
    operator: String,
    /// The Lease that is held by the operator that works.
    #[arg(long, value_name = "NAME", default_value = "fanfare-operator")]
    lease_name: String,
    /// The namespace of that Lease.
    #[arg(long, value_name = "NAMESPACE", default_value = "fanfare-system", env = "POD_NAMESPACE")]
    own_namespace: String,
    /// The operator is alone and has no Lease.
    #[arg(long)]
    no_leader_election: bool,
    /// A namespace the operator serves; all, if none is named.
    #[arg(long = "watch", value_name = "NAMESPACE")]
    namespaces: Vec<String>,
    /// For how long what is not yet so is looked at again.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration_from_text)]
    patience: Duration,
}

impl CheckInstall {
    pub(in crate::cli) fn run(self) -> ExitCode {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return failed(&error),
        };
        match runtime.block_on(self.look()) {
            Ok(findings) => told(&findings),
            Err(error) => failed(&error),
        }
    }

    async fn look(self) -> Result<Vec<InstallationFinding>, ApiServerError> {
        let client = Client::try_from(configuration().await?)?;
        let Self { operator, namespaces, patience, .. } = self;
        let name = format!("{}/{}", self.own_namespace, self.lease_name);
        let lease = LeaseName { namespace: self.own_namespace, name: self.lease_name };
        let lease = (!self.no_leader_election).then_some(lease);
        Ok(Installation { operator, lease, name, namespaces, patience }.look(&client).await)
    }
}

fn told(findings: &[InstallationFinding]) -> ExitCode {
    for InstallationFinding { what, trouble } in findings {
        match trouble {
            None => line(format_args!("ok      {what}")),
            Some(trouble) => warn(&format!("not ok  {what}: {trouble}")),
        }
    }
    if findings.iter().all(|finding| finding.trouble.is_none()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    warn(&format!("fanfare check-install: {error}"));
    ExitCode::from(2)
}

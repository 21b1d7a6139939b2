//! The flags by which a client command is told of a cluster, and the name by which kubectl calls it.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::duration::duration_from_text;

/// How a client command finds a Runtime in a cluster.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::cli) struct ClusterArgs {
    /// The kubeconfig to use; KUBECONFIG or ~/.kube/config if left out.
    #[arg(long, value_name = "FILE", help_heading = "In a cluster")]
    pub(super) kubeconfig: Option<PathBuf>,

    /// The kubeconfig's context; the current one if left out.
    #[arg(long, value_name = "NAME", help_heading = "In a cluster")]
    pub(super) context: Option<String>,

    /// The namespace; the context's own if left out.
    #[arg(short, long, value_name = "NAME", help_heading = "In a cluster")]
    pub(in crate::cli) namespace: Option<String>,

    /// The ApiKey to use; one that may do this if left out, and for a call the trigger's own credentials.
    #[arg(long, value_name = "NAME", help_heading = "In a cluster")]
    pub(super) api_key: Option<String>,

    /// How long to wait for a Runtime, or a key, that is just being made.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration_from_text, help_heading = "In a cluster")]
    pub(super) wait: Duration,
}

impl ClusterArgs {
    /// Whether the person means a cluster: they named one, or kubectl runs us.
    pub(in crate::cli) fn is_meant(&self) -> bool {
        self.is_named() || is_plugin()
    }

    /// Whether an ApiKey was named, which outranks a key of the environment.
    pub(in crate::cli) fn names_key(&self) -> bool {
        self.api_key.is_some()
    }

    fn is_named(&self) -> bool {
        self.kubeconfig.is_some() || self.context.is_some() || self.api_key.is_some()
    }
}

/// Whether this process was started as `kubectl-fanfare`, as kubectl starts its plugins.
pub(in crate::cli) fn is_plugin() -> bool {
    invoked_name().is_some_and(|name| name == "kubectl-fanfare" || name == "kubectl_complete-fanfare")
}

/// What a person types before a command of this program.
pub(in crate::cli) fn spoken() -> &'static str {
    if is_plugin() { "kubectl fanfare" } else { "fanfare" }
}

/// The name by which this process was started, without its folder.
pub(in crate::cli) fn invoked_name() -> Option<String> {
    let name = std::env::args_os().next()?;
    Some(std::path::Path::new(&name).file_stem()?.to_string_lossy().into_owned())
}

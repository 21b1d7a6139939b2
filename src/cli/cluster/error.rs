//! Why a Runtime in a cluster could not be reached or opened, and what the person, or who else, can do about it.

use std::time::Duration;

use crate::api::Permission;
use crate::cli::exit::Exit;

/// Why a command did not get through to a Runtime in a cluster.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ClusterError {
    /// No cluster is known.
    #[error(
        "no cluster can be asked: {reason}\n  --kubeconfig or KUBECONFIG name the file, --context one of \
         `kubectl config get-contexts`"
    )]
    Kubeconfig { reason: String },
    /// The API server does not answer, or answers something else.
    #[error("cannot ask the cluster's API server: {reason}\n  does `kubectl get pods` work?")]
    Unreachable { reason: String },
    /// All of it took too long.
    #[error("the cluster did not answer within {after:?}\n  does `kubectl get pods` work?")]
    TimedOut { after: Duration },
    /// 401 of the API server.
    #[error("the cluster does not know you: {reason}\n  log in again, as for kubectl")]
    Unknown { reason: String },
    /// 403 of the API server.
    #[error("{}", forbidden(verb, resource, name.as_deref(), namespace, reason))]
    Forbidden {
        verb: &'static str,
        resource: String,
        name: Option<String>,
        namespace: String,
        reason: String,
    },
    /// The kinds are not defined.
    #[error("Fanfare is not installed in this cluster\n  install it, or name another one by --context")]
    NotInstalled,
    /// Nothing serves the namespace.
    #[error(
        "namespace {namespace} has no Runtime\n  -n names another namespace; this makes one:\n\n{}",
        apply(namespace, "Runtime", "main", "{storage: {sqlite: {size: 1Gi}}}")
    )]
    NoRuntime { namespace: String },
    /// None of its Pods is ready.
    #[error(
        "Runtime {runtime} in namespace {namespace} takes no requests now\n  {reason}\n  see `kubectl describe \
             runtime {runtime} -n {namespace}`"
    )]
    NotReady { runtime: String, namespace: String, reason: String },
    /// There is no such trigger.
    #[error("namespace {namespace} has no ApiTrigger {trigger}\n  {}", meant(near.as_deref(), names))]
    NoTrigger { trigger: String, namespace: String, near: Option<String>, names: Vec<String> },
    /// There is no such ApiKey.
    #[error("namespace {namespace} has no ApiKey {name}\n  {}", meant(near.as_deref(), names))]
    NoSuchKey { name: String, namespace: String, near: Option<String>, names: Vec<String> },
    /// The ApiKey that was named may not do this.
    #[error(
        "ApiKey {name} is not good for this: it takes a Private key with the permission {permission:?}\n  leave \
         --api-key out to use one that is, or add the permission to its spec.permissions"
    )]
    KeyMayNot { name: String, permission: Permission },
    /// No ApiKey may do this.
    #[error(
        "namespace {namespace} has no ApiKey with the permission {permission:?}\n  this makes one:\n\n{}",
        apply(namespace, "ApiKey", &format!("{permission:?}").to_lowercase(), &format!("{{permissions: [{permission:?}]}}"))
    )]
    NoKey { permission: Permission, namespace: String },
    /// The Secret is not there, or not whole.
    #[error(
        "Secret {name} in namespace {namespace} is not there, or lacks username and password\n  the operator makes \
         it: `kubectl get fanfare -n {namespace}` says what holds it up"
    )]
    NoSecret { name: String, namespace: String },
    /// 401 of the Runtime.
    #[error(
        "the Runtime does not know the key of Secret {secret}\n  it may have been changed a moment ago: try again; \
         `kubectl get fanfare` says whether its owner is Ready"
    )]
    KeyRefused { secret: String },
    /// The connection could not be made, or was lost before an answer.
    #[error("the connection to Pod {pod} was lost: {reason}\n  {}", if *is_sent {
        "whether the request arrived is not known: look before you repeat it, as by `kubectl fanfare log`"
    } else {
        "nothing was sent; try again"
    })]
    Broken { pod: String, reason: String, is_sent: bool },
}

impl ClusterError {
    /// Whether it passes by itself while things that were just applied are made.
    pub(super) fn passes(&self) -> bool {
        matches!(self, ClusterError::NotReady { .. } | ClusterError::NoSecret { .. })
    }

    /// What the shell gets to see.
    pub(in crate::cli) fn exit(&self) -> Exit {
        match self {
            ClusterError::Kubeconfig { .. } => Exit::Usage,
            ClusterError::Unreachable { .. }
            | ClusterError::TimedOut { .. }
            | ClusterError::NotInstalled
            | ClusterError::NoRuntime { .. }
            | ClusterError::NotReady { .. }
            | ClusterError::Broken { .. } => Exit::Unreachable,
            ClusterError::Unknown { .. }
            | ClusterError::Forbidden { .. }
            | ClusterError::NoKey { .. }
            | ClusterError::KeyMayNot { .. }
            | ClusterError::KeyRefused { .. } => Exit::NotAllowed,
            ClusterError::NoTrigger { .. }
            | ClusterError::NoSuchKey { .. }
            | ClusterError::NoSecret { .. } => Exit::Failed,
        }
    }
}

/// The verb, the resource, and the commands by which an administrator of the namespace can allow it.
fn forbidden(verb: &str, resource: &str, name: Option<&str>, namespace: &str, reason: &str) -> String {
    let object = name.map_or(String::new(), |name| format!(" {name}"));
    let only = name.map_or(String::new(), |name| format!(" --resource-name={name}"));
    let role = format!("fanfare-{verb}-{}", resource.replace(['/', '.'], "-"));
    // Some versions ask for one of these at a port-forward, some for the other.
    let verbs = if resource == "pods/portforward" { "get,create" } else { verb };
    format!(
        "you may not {verb} {resource}{object} in namespace {namespace}\n  {reason}\n  who has the role `admin` there \
         can allow it:\n\nkubectl create role {role} -n {namespace} --verb={verbs} --resource={resource}{only}\nkubectl \
         create rolebinding {role} -n {namespace} --role={role} --user=<you>"
    )
}

/// What makes an object, to be pasted as it stands.
fn apply(namespace: &str, kind: &str, name: &str, spec: &str) -> String {
    format!(
        "kubectl apply -n {namespace} -f - <<'EOF'\napiVersion: fanfare.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: \
         {name}}}\nspec: {spec}\nEOF"
    )
}

/// So many names are shown.
const NAMES_MAX: usize = 20;

fn meant(near: Option<&str>, names: &[String]) -> String {
    match near {
        Some(near) => format!("did you mean {near}?"),
        None if names.is_empty() => "-n names another namespace".to_owned(),
        None => format!("there are {}", names.iter().take(NAMES_MAX).cloned().collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_to_allow_and_how() {
        let told = forbidden("get", "secrets", Some("crm-apikey"), "shop", "secrets is forbidden");
        assert!(told.starts_with("you may not get secrets crm-apikey in namespace shop\n"), "{told}");
        assert!(told.contains("--verb=get --resource=secrets --resource-name=crm-apikey"), "{told}");
    }

    #[test]
    fn what_is_missing_comes_with_what_makes_it() {
        let missing = ClusterError::NoKey { permission: Permission::ReadLog, namespace: "shop".into() };
        let told = missing.to_string();
        let manifest = told.split_once("<<'EOF'\n").unwrap().1.strip_suffix("\nEOF").unwrap();
        let key: crate::api::ApiKey = serde_yaml_ng::from_str(manifest).unwrap();
        assert_eq!(key.spec.permissions, [Permission::ReadLog]);
    }
}

//! Labels, annotations and names by which Fanfare's objects, and the Secrets it may use, are known in a cluster.

/// The label that says what a Secret of the user's may be used for: `channel`, `trigger` or `storage`.
pub const ALLOW_LABEL: &str = "fanfare.dev/allow";

/// The standard label that says who keeps an object; see [`MANAGED_BY`].
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// What [`MANAGED_BY_LABEL`] says on every object that Fanfare made.
pub const MANAGED_BY: &str = "fanfare";

/// The label that names the Runtime which an object serves.
pub const RUNTIME_LABEL: &str = "fanfare.dev/runtime";
/// The label that names the ApiTrigger whose credentials a Secret holds.
pub const TRIGGER_LABEL: &str = "fanfare.dev/trigger";
/// The label that names the ApiKey whose secret a Secret holds.
pub const API_KEY_LABEL: &str = "fanfare.dev/api-key";

/// The annotation on an ApiTrigger or ApiKey that asks for new credentials: any value that was not handled yet.
pub const ROTATE_ANNOTATION: &str = "fanfare.dev/rotate-requested-at";

/// The annotation of a Runtime that says which installation of the operator manages its namespace, as
/// `<namespace>/<name of its Lease>`; without it, the first that comes does.
pub const OPERATOR_ANNOTATION: &str = "fanfare.dev/operator";

/// The annotation of a Runtime that hands a tenant over to it: who held it until now, as `<cluster>/<namespace>`.
pub const TAKE_OVER_ANNOTATION: &str = "fanfare.dev/take-over-from";

/// The annotation on a Secret of generated credentials that says until when the previous ones work.
pub const PREVIOUS_EXPIRES_ANNOTATION: &str = "fanfare.dev/previous-expires-at";

/// What the Secret of a trigger's generated credentials is called.
pub fn trigger_secret_name(trigger: &str) -> String {
    format!("{trigger}-trigger")
}

/// What the Secret of an ApiKey is called.
pub fn api_key_secret_name(api_key: &str) -> String {
    format!("{api_key}-apikey")
}

/// What the workload of a Runtime, its Service, its account and its role are called.
pub fn workload_name(runtime: &str) -> String {
    format!("{runtime}-runtime")
}

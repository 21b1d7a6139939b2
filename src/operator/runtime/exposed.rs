//! How a Runtime is reached from outside: what its exposure and its route find out.

use crate::operator::conditions::Finding;

/// The condition that says whether calls can come in.
pub(super) const EXPOSED: &str = "Exposed";
/// The version of the Gateway API's kinds.
pub(super) const ROUTE_VERSION: &str = "gateway.networking.k8s.io/v1";

/// How it is reached from outside.
pub(super) struct Exposed {
    pub finding: Finding,
    /// Where triggers are, without `/in/...`; `None` while they cannot be reached.
    pub url: Option<String>,
}

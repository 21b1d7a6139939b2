//! The database of a Runtime, as the Secret says that names it.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Secret;

use crate::api::Runtime;
use crate::compile::references::SecretUse;
use crate::compile::spec_digest;
use crate::domain::database_ports::database_ports;
use crate::operator::conditions::Finding;
use crate::operator::context::Context;
use crate::operator::error::ReconcileError;
use crate::operator::user_secret::{self, RESOLVED_REFS, UserSecret};

/// The key of the database's address within its Secret.
pub(super) const URI: &str = "uri";
/// The key of the authority that its server's certificate is from, if that is not one everybody knows.
pub(super) const AUTHORITY: &str = "ca.crt";

/// What of a database its Runtime's objects depend on.
pub(super) struct Database {
    /// The digest of what is read of the Secret; processes read it only when they start. The Secret's UID is part of it, so
    /// that a reader of the Pod's specification cannot try passwords on it.
    pub digest: String,
    /// The ports it is reached at; none, if its address cannot be read.
    pub ports: BTreeSet<u16>,
    /// Whether the Secret brings the authority of its server.
    pub has_authority: bool,
}

impl Database {
    pub(super) fn of(secret: &Secret) -> Self {
        let value = |key| secret.data.as_ref().and_then(|data| data.get(key));
        let ports = value(URI).and_then(|uri| std::str::from_utf8(&uri.0).ok()).map(database_ports);
        Database {
            digest: spec_digest(&(&secret.metadata.uid, value(URI), value(AUTHORITY))),
            ports: ports.unwrap_or_default(),
            has_authority: value(AUTHORITY).is_some(),
        }
    }
}

/// Whether the Secret that says where the database is may be used, and what it says.
pub(super) async fn look(
    context: &Context,
    runtime: &Runtime,
    namespace: &str,
) -> Result<(Finding, Option<Database>), ReconcileError> {
    let Some(postgres) = &runtime.spec.storage.postgres else {
        return Ok((Finding::good(RESOLVED_REFS, "it refers to nothing"), None));
    };
    let name = &postgres.secret_ref.name;
    match user_secret::look(context, namespace, name, &[URI], SecretUse::Storage).await? {
        UserSecret::Usable(secret) => Ok((
            Finding::good(RESOLVED_REFS, format!("the database is named by Secret {name}")),
            Some(Database::of(&secret)),
        )),
        UserSecret::Unusable(finding) => Ok((finding, None)),
    }
}

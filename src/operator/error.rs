//! What can go wrong in a reconcile that another try may heal. What only an edit can heal is status, not an error.

use crate::causes::in_words;
use crate::domain::credentials::GenerateError;

/// Whether the API server says that there is no such thing. For a kind that it does not know, that is a page of plain
/// text, of which only the code is left.
pub(super) fn is_absent(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// A reconcile did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The API server refused, or could not be asked.
    #[error("{what}: {}", in_words(source.as_ref()))]
    Api {
        /// What was being done, with the object.
        what: String,
        /// What it answered.
        source: Box<kube::Error>,
    },
    /// An object of the needed name has another owner.
    #[error(
        "there is a {kind} {name} that Fanfare did not make; rename or delete it, so that Fanfare can make its own"
    )]
    NotOurs {
        /// The kind of the object.
        kind: String,
        /// Its name.
        name: String,
    },
    /// An object of the name that is needed was made for a former owner of the same name, and goes by itself.
    #[error("the {kind} {name} of a former Runtime of this name is not gone yet")]
    OfFormer {
        /// The kind of the object.
        kind: String,
        /// Its name.
        name: String,
    },
    /// The cluster does not know a kind that is needed.
    #[error("the cluster does not know the kind {kind}; install what brings it")]
    UnknownKind {
        /// The kind.
        kind: String,
    },
    /// A Secret of generated credentials cannot be changed any more.
    #[error("somebody made Secret {name} immutable, so its credentials cannot be changed")]
    Immutable {
        /// The Secret.
        name: String,
    },
    /// What went wrong has its condition already.
    #[error(transparent)]
    Told(Box<ReconcileError>),
    /// No randomness.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// It took too long.
    #[error("it took longer than {0:?}")]
    TimedOut(std::time::Duration),
    /// An object was deleted between its reading and its writing.
    #[error("{what}: it was deleted meanwhile")]
    Deleted {
        /// What was done.
        what: String,
    },
    /// It panicked, which is a defect of Fanfare.
    #[error("it panicked; this is a defect of Fanfare: {0}")]
    Panicked(String),
}

/// The words of [`ReconcileError::word`].
pub(super) const WORDS: [&str; 13] = [
    "conflict",
    "forbidden",
    "not_found",
    "invalid",
    "api",
    "transport",
    "not_ours",
    "of_former",
    "unknown_kind",
    "immutable",
    "random",
    "timeout",
    "panic",
];

impl ReconcileError {
    /// An answer of the API server.
    pub(super) fn api(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| ReconcileError::Api { what, source: Box::new(source) }
    }

    /// An answer of the API server to a write of the object of this name. It may have been deleted since it was read, as the
    /// garbage collector does with objects of a former owner; then it is not there, while what it lies in is.
    pub(super) fn write(what: String, name: &str) -> impl FnOnce(kube::Error) -> Self {
        move |source| match &source {
            kube::Error::Api(status) if status.is_not_found() && names(status, name) => {
                ReconcileError::Deleted { what }
            }
            _ => ReconcileError::api(what)(source),
        }
    }

    /// The kind of error, from a closed set: a label of metrics.
    /// One of [`WORDS`].
    pub(super) fn word(&self) -> &'static str {
        match self {
            ReconcileError::Api { source, .. } => match source.as_ref() {
                kube::Error::Api(status) if status.is_conflict() => "conflict",
                kube::Error::Api(status) if status.is_forbidden() => "forbidden",
                kube::Error::Api(status) if status.code == 404 => "not_found",
                kube::Error::Api(status) if status.is_invalid() => "invalid",
                kube::Error::Api(_) => "api",
                _ => "transport",
            },
            ReconcileError::Deleted { .. } => "conflict",
            ReconcileError::NotOurs { .. } => "not_ours",
            ReconcileError::OfFormer { .. } => "of_former",
            ReconcileError::UnknownKind { .. } => "unknown_kind",
            ReconcileError::Immutable { .. } => "immutable",
            ReconcileError::Told(error) => error.word(),
            ReconcileError::Generate(_) => "random",
            ReconcileError::TimedOut(_) => "timeout",
            ReconcileError::Panicked(_) => "panic",
        }
    }

    /// The reason of the condition that says so.
    pub(super) fn reason(&self) -> &'static str {
        match self.word() {
            "conflict" => "Conflict",
            "forbidden" => "Forbidden",
            "not_found" => "NotFound",
            "invalid" => "Refused",
            "not_ours" => "NotOurs",
            "of_former" => "FormerNotGone",
            "unknown_kind" => "KindUnknown",
            "immutable" => "SecretImmutable",
            "random" => "NoRandomness",
            "timeout" => "TimedOut",
            "panic" => "Panicked",
            _ => "ApiServerFailed",
        }
    }

    /// What it is and what to do about it, for people.
    pub(super) fn told(&self) -> String {
        let advice = match self.word() {
            "forbidden" => {
                "the operator's account lacks that right: bind the roles of config/operator/rbac.yaml to it again, or \
                 upgrade the release with `rbac.create=true`"
            }
            "immutable" => {
                "delete it: Fanfare makes another one with new credentials at once, and the former ones end"
            }
            "invalid" => {
                "the API server or an admission policy of the cluster refuses it; change what it names"
            }
            "panic" => "report it with the operator's log; other objects are not concerned",
            "not_ours" | "unknown_kind" => "it is looked at again by itself",
            _ => "it is tried again by itself; look at the API server if it stays",
        };
        format!("{self}; {advice}")
    }

    /// Whether the API server answered at all.
    pub(super) fn is_answered(&self) -> bool {
        !matches!(self.word(), "transport" | "timeout")
    }

    /// Whether a condition of the object says it already.
    pub(super) fn is_told(&self) -> bool {
        matches!(self, ReconcileError::Told(_))
    }

    /// Whether somebody else wrote in between: worth an immediate second look, not worth a word.
    pub(super) fn is_conflict(&self) -> bool {
        self.word() == "conflict"
    }

    /// Whether an object is in the way that is not to be touched: a condition says so, and its end is waited for.
    pub(super) fn is_in_the_way(&self) -> bool {
        matches!(self, ReconcileError::NotOurs { .. } | ReconcileError::OfFormer { .. })
    }
}

/// Whether an answer is about the object of this name, and not about its namespace.
fn names(status: &kube::core::Status, name: &str) -> bool {
    status.details.as_ref().is_some_and(|details| details.name == name && details.kind != "namespaces")
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn what_went_wrong_is_told_in_words_with_a_remedy() {
        let refused = Status::failure("secrets \"storm-trigger\" is forbidden", "Forbidden").with_code(403);
        let error = ReconcileError::api("get Secret storm-trigger")(kube::Error::Api(Box::new(refused)));
        assert_eq!((error.word(), error.reason()), ("forbidden", "Forbidden"));
        let told = error.told();
        assert!(
            told.starts_with("get Secret storm-trigger: secrets \"storm-trigger\" is forbidden; "),
            "{told}"
        );
        assert!(told.contains("config/operator/rbac.yaml") && !told.contains("Status"), "{told}");
        let immutable = ReconcileError::Immutable { name: "storm-trigger".into() };
        assert!(immutable.told().contains("delete it"), "{}", immutable.told());
        let told = ReconcileError::Told(Box::new(immutable));
        assert_eq!((told.word(), told.is_told()), ("immutable", true));
    }

    #[test]
    fn an_object_that_was_deleted_before_it_was_written_is_a_conflict_and_a_missing_namespace_is_not() {
        let missing = |kind: &str, name: &str| {
            let details = kube::core::response::StatusDetails {
                name: name.to_owned(),
                kind: kind.to_owned(),
                group: String::new(),
                uid: String::new(),
                causes: Vec::new(),
                retry_after_seconds: 0,
            };
            let status = Status::failure("not found", "NotFound").with_code(404).with_details(details);
            ReconcileError::write("apply RoleBinding main".to_owned(), "main")(kube::Error::Api(Box::new(
                status,
            )))
        };
        assert!(missing("rolebindings", "main").is_conflict());
        assert_eq!(missing("namespaces", "main").word(), "not_found");
        assert_eq!(missing("namespaces", "shop").word(), "not_found");
    }
}

//! The id in a path. One that cannot be read is answered as every other problem of the API is.
//!
//! U+0000 is in no id: it is refused wherever something is kept, and PostgreSQL takes none to look for.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::problem::ApiProblem;

/// The `{id}` of a path, with its percent signs resolved.
pub(super) struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiProblem> {
        let read = Path::<String>::from_request_parts(parts, state).await;
        let Path(id) = read.map_err(|error| ApiProblem::bad_request(error.body_text()))?;
        kept(&id).map(|()| Id(id))
    }
}

/// The `{kind}` and `{name}` of a path, with their percent signs resolved.
pub(super) struct KindAndName(pub String, pub String);

impl<S: Send + Sync> FromRequestParts<S> for KindAndName {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiProblem> {
        let read = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((kind, name)) = read.map_err(|error| ApiProblem::bad_request(error.body_text()))?;
        Ok(KindAndName(kind, name))
    }
}

/// That something may be kept under this name.
///
/// # Errors
/// Nothing is, on any database.
pub(super) fn kept(name: &str) -> Result<(), ApiProblem> {
    match name.contains('\0') {
        true => Err(ApiProblem::not_found(format!("there is nothing named {name:?}: no name holds U+0000"))),
        false => Ok(()),
    }
}

//! The id in a path. One that cannot be read is answered as every other problem of the API is.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::problem::ApiProblem;

/// The `{id}` of a path, with its percent signs resolved.
pub(super) struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiProblem> {
        let read = Path::<String>::from_request_parts(parts, state).await;
        read.map(|Path(id)| Id(id)).map_err(|error| ApiProblem::bad_request(error.body_text()))
    }
}

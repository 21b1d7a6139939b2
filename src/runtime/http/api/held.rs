//! Deciding held deliveries: send again, knowing that it may double, or close as it is.
//!
//! Dispatch decides and writes; this calls it for callers with the permission `Control`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::ApiState;
use super::auth::{Control, May};
use super::id::Id;
use super::problem::ApiProblem;
use crate::domain::delivery::DeliveryId;
use crate::problem_details::ProblemBody;
use crate::runtime::engine::run::Control as EngineControl;

/// That a decision was kept.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct HeldDecision {
    /// The delivery's id.
    pub id: String,
}

/// Send a held delivery again. It may reach the customer a second time.
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/resend", tag = "control",
    params(("id" = String, Path, description = "The delivery's id")), responses(
    (status = 202, body = HeldDecision), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 409, body = ProblemBody, description = "It is not held"),
    (status = 503, body = ProblemBody),
))]
pub(super) async fn resend(
    caller: May<Control>,
    State(api): State<ApiState>,
    Id(id): Id,
) -> Result<(StatusCode, Json<HeldDecision>), ApiProblem> {
    let (engine, delivery) = find(&api, &id)?;
    if !engine.resend(delivery).await? {
        return Err(not_held(engine, delivery).await?);
    }
    tracing::info!(delivery = %id, who = %caller.caller.credential, "a held delivery is sent again");
    Ok((StatusCode::ACCEPTED, Json(HeldDecision { id })))
}

/// Close a held delivery: nobody will try again.
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/close", tag = "control",
    params(("id" = String, Path, description = "The delivery's id")), responses(
    (status = 202, body = HeldDecision), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 409, body = ProblemBody, description = "It is not held"),
    (status = 503, body = ProblemBody),
))]
pub(super) async fn close(
    caller: May<Control>,
    State(api): State<ApiState>,
    Id(id): Id,
) -> Result<(StatusCode, Json<HeldDecision>), ApiProblem> {
    let (engine, delivery) = find(&api, &id)?;
    if !engine.close(delivery).await? {
        return Err(not_held(engine, delivery).await?);
    }
    tracing::info!(delivery = %id, who = %caller.caller.credential, "a held delivery is closed");
    Ok((StatusCode::ACCEPTED, Json(HeldDecision { id })))
}

fn find<'a>(api: &'a ApiState, id: &str) -> Result<(&'a EngineControl, DeliveryId), ApiProblem> {
    let delivery = DeliveryId::parse(id);
    let delivery = delivery.ok_or_else(|| ApiProblem::not_found(format!("there is no delivery {id:?}")))?;
    let engine = api.control.as_ref();
    let engine = engine.ok_or_else(|| ApiProblem::unavailable("held deliveries cannot be decided here"))?;
    Ok((engine, delivery))
}

/// Why nothing was decided: it is not there, or it does not wait.
async fn not_held(engine: &EngineControl, id: DeliveryId) -> Result<ApiProblem, ApiProblem> {
    if !engine.knows(id).await? {
        return Ok(ApiProblem::not_found(format!("there is no delivery {:?}", id.to_string())));
    }
    let id = id.to_string();
    Ok(ApiProblem::conflict(format!("the delivery {id:?} is not held; only a held one waits for a decision")))
}

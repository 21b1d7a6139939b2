//! The API behind the shell's commands: the trigger log, customers in and out, and decisions about held deliveries.
//!
//! Every handler's signature says which permission it needs; a caller without it never reaches the handler.

mod answers;
mod auth;
mod body;
mod calls;
mod customers;
mod deliveries;
mod held;
mod id;
mod openapi;
mod pauses;
mod probes;
mod problem;
mod view;

pub use auth::{Control, May, ReadCustomers, ReadLog, Track};
pub(super) use probes::numbers;
pub(in crate::runtime) use probes::store_answers;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use super::app::App;
use crate::runtime::engine::run::Control as EngineControl;
use crate::store::run_log::RunLog;
use problem::ApiProblem;

/// The largest batch of customers or events.
const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What the handlers work on.
#[derive(Clone)]
struct ApiState {
    app: Arc<App>,
    log: Arc<dyn RunLog>,
    control: Option<EngineControl>,
}

/// All routes but the triggers' endpoints. Without `control`, held deliveries can be seen but not decided.
pub fn routes(app: Arc<App>, log: Arc<dyn RunLog>, control: Option<EngineControl>) -> Router {
    Router::new()
        .route("/api/v1/calls", get(calls::list))
        .route("/api/v1/calls/{id}", get(calls::detail))
        .route("/api/v1/calls/{id}/deliveries", get(deliveries::of_call))
        .route("/api/v1/deliveries", get(deliveries::list))
        .route("/api/v1/customers/{id}", get(customers::detail))
        .route_layer(axum::middleware::from_fn(answers::within_room))
        .route("/api/v1/deliveries/{id}/resend", post(held::resend))
        .route("/api/v1/deliveries/{id}/close", post(held::close))
        .merge(pauses::routes())
        .route("/api/v1/customers", post(customers::post_customers))
        .route("/api/v1/events", post(customers::post_events))
        .route("/api/openapi.json", get(openapi::document))
        .route("/livez", get(probes::alive))
        .route("/readyz", get(probes::ready))
        .route("/metrics", get(probes::metrics))
        .fallback(async || {
            ApiProblem::not_found("there is nothing here; /api/openapi.json lists what there is")
        })
        .method_not_allowed_fallback(async || ApiProblem::method_not_allowed())
        .layer(DefaultBodyLimit::max(BATCH_BYTES_MAX))
        .with_state(ApiState { app, log, control })
}

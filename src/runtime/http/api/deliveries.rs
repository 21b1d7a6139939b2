//! Deliveries: of a call, or all in a state, with the names that their rows do not hold.

use std::collections::HashMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::ApiState;
use super::answers::Turn;
use super::auth::{May, ReadLog};
use super::calls::{limit, no_such_call};
use super::id::Id;
use super::problem::ApiProblem;
use super::view::{DeliveryPage, DeliveryView, delivery_states};
use crate::compile::Sources;
use crate::domain::customer::{CustomerKey, EventNeeds};
use crate::domain::delivery::DeliveryId;
use crate::domain::name::{CallId, VersionId};
use crate::domain::state::DeliveryState;
use crate::problem_details::ProblemBody;
use crate::store::StoreError;
use crate::store::run_log::{DeliveryFilter, DeliveryRecord};

/// Which deliveries are asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeliveryQuery {
    /// In this state only.
    #[param(schema_with = delivery_states)]
    state: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most: 1 to 1000.
    limit: Option<u32>,
    /// A public token, where no header can be set; read by the authentication.
    #[serde(rename = "access_token")]
    _access_token: Option<String>,
}

type Asked = Result<Query<DeliveryQuery>, QueryRejection>;

/// Deliveries of all calls in one state; `held` unless another is asked for: they wait for `resend` or `close`.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "log", params(DeliveryQuery), responses(
    (status = 200, body = DeliveryPage), (status = 400, body = ProblemBody),
    (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 503, body = ProblemBody),
))]
pub(super) async fn list(
    _caller: May<ReadLog>,
    _turn: Turn,
    State(api): State<ApiState>,
    query: Asked,
) -> Result<Json<DeliveryPage>, ApiProblem> {
    let Query(query) = query.map_err(|error| ApiProblem::bad_request(error.body_text()))?;
    let filter = filter(query)?;
    let limit = filter.limit;
    page(&api, api.log.deliveries(filter).await?, limit).await
}

/// The deliveries of one call.
#[utoipa::path(get, path = "/api/v1/calls/{id}/deliveries", tag = "log",
    params(("id" = String, Path, description = "The call's id"), DeliveryQuery), responses(
    (status = 200, body = DeliveryPage), (status = 400, body = ProblemBody),
    (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
    (status = 503, body = ProblemBody),
))]
pub(super) async fn of_call(
    _caller: May<ReadLog>,
    _turn: Turn,
    State(api): State<ApiState>,
    Id(id): Id,
    query: Asked,
) -> Result<Json<DeliveryPage>, ApiProblem> {
    let Query(query) = query.map_err(|error| ApiProblem::bad_request(error.body_text()))?;
    let (call, filter) = (CallId::new(id.as_str()), filter(query)?);
    if api.app.calls.get(&call).await?.is_none() {
        return Err(no_such_call(&api, &id));
    }
    let limit = filter.limit;
    page(&api, api.log.deliveries_of_call(&call, filter).await?, limit).await
}

async fn page(
    api: &ApiState,
    records: Vec<DeliveryRecord>,
    limit: u32,
) -> Result<Json<DeliveryPage>, ApiProblem> {
    let last = records.last().map(|last| last.delivery.id.to_string());
    let next = last.filter(|_| records.len() == limit as usize);
    let registered = registered(api, &records).await?;
    let nodes = node_names(api, &records).await?;
    let view = |record: DeliveryRecord| {
        let id = record.delivery.id;
        let node = nodes.get(&record.version).and_then(|sources| {
            let scenario = sources.scenarios.get(record.scenario.as_str())?;
            Some(scenario.nodes.get(usize::from(id.node.0))?.name.clone())
        });
        let customer = registered.get(&id.customer).cloned();
        DeliveryView::new(record, node, customer)
    };
    Ok(Json(DeliveryPage { items: records.into_iter().map(view).collect(), next }))
}

fn filter(query: DeliveryQuery) -> Result<DeliveryFilter, ApiProblem> {
    let state = query.state.map(|word| {
        let words = DeliveryState::ALL.iter().map(|state| state.word()).collect::<Vec<_>>().join(", ");
        DeliveryState::from_word(&word)
            .ok_or_else(|| ApiProblem::bad_request(format!("state must be one of {words}, not {word:?}")))
    });
    let after = query.after.map(|after| {
        DeliveryId::parse(&after).ok_or_else(|| ApiProblem::bad_request("after must be `next` of a page"))
    });
    Ok(DeliveryFilter { state: state.transpose()?, after: after.transpose()?, limit: limit(query.limit)? })
}

/// The customers' ids as a CRM knows them; one that was removed meanwhile has none.
async fn registered(
    api: &ApiState,
    records: &[DeliveryRecord],
) -> Result<HashMap<CustomerKey, String>, StoreError> {
    let mut keys: Vec<CustomerKey> = records.iter().map(|record| record.delivery.id.customer).collect();
    keys.sort_unstable();
    keys.dedup();
    let customers = api.app.customers.load(&keys, &EventNeeds::default()).await?;
    Ok(customers.iter().map(|customer| (customer.key, customer.registered().to_owned())).collect())
}

/// What the versions of these deliveries declare: a node's name is the version's that its run goes by.
async fn node_names(
    api: &ApiState,
    records: &[DeliveryRecord],
) -> Result<HashMap<VersionId, Sources>, StoreError> {
    let mut known = HashMap::new();
    for version in records.iter().map(|record| &record.version) {
        if known.contains_key(version) {
            continue;
        }
        let content = api.app.calls.get_version(version).await?;
        let sources = content.and_then(|content| serde_json::from_str::<Sources>(&content).ok());
        known.insert(version.clone(), sources.unwrap_or_default());
    }
    Ok(known)
}

//! The trigger log: a page of calls, or one with everything that came of it.

use std::ops::Range;

use axum::Json;
use axum::extract::{Query, State};
use jiff::Timestamp;
use serde::Deserialize;

use super::ApiState;
use super::answers::Turn;
use super::auth::{May, MayReadOwn, ReadLog};
use super::id::{Id, kept};
use super::problem::ApiProblem;
use super::view::{CallPage, CallView, CountedView, Reader, call_states};
use crate::domain::duration::duration_in_text;
use crate::domain::hindrance::Hindrance;
use crate::domain::name::{CallId, TriggerName};
use crate::domain::pause::Pause;
use crate::domain::state::CallState;
use crate::problem_details::ProblemBody;
use crate::store::calls::{CallFilter, PAGE_PARAMS_BYTES_MAX, params_bytes};
use crate::store::run_log::RunRecord;

/// How many calls a page holds unless it is told.
const PAGE: u32 = 50;
/// How many it holds at most with their params, which may have 10 MiB each; it ends sooner once these have 4 MiB.
const PAGE_WITH_PARAMS_MAX: u32 = 20;
/// How many it holds at most.
pub(super) const PAGE_MAX: u32 = 1_000;

/// Which calls are asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CallQuery {
    /// Of this trigger only.
    trigger: Option<String>,
    /// In this status only. `failed`, `cancelled` and `expired` also find calls of which only a run came to that.
    #[param(schema_with = call_states)]
    status: Option<String>,
    /// Of this request only: the id that a call with `forEach` was answered.
    request: Option<String>,
    /// Received then or later, RFC 3339.
    #[param(value_type = Option<String>)]
    since: Option<Timestamp>,
    /// Received before, RFC 3339.
    #[param(value_type = Option<String>)]
    until: Option<Timestamp>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most: 1 to 1000; with `params` 1 to 20.
    limit: Option<u32>,
    /// Whether each call comes with its params. Without this they are left out. They may be large: the page then ends
    /// with the call by which they have 4 MiB, and `next` says where to go on.
    params: Option<bool>,
    /// A public token, where no header can be set; read by the authentication.
    #[serde(rename = "access_token")]
    _access_token: Option<String>,
}

/// The trigger log, newest first.
#[utoipa::path(get, path = "/api/v1/calls", tag = "log", params(CallQuery), responses(
    (status = 200, body = CallPage),
    (status = 400, body = ProblemBody, description = "A filter is wrong"),
    (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 503, body = ProblemBody),
))]
pub(super) async fn list(
    _caller: May<ReadLog>,
    _turn: Turn,
    State(api): State<ApiState>,
    query: Result<Query<CallQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<CallPage>, ApiProblem> {
    let Query(query) = query.map_err(|error| ApiProblem::bad_request(error.body_text()))?;
    let matches_nothing =
        [&query.trigger, &query.request].into_iter().flatten().any(|name| kept(name).is_err());
    let filter = filter(query)?;
    if matches_nothing {
        return Ok(Json(CallPage { items: Vec::new(), next: None, counted: Vec::new() }));
    }
    let (limit, with_params) = (filter.limit as usize, !filter.without_params);
    let counts = counts_of(&filter);
    let records = api.app.calls.list(filter).await?;
    // A page with params may end early.
    let goes_on = records.len() == limit || params_bytes(&records) >= PAGE_PARAMS_BYTES_MAX;
    let counted = match counts {
        Some((trigger, minutes)) => {
            // What is further back belongs to later pages.
            let oldest = records.last().filter(|_| goes_on).map(|call| minute(call.received_at));
            let minutes = oldest.map_or(minutes.start, |oldest| oldest.max(minutes.start))..minutes.end;
            api.app.calls.counted_refusals(trigger, minutes).await?
        }
        None => Vec::new(),
    };
    let counted = counted.into_iter().map(CountedView::from).collect();
    let next = goes_on.then(|| records.last().map(|call| call.id.to_string())).flatten();
    let mut items = Vec::with_capacity(records.len());
    let mut pauses = None;
    for call in records {
        let runs = match call.state {
            CallState::Refused | CallState::Accepted => Vec::new(),
            _ => held_up(&api, &call.id, &mut pauses).await?,
        };
        let mut view = CallView::new(call, runs, Reader::Log);
        view.params = view.params.filter(|_| with_params);
        items.push(view);
    }
    Ok(Json(CallPage { items, next, counted }))
}

/// The runs of a call, each with what holds it up. What is paused is read once, and only if a run is under way.
async fn held_up(
    api: &ApiState,
    call: &CallId,
    pauses: &mut Option<Vec<Pause>>,
) -> Result<Vec<(RunRecord, Vec<Hindrance>)>, ApiProblem> {
    let mut runs = Vec::new();
    for run in api.log.runs_of_call(call).await? {
        let is_under_way = run.finished_at.is_none();
        let hindrances = match api.control.as_ref().filter(|_| is_under_way) {
            Some(control) => {
                let pauses = match pauses {
                    Some(pauses) => pauses,
                    None => pauses.insert(control.pauses().await?),
                };
                control.hindrances(call, &run, pauses)
            }
            None => Vec::new(),
        };
        runs.push((run, hindrances));
    }
    Ok(runs)
}

/// Whose counted refusals belong to a page, and of which minutes; none where the page is not the first, or of calls that were
/// not refused.
fn counts_of(filter: &CallFilter) -> Option<(Option<TriggerName>, Range<i64>)> {
    let is_of_refused = filter.state.is_none_or(|state| state == CallState::Refused);
    if !is_of_refused || filter.before.is_some() || filter.request.is_some() {
        return None;
    }
    let since = filter.since.map_or(i64::MIN, minute);
    let until = filter.until.map_or(i64::MAX, |until| minute(until) + 1);
    Some((filter.trigger.clone(), since..until))
}

fn minute(time: Timestamp) -> i64 {
    time.as_second().div_euclid(60)
}

fn filter(query: CallQuery) -> Result<CallFilter, ApiProblem> {
    let state = query.status.map(|word| {
        let words = CallState::ALL.iter().map(|state| state.word()).collect::<Vec<_>>().join(", ");
        CallState::from_word(&word)
            .ok_or_else(|| ApiProblem::bad_request(format!("status must be one of {words}, not {word:?}")))
    });
    let with_params = query.params.unwrap_or(false);
    if query.after.as_deref().is_some_and(|after| kept(after).is_err()) {
        return Err(ApiProblem::bad_request("after must be `next` of a page"));
    }
    Ok(CallFilter {
        trigger: query.trigger.map(TriggerName::new),
        state: state.transpose()?,
        request: query.request.map(CallId::new),
        since: query.since,
        until: query.until,
        before: query.after.map(CallId::new),
        limit: if with_params {
            limit_within(query.limit, PAGE_WITH_PARAMS_MAX)?
        } else {
            limit(query.limit)?
        },
        without_params: !with_params,
    })
}

/// Reads a page's size.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, ApiProblem> {
    limit_within(asked, PAGE_MAX)
}

fn limit_within(asked: Option<u32>, most: u32) -> Result<u32, ApiProblem> {
    match asked.unwrap_or(PAGE.min(most)) {
        limit if (1..=most).contains(&limit) => Ok(limit),
        _ => Err(ApiProblem::bad_request(format!("limit must be from 1 to {most}"))),
    }
}

/// One call, its runs and what did not fire. Besides keys with `ReadLog`, the credentials that made the call may ask.
#[utoipa::path(get, path = "/api/v1/calls/{id}", tag = "log", params(("id" = String, Path, description = "The call's id")), responses(
    (status = 200, body = CallView),
    (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
    (status = 503, body = ProblemBody),
))]
pub(super) async fn detail(
    caller: MayReadOwn,
    _turn: Turn,
    State(api): State<ApiState>,
    Id(id): Id,
) -> Result<Json<CallView>, ApiProblem> {
    let call = api.app.calls.get(&CallId::new(id.as_str())).await?;
    caller.check(&api, call.as_ref())?;
    let call = call.ok_or_else(|| no_such_call(&api, &id))?;
    let runs = held_up(&api, &call.id, &mut None).await?;
    Ok(Json(CallView::new(call, runs, caller.reader())))
}

/// That a call is not in the log, and that it may have been.
pub(super) fn no_such_call(api: &ApiState, id: &str) -> ApiProblem {
    let kept = api.app.snapshot.load().retention.calls;
    let removed = kept.map(|kept| {
        format!("; calls are kept for {}, so it may have been removed since", duration_in_text(kept))
    });
    ApiProblem::not_found(format!("there is no call {id:?} in the log{}", removed.unwrap_or_default()))
}

//! Calls, runs and deliveries as the API shows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::domain::state::DeliveryState;
use crate::store::calls::{CallRecord, RefusalCount};
use crate::store::run_log::{DeliveryRecord, RunRecord};

/// A page of calls, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CallPage {
    /// The calls.
    pub items: Vec<CallView>,
    /// What to send as `after` for the next page; null at the end.
    pub next: Option<String>,
    /// On the first page, what was refused in its time and is in no list: only counted, because too much came at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub counted: Vec<CountedView>,
}

/// Refusals of one kind that were only counted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CountedView {
    /// The trigger; `(unknown)` for those that do not exist.
    pub trigger: String,
    /// What they were answered.
    pub http_status: u16,
    /// Why.
    pub reason: String,
    /// How many.
    pub refusals: u64,
    /// The last minute in which there were some, RFC 3339.
    #[schema(value_type = String)]
    pub last_minute: Timestamp,
}

impl From<RefusalCount> for CountedView {
    fn from(count: RefusalCount) -> Self {
        let minute = Timestamp::from_second(count.minute.saturating_mul(60));
        CountedView {
            trigger: count.trigger.to_string(),
            http_status: count.http_status,
            reason: count.reason,
            refusals: count.refusals,
            last_minute: minute.unwrap_or(Timestamp::MAX),
        }
    }
}

/// A call.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallView {
    /// Its id.
    pub id: String,
    /// The request it came in, where one request made several calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The trigger that was called.
    pub trigger: String,
    /// When, in RFC 3339.
    #[schema(value_type = String)]
    pub received_at: Timestamp,
    /// After this nothing of it is sent any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub expires_at: Option<Timestamp>,
    /// `accepted`, `running`, `done`, `failed`, `cancelled`, `expired` or `refused`.
    pub status: String,
    /// What its caller was answered.
    pub http_status: u16,
    /// Why it was refused or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who called, by the credential's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The version it came in with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When all its runs were at their end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub finished_at: Option<Timestamp>,
    /// Its declared params; empty for a refused call. A page has them only where they are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub params: Option<Json>,
    /// The scenarios that fired.
    pub runs: Vec<RunView>,
    /// The scenarios that listen to the trigger and did not fire.
    pub not_fired: Vec<NotFired>,
}

/// One scenario that fired for a call.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunView {
    /// The scenario.
    pub scenario: String,
    /// `selecting`, `running`, `done`, `failed` or `cancelled`.
    pub state: String,
    /// How many customers it selected; 0 until they have been read.
    pub audience: u64,
    /// How they were found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
    /// Finished journeys by what came of them.
    pub journeys: BTreeMap<String, u64>,
    /// Deliveries by state; every state is there.
    pub deliveries: BTreeMap<String, u64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it began.
    #[schema(value_type = String)]
    pub started_at: Timestamp,
    /// When it was at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub finished_at: Option<Timestamp>,
}

/// One scenario that listens and did not fire.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NotFired {
    /// The scenario.
    pub scenario: String,
    /// Why.
    pub reason: String,
}

/// A page of deliveries, in the order of their ids.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DeliveryPage {
    /// The deliveries.
    pub items: Vec<DeliveryView>,
    /// What to send as `after` for the next page; null at the end.
    pub next: Option<String>,
}

/// One message to one customer through one channel.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryView {
    /// Its id.
    pub id: String,
    /// The call it came of.
    pub call: String,
    /// The scenario.
    pub scenario: String,
    /// The message's node; its index where the version is no longer kept.
    pub node: String,
    /// The customer's `registered` id; the store's number if the customer is gone.
    pub customer: String,
    /// The channel.
    pub channel: String,
    /// `queued`, `sending`, `retrying`, `sent`, `failed`, `unknown`, `held`, `skipped`, `cancelled` or `expired`.
    pub state: String,
    /// How many attempts were made.
    pub attempts: u32,
    /// Where it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The provider's own id for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// Why it is in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was first tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub first_at: Option<Timestamp>,
    /// When it was last tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub last_at: Option<Timestamp>,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub retry_at: Option<Timestamp>,
    /// When it was at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub done_at: Option<Timestamp>,
    /// How many segments it takes, if it is a text message: each is sent and paid for by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<u8>,
}

impl CallView {
    /// A call with its runs.
    pub fn new(call: CallRecord, runs: Vec<RunRecord>) -> Self {
        let read = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        CallView {
            id: call.id.to_string(),
            request: call.request.map(|id| id.to_string()),
            trigger: call.trigger.to_string(),
            received_at: call.received_at,
            expires_at: call.expires_at,
            status: call.state.word().to_owned(),
            http_status: call.http_status,
            reason: call.reason,
            credential: call.credential,
            version: call.version.map(|version| version.to_string()),
            finished_at: call.finished_at,
            params: Some(read(call.params).unwrap_or_else(|| Json::Object(serde_json::Map::new()))),
            runs: runs.into_iter().map(RunView::from).collect(),
            not_fired: call.not_fired.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        }
    }
}

impl From<RunRecord> for RunView {
    fn from(run: RunRecord) -> Self {
        let mut deliveries: BTreeMap<String, u64> =
            DeliveryState::ALL.iter().map(|state| (state.word().to_owned(), 0)).collect();
        for (state, count) in run.tally.by_state() {
            *deliveries.entry(state.to_owned()).or_default() += count;
        }
        let journeys = serde_json::to_value(run.tally.journeys).ok();
        RunView {
            scenario: run.scenario.to_string(),
            state: run.state.word().to_owned(),
            audience: run.audience.unwrap_or(0),
            access: run.access,
            journeys: journeys.and_then(|counts| serde_json::from_value(counts).ok()).unwrap_or_default(),
            deliveries,
            error: run.error,
            started_at: run.started_at,
            finished_at: run.finished_at,
        }
    }
}

impl DeliveryView {
    /// A delivery with the names that its row does not hold.
    pub fn new(record: DeliveryRecord, node: Option<String>, customer: Option<String>) -> Self {
        let delivery = record.delivery;
        DeliveryView {
            id: delivery.id.to_string(),
            call: record.call.to_string(),
            scenario: record.scenario.to_string(),
            node: node.unwrap_or_else(|| delivery.id.node.0.to_string()),
            customer: customer.unwrap_or_else(|| delivery.id.customer.0.to_string()),
            channel: delivery.channel.to_string(),
            state: delivery.state.word().to_owned(),
            attempts: delivery.attempt,
            address: delivery.address,
            provider_id: delivery.provider_id,
            reason: delivery.reason,
            first_at: delivery.first_at,
            last_at: delivery.last_at,
            retry_at: delivery.retry_at,
            done_at: delivery.done_at,
            segments: delivery.segments,
        }
    }
}

//! Calls, runs and deliveries as the API shows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use crate::domain::hindrance::Hindrance;
use crate::domain::left_out::{LeftOut, left_out};
use crate::domain::state::{CallState, DeliveryState, RunState};
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
    /// What has become of it; `partly` where its runs ended differently.
    #[schema(schema_with = call_states)]
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
    pub params: Option<Box<RawValue>>,
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
    /// What has become of it.
    #[schema(schema_with = run_states)]
    pub state: String,
    /// How many customers it selected; 0 until they have been read.
    pub audience: u64,
    /// How many of them have no delivery yet: they are not decided about, or no channel has taken their message.
    pub waiting: u64,
    /// How many of them wait at a node.
    #[serde(skip_serializing_if = "none")]
    pub at_waits: u64,
    /// When the first of these goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    pub next_wake_at: Option<Timestamp>,
    /// What they wait for, and what messages wait for that have a delivery; as the replica that answers sees it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<String>,
    /// How they were found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
    /// Finished journeys by what came of them.
    pub journeys: BTreeMap<String, u64>,
    /// Deliveries by state; every state is there.
    pub deliveries: BTreeMap<String, u64>,
    /// Whom it left out: each reason for which all, or more than a tenth, of its customers were skipped or failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOutView>,
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

/// Customers who were left out for one reason.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeftOutView {
    /// `skipped` or `failed`.
    pub state: String,
    /// How many.
    pub customers: u64,
    /// Of how many.
    pub of: u64,
    /// Why; where the words differ between customers, those of one of them.
    pub reason: String,
    /// All of it in words.
    pub in_words: String,
}

/// Who reads a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A key that may read the log.
    Log,
    /// The credentials that made the call, and may do no more.
    Caller,
}

impl LeftOutView {
    fn new(left_out: LeftOut, reader: Reader) -> Self {
        let (reason, in_words) = match reader {
            Reader::Log => (left_out.reason.clone(), left_out.in_words()),
            Reader::Caller => (left_out.public_reason(), left_out.in_public_words()),
        };
        let LeftOut { state, customers, of, .. } = left_out;
        LeftOutView { state, customers, of, reason, in_words }
    }
}

/// One scenario that listens and did not fire.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NotFired {
    /// The scenario.
    pub scenario: String,
    /// Why.
    pub reason: String,
    /// So many scenarios more listen and did not fire, as they too require something else of the same param.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
}

/// Whether there are no more.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(more: &usize) -> bool {
    *more == 0
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
    /// What has become of it.
    #[schema(schema_with = delivery_states)]
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

/// The words of a call's states, each with what it means.
pub(super) fn call_states() -> Object {
    words(CallState::ALL.iter().map(|state| (state.word(), state.meaning())))
}

/// The words of a run's states.
pub(super) fn run_states() -> Object {
    words(RunState::ALL.iter().map(|state| (state.word(), state.meaning())))
}

/// The words of a delivery's states.
pub(super) fn delivery_states() -> Object {
    words(DeliveryState::ALL.iter().map(|state| (state.word(), state.meaning())))
}

fn words<'a>(states: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Object {
    let meanings = states.clone().map(|(word, meaning)| format!("`{word}`: {meaning}"));
    let described = meanings.collect::<Vec<_>>().join("; ");
    let values: Vec<&str> = states.map(|(word, _)| word).collect();
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(values))
        .description(Some(described))
        .build()
}

impl CallView {
    /// A call with its runs, each with what holds it up.
    pub fn new(call: CallRecord, runs: Vec<(RunRecord, Vec<Hindrance>)>, reader: Reader) -> Self {
        // They are shown as they are kept; reading them would take ten times their size.
        let params = call.params.and_then(|text| RawValue::from_string(text).ok());
        let none = || RawValue::from_string("{}".to_owned()).expect("an object with nothing in it is JSON");
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
            params: Some(params.unwrap_or_else(none)),
            runs: runs.into_iter().map(|(run, held_up)| RunView::new(run, &held_up, reader)).collect(),
            not_fired: call.not_fired.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        }
    }
}

fn none(count: &u64) -> bool {
    *count == 0
}

impl RunView {
    fn new(run: RunRecord, hindrances: &[Hindrance], reader: Reader) -> Self {
        let mut deliveries: BTreeMap<String, u64> =
            DeliveryState::ALL.iter().map(|state| (state.word().to_owned(), 0)).collect();
        for (state, count) in run.run_counts.by_state() {
            *deliveries.entry(state.to_owned()).or_default() += count;
        }
        let journeys = serde_json::to_value(run.run_counts.journeys).ok();
        let left_out = run.audience.map(|audience| left_out(&run.run_counts, audience)).unwrap_or_default();
        RunView {
            scenario: run.scenario.to_string(),
            state: run.state.word().to_owned(),
            audience: run.audience.unwrap_or(0),
            waiting: run.waiting,
            at_waits: run.at_waits,
            next_wake_at: run.next_wake_at,
            waits_for: hindrances.iter().map(|it| it.in_words(reader == Reader::Log)).collect(),
            access: run.access,
            journeys: journeys.and_then(|counts| serde_json::from_value(counts).ok()).unwrap_or_default(),
            deliveries,
            left_out: left_out.into_iter().map(|it| LeftOutView::new(it, reader)).collect(),
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

//! What the run engine needs to know of configuration: which scenarios fire, and what each does to a customer.
//!
//! The compiled snapshot implements these; the engine decides nothing that a scenario decides.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::content::Content;
use crate::domain::customer::{Customer, EventNeeds};
use crate::domain::flow::FlowStep;
use crate::domain::name::{ChannelName, NodeIndex, ScenarioName, VersionId};
use crate::domain::permit::Consent;
use crate::domain::selection::Selection;
use crate::store::StoreError;
use crate::store::calls::AcceptedCall;
use crate::store::runs::Matched;

/// One scenario bound to one call.
pub trait BoundScenario: Send + Sync {
    /// A superset of the audience, as the store can find it.
    fn selection(&self) -> &Selection;

    /// Whether the selection is exactly the audience, so that candidates need no second check.
    fn selection_is_exact(&self) -> bool;

    /// Which events must be loaded with a candidate.
    fn audience_needs(&self) -> &EventNeeds;

    /// Which events must be loaded with a customer on its way.
    fn flow_needs(&self) -> &EventNeeds;

    /// Whether the customer belongs to the audience.
    fn selects(&self, customer: &Customer) -> bool;

    /// The channels its messages leave by.
    fn channels(&self) -> &[ChannelName];

    /// Where the customer's way from this node on, itself included, stops first: at a message, at a wait, or at its end.
    fn next_stop(&self, customer: &Customer, from: NodeIndex, moment: Moment) -> FlowStep;

    /// Whether a journey may wait on its way.
    fn waits(&self) -> bool {
        false
    }

    /// Where a journey goes on behind a node that it stopped at; `None` if it ends there.
    fn after(&self, node: NodeIndex) -> Option<NodeIndex>;

    /// The channel of a message node.
    fn channel(&self, node: NodeIndex) -> Option<&ChannelName>;

    /// The category of consent that a message node needs; `None` if it needs none.
    fn consent_category(&self, _node: NodeIndex) -> Option<&str> {
        None
    }

    /// The consent that a message node needs of the customer; `None` if it needs none.
    fn consent(&self, _node: NodeIndex, _customer: &Customer) -> Option<Consent<'_>> {
        None
    }

    /// The message a node has for the customer; or why there is none for this one. `now` is what conditions and texts call
    /// so.
    fn compose(
        &self,
        customer: &Arc<Customer>,
        node: NodeIndex,
        now: Timestamp,
    ) -> Result<ComposedMessage, String>;
}

/// The times by which a journey is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// `now` in conditions: when the call came in, or the journey was woken.
    pub now: Timestamp,
    /// When it is decided: waits count from here.
    pub decided_at: Timestamp,
}

/// A message that is ready to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposedMessage {
    /// Names the delivery for ever.
    pub key: Arc<str>,
    /// Where it goes.
    pub address: String,
    /// What it says.
    pub content: Content,
}

/// One version in force, compiled.
pub trait Version: Send + Sync {
    /// Which scenarios fire for the call, and why the others that listen do not.
    fn match_call(&self, call: &AcceptedCall) -> Matched;

    /// Binds a scenario to the call; `None` if this version has none of that name.
    fn bind(&self, call: &AcceptedCall, scenario: &ScenarioName) -> Option<Arc<dyn BoundScenario>>;

    /// Whether the scenario sends by the channel.
    fn sends_by(&self, scenario: &ScenarioName, channel: &ChannelName) -> bool;
}

/// Where versions are found, those of earlier calls too.
#[async_trait]
pub trait VersionSource: Send + Sync {
    /// The version, compiled.
    async fn get(&self, version: &VersionId) -> Result<Arc<dyn Version>, VersionError>;

    /// The version in force.
    fn in_force(&self) -> VersionId;

    /// Whether a run of the scenario that began on another version may have to be cancelled; answered without that version.
    fn may_stop(&self, scenario: &ScenarioName) -> bool;

    /// Whether a run of the scenario, begun on this version, is to be cancelled: the scenario has been made
    /// inactive, changed or deleted, and says `onStop: Cancel`.
    fn stops(&self, version: &VersionId, scenario: &ScenarioName) -> bool;
}

/// Why a version cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is not in the store, or does not compile with this Fanfare.
    #[error("the version {version} cannot be run: {reason}")]
    Unusable {
        /// The version.
        version: VersionId,
        /// Why.
        reason: String,
    },
}

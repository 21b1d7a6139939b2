//! What the run engine needs to know of configuration: which scenarios fire, and what each does to a customer.
//!
//! The compiled snapshot implements these; the engine decides nothing that a scenario decides.

use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::content::Content;
use crate::domain::customer::{Customer, EventNeeds};
use crate::domain::name::{ChannelName, NodeIndex, ScenarioName, VersionId};
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

    /// The first message node on the customer's way from this node on, itself included; `None` if the way ends
    /// without one.
    fn next_message(&self, customer: &Customer, from: NodeIndex) -> Option<NodeIndex>;

    /// Where a journey goes on behind a message node; `None` if it ends there.
    fn after(&self, node: NodeIndex) -> Option<NodeIndex>;

    /// The channel of a message node.
    fn channel(&self, node: NodeIndex) -> Option<&ChannelName>;

    /// The category of consent that a message node needs; `None` if it needs none.
    fn consent(&self, _node: NodeIndex) -> Option<&str> {
        None
    }

    /// The message a node has for the customer; or why there is none for this one.
    fn compose(&self, customer: &Arc<Customer>, node: NodeIndex) -> Result<ComposedMessage, String>;
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
}

/// Where versions are found, those of earlier calls too.
#[async_trait]
pub trait VersionSource: Send + Sync {
    /// The version, compiled.
    async fn get(&self, version: &VersionId) -> Result<Arc<dyn Version>, VersionError>;

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

//! The five kinds as plain data, their schemas and their CEL rules: what a person writes in a manifest.
//!
//! Invariant: no behaviour lives here; `compile` turns these into something that can run.
//!
//! The doc comments of the kinds are written for the people who write manifests: they become the descriptions
//! in the CustomResourceDefinitions (`kubectl explain`) and the field reference in `docs/reference`.

// `printcolumn` repeats its keys for each column, which clippy takes for a mistake.
#![allow(clippy::duplicated_attributes)]

pub mod api_key;
pub mod api_trigger;
pub mod channel;
pub mod content;
pub mod credentials;
pub mod definitions;
pub mod duration;
pub mod labels;
pub mod parameter;
pub mod references;
pub mod runtime;
pub mod runtime_policies;
pub mod scenario;
pub mod status;

pub use api_key::{ApiKey, ApiKeySpec, ApiKeyStatus, KeyType, Origin, Permission, TrackName, TrackRules};
pub use api_trigger::{
    ApiTrigger, ApiTriggerSpec, ApiTriggerStatus, Deduplicate, Expires, RateWindow, UnknownFields,
};
pub use channel::{
    AuthorizationRef, AuthorizationScheme, Channel, ChannelSpec, ChannelStatus, LearnedOfProvider,
    LogChannel, MailHeader, OnUnknown, Rate, Retry, Smtp, SmtpTls, Twilio, Webhook, WebhookHeader,
};
pub use content::{EmailContent, LogContent, SmsContent, WebhookContent};
pub use credentials::{ApiKeys, BasicAuth, Rotation, StillInUse, TriggerAuth};
pub use definitions::definitions;
pub use duration::DurationText;
pub use parameter::{Parameter, ParameterType};
pub use references::{ConfigMapKeyRef, ConfigMapKeySource, LocalRef, SecretKeyRef, SecretKeySource};
pub use runtime::{
    Autoscaling, Exposure, IngressExposure, ParentRef, RouteExposure, Runtime, RuntimeSpec, RuntimeStatus,
    SmsAddresses, VolumeDeletion,
};
pub use runtime_policies::{ConsentAssumption, ConsentDefault};
pub use scenario::{
    Audience, ConditionNode, Everyone, MessageNode, Node, OnStop, Scenario, ScenarioSpec, ScenarioStatus,
    State, TimeOfDay, TriggerEntry, WaitNode,
};
pub use status::{ObservedObject, SecretRevision};

/// The API group of all kinds.
pub const GROUP: &str = "fanfare.dev";
/// The version of all kinds.
pub const VERSION: &str = "v1alpha1";
/// What a manifest of these kinds says as its `apiVersion`.
pub const API_VERSION: &str = "fanfare.dev/v1alpha1";

//! Names and numbers that must not be mixed up: what a call, a run, a node or a version is known by.
//!
//! What is stored is keyed by names, never by a cluster's UIDs.

use std::fmt;
use std::sync::Arc;

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the text as it is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                $name(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        /// Maps keyed by the name are asked with a plain text.
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Arc::<str>::deserialize(deserializer).map($name)
            }
        }
    };
}

text_name! {
    /// A call's id: a UUID of version 7, so that ids sort by time.
    CallId
}
text_name! {
    /// The digest of everything in force at one time: sources of triggers, scenarios, channels and texts.
    VersionId
}
text_name! {
    /// A trigger's name within its namespace.
    TriggerName
}
text_name! {
    /// A scenario's name within its namespace.
    ScenarioName
}
text_name! {
    /// A channel's name within its namespace.
    ChannelName
}

/// The store's number of a run: one scenario executing for one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub i64);

/// A node's place in its scenario's list, in the version the run began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeIndex(pub u16);

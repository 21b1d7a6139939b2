//! How a length of time is written in a manifest. `domain` gives it its meaning.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A length of time: whole numbers with a unit, largest first: `90s`, `1h30m`, `365d`. The units are `ms`, `s`,
/// `m`, `h` and `d` (24 hours).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct DurationText(
    #[schemars(
        length(min = 2, max = 32),
        regex(pattern = r"^([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?([0-9]{1,9}ms)?$")
    )]
    pub String,
);

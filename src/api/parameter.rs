//! One declared parameter of a trigger.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One value that a call brings along; scenarios read it as `params.<name>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = ("!has(self.pattern) || self.type == 'string'", "pattern is for type: string"),
    validation = ("!(has(self.minimum) || has(self.maximum)) || self.type in ['number', 'integer']", "minimum and maximum are for type: number and integer"),
    validation = ("!(has(self.minimum) && has(self.maximum)) || self.minimum <= self.maximum", "minimum must not exceed maximum")
)]
pub struct Parameter {
    /// The parameter's name. Hyphens are allowed: `{{ params.name-of-the-parameter }}` works.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z_]([A-Za-z0-9_-]*[A-Za-z0-9_])?$"))]
    pub name: String,
    /// The type of the value. A call with another type is refused with 422.
    pub r#type: ParameterType,
    /// Whether a call without this parameter is refused; `true` if left out. A parameter with a `default` is never missing.
    #[serde(default = "yes")]
    pub required: bool,
    /// The value when the call brings none. It must be of the parameter's type; quote a text that YAML reads as
    /// something else (`"NO"`, `"01234"`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_value")]
    pub default: Option<Value>,
    /// The values that are allowed, each of the parameter's type; for a list, what its elements may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_values")]
    pub r#enum: Option<Vec<Value>>,
    /// A regular expression that a text must match somewhere; anchor it with `^` and `$`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub pattern: Option<String>,
    /// The smallest number allowed. Compared by exact value with what the call brings, decimals included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_number")]
    pub minimum: Option<serde_json::Number>,
    /// The largest number allowed. Compared by exact value with what the call brings, decimals included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_number")]
    pub maximum: Option<serde_json::Number>,
    /// A value to show in the example payload. It must be of the parameter's type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_value")]
    pub example: Option<Value>,
    /// Where the value comes from: an expression over `body`, `headers` and `query`, such as
    /// `body.properties.event | lower`; with `forEach` also `item`. Left out, it is the field of the same name: of the
    /// body, or with `forEach` of the element.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub from: Option<String>,
}

/// The types of parameters, in JSON Schema's words where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ParameterType {
    /// A text.
    String,
    /// A number with or without decimals.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// A point in time: RFC 3339 with an offset, a date, or Unix seconds or milliseconds, as a text or a number.
    Timestamp,
    /// A list of values.
    List,
    /// An object of names and values.
    Object,
}

fn yes() -> bool {
    true
}

fn any_value(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
}

fn any_values(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array", "minItems": 1, "maxItems": 1000,
        "x-kubernetes-list-type": "atomic",
        "items": { "x-kubernetes-preserve-unknown-fields": true }
    })
}

fn any_number(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "number" })
}

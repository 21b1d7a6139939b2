//! The one language of conditions and values: Jinja's syntax, compiled to a small tree of our own that decides
//! true, false or unknown.
//!
//! Here `customer.age < 18` is unknown for a customer without an age; in Jinja itself it is true. Reading order:
//! `scope` (names), `parse` (Jinja's syntax to `tree`), `evaluate` (the tree to `truth`), `condition`.

pub mod scope;

mod condition;
mod convert;
mod depends;
mod evaluate;
mod facts;
mod hyphen;
mod leaf;
pub(in crate::domain) mod meter;
mod narrow;
mod parse;
mod problem;
mod reads;
mod required;
mod tree;
mod truth;
mod value_expression;
mod value_weight;

#[cfg(test)]
pub(in crate::domain) mod tests;

pub use condition::Condition;
pub(crate) use convert::{MapObject, convert, from_jinja, parse_duration, parse_timestamp, to_jinja};
pub use depends::EventTypes;
pub(crate) use evaluate::Ask as EventsAsked;
pub use evaluate::{ExplainedStep, Steps};
pub use facts::{CallFacts, Facts, RequestFacts};
pub use hyphen::Form;
pub use narrow::{Narrowed, PushDown, Way};
#[cfg(test)]
pub(crate) use parse::content_filters;
pub(crate) use parse::{
    add_whole_template, check_content, compile_whole_expression, expression_around, lacking,
    needed_parameters, parse_whole_expression, parse_whole_template, range_of,
};
pub use parse::{print_again, print_parsed};
pub(crate) use problem::nearest;
pub use problem::{CompileError, ExpressionProblem, Severity};
pub use reads::RequestPath;
pub use required::RequiredText;
pub use scope::{Declared, Place, Scope, TriggerScope};
pub(crate) use tree::Aggregate;
pub use truth::{Reason, Seen, Truth};
pub use value_expression::Expression;
pub use value_weight::weigh;

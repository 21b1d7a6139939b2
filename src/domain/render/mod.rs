//! What a message says: templates compiled once, rendered for one customer after the other.
//!
//! Jinja itself renders them, within limits. What a person reads is plain: `true` and `false`, numbers without an
//! exponent, timestamps as RFC 3339. A missing value that is printed or compared is an error, and that customer is
//! skipped with the reason; `{% if customer.x %}` may ask for one.

mod context;
mod events;
mod format;
mod functions;
mod json_body;
mod metered;
mod printed;
mod proof;
mod samples;
mod template;

#[cfg(test)]
mod jinja2_tests;
#[cfg(test)]
mod json_tests;
#[cfg(test)]
mod proof_tests;
#[cfg(test)]
mod tests;

pub use context::Subject;
pub use proof::RenderingsLeft;
pub use samples::{AttributeSeen, AttributesSeen, SampleParameter, Samples};
pub use template::{Escaping, Rendered, Template, TemplateError, TemplateFinding};

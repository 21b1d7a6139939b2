//! A condition: compiled once, decided for a call, then for each customer.

use std::sync::Arc;

use super::depends::EventTypes;
use super::evaluate::{self, ExplainedStep};
use super::facts::Facts;
use super::narrow::{self, Narrowed, PushDown, Way};
use super::parse;
use super::problem::{CompileError, ExpressionProblem};
use super::required::{RequiredText, required_text};
use super::scope::Scope;
use super::tree::Node;
use super::truth::Truth;
use crate::domain::selection::IndexNeed;

/// A compiled condition. Cheap to clone; shared between threads.
#[derive(Debug, Clone)]
pub struct Condition {
    source: Arc<str>,
    pub(crate) root: Arc<Node>,
    events: Arc<EventTypes>,
    warnings: Arc<[ExpressionProblem]>,
}

impl Condition {
    /// Compiles a source; an outer `{{ }}` is taken off.
    ///
    /// # Errors
    /// Names every part that is wrong, with its bytes in the source.
    pub fn compile(source: &str, scope: &Scope) -> Result<Self, CompileError> {
        let compiled = parse::condition(source, scope)?;
        let mut events = Vec::new();
        compiled.tree.events(&mut events);
        let events = EventTypes::of(&events);
        Ok(Condition {
            source: source.into(),
            root: Arc::new(compiled.tree),
            events: Arc::new(events),
            warnings: compiled.warnings.into(),
        })
    }

    /// The source, as its author wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What can be used but is probably not meant.
    pub fn warnings(&self) -> &[ExpressionProblem] {
        &self.warnings
    }

    /// The types of events it asks for.
    pub fn event_types(&self) -> &EventTypes {
        &self.events
    }

    /// Whether it can differ from customer to customer.
    pub fn needs_customer(&self) -> bool {
        self.root.needs_customer()
    }

    /// The texts of which a param must be one for it to hold; `None` if it asks for something else.
    pub fn required_text(&self) -> Option<RequiredText> {
        required_text(&self.root)
    }

    /// Decides.
    pub fn decide(&self, facts: Facts<'_>) -> Truth {
        evaluate::decide(&self.root, facts)
    }

    /// What the store is asked for one run; `facts` are those of its call.
    pub fn narrow(&self, facts: Facts<'_>) -> Narrowed {
        narrow::narrow(&self.root, facts)
    }

    /// The ways to its customers; empty if only by looking at each.
    pub fn ways(&self) -> Vec<Way> {
        narrow::ways(&self.root)
    }

    /// The indexes by which its customers would be found; empty if only by looking at each.
    pub fn index_needs(&self) -> Vec<IndexNeed> {
        narrow::index_needs(&self.root)
    }

    /// Which parts the store decides, and which are left for each customer it selects.
    pub fn push_down(&self) -> PushDown {
        narrow::push_down(&self.source, &self.root)
    }

    /// Decides and tells how: the parts that were decided in their order, with the values looked at.
    pub fn explain(&self, facts: Facts<'_>) -> (Truth, Vec<ExplainedStep>) {
        evaluate::explain(&self.root, facts)
    }
}

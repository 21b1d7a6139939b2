//! What Jinja evaluates by itself: an expression without comparisons over variables that this language fills in.

use std::fmt;
use std::sync::{Arc, LazyLock};

use minijinja::value::{Enumerator, Object};
use minijinja::{Environment, Error, Expression, UndefinedBehavior, Value as Jinja};

use super::meter::{self, Account};
use super::parse::{Unreadable, compile_whole_expression};
use super::tree::Term;
use crate::domain::jinja;
use crate::domain::local_defaults::LocalDefaults;
use crate::domain::value::Kind;

/// What one leaf may cost for one customer. An instruction or 64 bytes cost 1; joining a list of a thousand
/// texts stays under a tenth of it, and it ends within a few milliseconds.
const LEAF_FUEL_MAX: u64 = 20_000;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(LEAF_FUEL_MAX));
    environment.set_debug(false);
    jinja::install_for_conditions(&mut environment);
    meter::add(&mut environment, |_| false);
    environment
});

/// A compiled expression over the variables `_0`, `_1`, ….
pub(crate) struct JinjaLeaf {
    expression: Arc<Expression<'static, 'static>>,
    /// What the variables stand for.
    pub captured: Vec<Term>,
    /// Whether a missing variable makes the leaf missing. In a condition it makes it unknown, as an error would;
    /// a parameter's `from: body.x | lower` is as absent as `body.x`.
    pub passes_absence: bool,
    /// The kind of every value it gives, where it can be of one only.
    pub gives: Option<Kind>,
    /// What the Runtime says of zone, language and region.
    local: Jinja,
}

impl JinjaLeaf {
    /// Compiles what was written anew from the syntax tree.
    pub fn compile(
        source: &str,
        captured: Vec<Term>,
        passes_absence: bool,
        gives: Option<Kind>,
        local: &Arc<LocalDefaults>,
    ) -> Result<Self, Unreadable> {
        let source = meter::with_account(source);
        Ok(JinjaLeaf {
            expression: Arc::new(compile_whole_expression(&ENVIRONMENT, source)?),
            captured,
            passes_absence,
            gives,
            local: jinja::local_value(local),
        })
    }

    /// Evaluates it with the values of what was captured, in order; says what it cost as well, in units of a byte.
    pub fn evaluate(&self, captured: Vec<Jinja>) -> (Result<Jinja, Error>, u64) {
        let account = Account::default();
        let variables =
            Variables { captured, account: Jinja::from_object(account.clone()), local: self.local.clone() };
        let result = self.expression.eval(Jinja::from_object(variables));
        // One that fails may have done all that it could pay for.
        let fuel = if result.is_ok() { account.spent() } else { LEAF_FUEL_MAX };
        (result, fuel * meter::UNITS_PER_FUEL)
    }
}

impl Clone for JinjaLeaf {
    fn clone(&self) -> Self {
        JinjaLeaf {
            expression: Arc::clone(&self.expression),
            captured: self.captured.clone(),
            passes_absence: self.passes_absence,
            gives: self.gives,
            local: self.local.clone(),
        }
    }
}

impl fmt::Debug for JinjaLeaf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("JinjaLeaf").field("captured", &self.captured).finish_non_exhaustive()
    }
}

/// The values of `_0`, `_1`, …, where it is noted what they cost, and what filters take where they are not told.
#[derive(Debug)]
struct Variables {
    captured: Vec<Jinja>,
    account: Jinja,
    local: Jinja,
}

impl Object for Variables {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Jinja> {
        match key {
            meter::ACCOUNT => return Some(self.account.clone()),
            jinja::LOCAL => return Some(self.local.clone()),
            _ => {}
        }
        let index: usize = key.strip_prefix('_')?.parse().ok()?;
        self.captured.get(index).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

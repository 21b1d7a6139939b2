//! What Jinja itself does not count: values that hold one list many times, and work that visits all of a value.
//!
//! Jinja's fuel pays for what is made and for the items at the top of a list. It does not see that a list which holds
//! another twice, sixty times over, takes ages to compare, print or convert, nor what a lazy list will become. So
//! sources are written anew for Jinja (`parse/leaf`, `render/metered`) with these functions around what makes a list
//! and around what is visited in whole: what is made is laid out and nests within a bound, what is visited is paid for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use minijinja::machinery::ast::{self, BinOpKind, CallArg, Expr};
use minijinja::value::{Object, ObjectRepr, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value as Jinja};

use super::convert::{ListObject, MapObject};
use crate::domain::time_budget::{TAKES_TOO_LONG, TimeBudget};
use crate::domain::value::{Members, Value};

/// Around what makes a list or an object.
pub(crate) const BUILT: &str = "__built";
/// Around what is visited in whole.
pub(crate) const TOUCHED: &str = "__touched";
/// Around what is walked along: its elements or its text, but not what they hold.
pub(crate) const WALKED: &str = "__walked";

/// Around what is indexed: a text is walked to the place.
pub(crate) const INDEXED: &str = "__indexed";
/// Around a width in characters.
pub(crate) const WIDTH: &str = "__width";
/// Around what is compared with each element of a list.
pub(crate) const COMPARED: &str = "__compared";
/// Around a whole expression: notes what it cost.
const SETTLED: &str = "__settled";
/// The variable that holds the [`Account`].
pub(crate) const ACCOUNT: &str = "__account";

/// The variable that holds the time there is; none where only the fuel counts.
pub(crate) const TIME: &str = "__time";

/// Every function that counts.
pub(crate) const COUNTING: &[&str] = &[BUILT, TOUCHED, WALKED, INDEXED, WIDTH, COMPARED];

/// Names that begin so are this module's own; no source may use one.
pub(crate) const RESERVED_PREFIX: &str = "__";

/// How deep a value that a source makes may nest: dropping one is a call within a call for each level.
const DEPTH_MAX: usize = 48;

/// How much one fuel pays for, as in Jinja.
pub(crate) const UNITS_PER_FUEL: u64 = 64;
/// What one element costs where it is visited; a byte costs 1.
const ELEMENT_UNITS: u64 = 32;
/// How much a value that a source makes may hold, over all levels: 100,000 elements.
const BUILT_UNITS_MAX: u64 = 100_000 * COUNTED_UNITS;
/// What may be compared with each element of a list.
const COMPARED_UNITS_MAX: u64 = 4_096;
/// The widest indent.
const WIDTH_MAX: usize = 100;
/// What one element costs where it is only counted.
const COUNTED_UNITS: u64 = 8;

/// Adds the functions. `kept` tells lists that are no lazy form of another, and bounded by themselves.
pub(crate) fn add(environment: &mut Environment<'static>, kept: fn(&Jinja) -> bool) {
    environment.add_function(
        BUILT,
        move |state: &State<'_, '_>, value: &Jinja| {
            if kept(value) { Ok(value.clone()) } else { built(state, value) }
        },
    );
    environment.add_function(INDEXED, indexed);
    environment.add_function(WIDTH, width);
    environment.add_function(TOUCHED, touched);
    environment.add_function(WALKED, walked);
    environment.add_function(COMPARED, compared);
    environment.add_function(SETTLED, settled);
}

/// An expression that notes what it cost in its [`Account`].
pub(crate) fn with_account(source: &str) -> String {
    format!("{SETTLED}({source}, {ACCOUNT})")
}

/// What an evaluation cost, once it ended well.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account(Arc<AtomicU64>);

impl Account {
    /// In fuel.
    pub fn spent(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Object for Account {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

fn settled(state: &State<'_, '_>, value: &Jinja, account: &Jinja) -> Jinja {
    if let (Some(account), Some((consumed, _))) =
        (account.downcast_object_ref::<Account>(), state.fuel_levels())
    {
        account.0.store(consumed, Ordering::Relaxed);
    }
    value.clone()
}

/// The time that there is, as a value that no source can name.
#[derive(Debug)]
pub(crate) struct Timed(pub TimeBudget);

impl Object for Timed {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

/// Fails once the time is used up.
pub(crate) fn in_time(state: &State<'_, '_>) -> Result<(), Error> {
    let time = state.lookup(TIME);
    let timed = time.as_ref().and_then(|time| time.downcast_object_ref::<Timed>());
    match timed {
        Some(Timed(time)) if time.is_used_up_by_now() => {
            Err(Error::new(ErrorKind::InvalidOperation, TAKES_TOO_LONG))
        }
        _ => Ok(()),
    }
}

/// Why a value is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooMuch {
    /// It holds more than may be spent on it.
    #[error("the value is too large: lists that hold a list many times count it each time")]
    Large,
    /// It nests deeper than [`DEPTH_MAX`].
    #[error("the value nests too deep")]
    Deep,
}

/// What was just made: lazy lists are laid out, so that what they hold is known, and the depth is bounded.
fn built(state: &State<'_, '_>, value: &Jinja) -> Result<Jinja, Error> {
    in_time(state)?;
    let value = match value.kind() {
        ValueKind::Iterable => laid_out(state, value)?,
        ValueKind::Seq | ValueKind::Map => value.clone(),
        _ => return Ok(value.clone()),
    };
    visit(state, &value, Units { left: BUILT_UNITS_MAX, element: COUNTED_UNITS, opaque: true })?;
    Ok(value)
}

/// What is about to be visited in whole.
fn touched(state: &State<'_, '_>, value: &Jinja) -> Result<Jinja, Error> {
    pay_for(state, value)?;
    Ok(value.clone())
}

/// Pays for a visit of the whole value.
pub(crate) fn pay_for(state: &State<'_, '_>, value: &Jinja) -> Result<(), Error> {
    if matches!(value.kind(), ValueKind::Undefined | ValueKind::None | ValueKind::Bool | ValueKind::Number) {
        return Ok(());
    }
    in_time(state)?;
    visit(state, value, Units { left: u64::MAX, element: ELEMENT_UNITS, opaque: false })
}

/// What is about to be compared with each element of a list: it must not be long, however long those are.
fn compared(state: &State<'_, '_>, value: &Jinja) -> Result<Jinja, Error> {
    let mut budget = Units { left: COMPARED_UNITS_MAX, element: ELEMENT_UNITS, opaque: false };
    if budget.of(value, 0).is_err() {
        let said = format!("what each element is compared with weighs more than {COMPARED_UNITS_MAX} bytes");
        return Err(Error::new(ErrorKind::InvalidOperation, said));
    }
    touched(state, value)
}

/// What is about to be walked along.
fn walked(state: &State<'_, '_>, value: &Jinja) -> Result<Jinja, Error> {
    let length = match value.kind() {
        ValueKind::String => value.as_str().map_or(0, str::len) as u64,
        ValueKind::Seq | ValueKind::Iterable => value.len().unwrap_or(0) as u64 * COUNTED_UNITS,
        _ => 0,
    };
    in_time(state)?;
    state.consume_fuel(length / UNITS_PER_FUEL)?;
    Ok(value.clone())
}

/// By how much a text is moved to the right.
fn width(state: &State<'_, '_>, value: &Jinja) -> Result<Jinja, Error> {
    if value.is_number() && value.as_usize().is_none_or(|width| width > WIDTH_MAX) {
        let said = format!("a text is indented by 0 to {WIDTH_MAX} characters");
        return Err(Error::new(ErrorKind::InvalidOperation, said));
    }
    touched(state, value)
}

/// What is about to be indexed.
fn indexed(state: &State<'_, '_>, value: &Jinja) -> Result<Jinja, Error> {
    let length = value.as_str().map_or(0, str::len) as u64;
    in_time(state)?;
    state.consume_fuel(length / UNITS_PER_FUEL)?;
    Ok(value.clone())
}

/// The elements of a list that Jinja would make only when they are asked for.
fn laid_out(state: &State<'_, '_>, value: &Jinja) -> Result<Jinja, Error> {
    let affordable = usize::try_from(affordable(state) / ELEMENT_UNITS).unwrap_or(usize::MAX);
    if value.len().is_some_and(|length| length > affordable) {
        return Err(refused(TooMuch::Large));
    }
    let mut elements = Vec::new();
    for element in value.try_iter()?.checked() {
        if elements.len() == affordable {
            return Err(refused(TooMuch::Large));
        }
        elements.push(element?);
    }
    state.consume_fuel(elements.len() as u64 * ELEMENT_UNITS / UNITS_PER_FUEL)?;
    Ok(Jinja::from(elements))
}

fn affordable(state: &State<'_, '_>) -> u64 {
    state.fuel_levels().map_or(0, |(_, remaining)| remaining.saturating_mul(UNITS_PER_FUEL))
}

/// Looks at a value within what it may cost and what the fuel affords, and takes that from the fuel.
fn visit(state: &State<'_, '_>, value: &Jinja, most: Units) -> Result<(), Error> {
    let begins = most.left.min(affordable(state));
    let mut units = Units { left: begins, ..most };
    units.of(value, 0).map_err(refused)?;
    state.consume_fuel((begins - units.left) / UNITS_PER_FUEL)
}

fn refused(too_much: TooMuch) -> Error {
    let kind = match too_much {
        TooMuch::Large => ErrorKind::OutOfFuel,
        TooMuch::Deep => ErrorKind::InvalidOperation,
    };
    Error::new(kind, too_much.to_string())
}

/// What may still be spent on looking at a value.
struct Units {
    left: u64,
    element: u64,
    /// Values of calls and customers are trees as they came, and count as one.
    opaque: bool,
}

impl Units {
    fn take(&mut self, units: u64) -> Result<(), TooMuch> {
        self.left = self.left.checked_sub(units).ok_or(TooMuch::Large)?;
        Ok(())
    }

    fn of(&mut self, value: &Jinja, depth: usize) -> Result<(), TooMuch> {
        if depth > DEPTH_MAX {
            return Err(TooMuch::Deep);
        }
        self.take(self.element)?;
        match value.kind() {
            ValueKind::String if !self.opaque => self.take(value.as_str().map_or(0, str::len) as u64),
            ValueKind::Map | ValueKind::Seq | ValueKind::Iterable => self.of_object(value, depth),
            _ => Ok(()),
        }
    }

    fn of_object(&mut self, value: &Jinja, depth: usize) -> Result<(), TooMuch> {
        if let Some(list) = value.downcast_object_ref::<ListObject>() {
            return if self.opaque { Ok(()) } else { self.of_list(&list.0) };
        }
        if let Some(map) = value.downcast_object_ref::<MapObject>() {
            return if self.opaque { Ok(()) } else { self.of_members(&map.0) };
        }
        let Some(object) = value.as_object() else { return Ok(()) };
        if value.kind() == ValueKind::Map {
            for (name, member) in object.try_iter_pairs().into_iter().flatten() {
                self.take(name.as_str().map_or(0, str::len) as u64)?;
                self.of(&member, depth + 1)?;
            }
            return Ok(());
        }
        for element in object.try_iter().into_iter().flatten() {
            self.of(&element, depth + 1)?;
        }
        Ok(())
    }

    /// Our own values come from JSON or from [`super::convert`], both of which bound how deep they nest.
    fn of_own(&mut self, value: &Value) -> Result<(), TooMuch> {
        self.take(self.element)?;
        match value {
            Value::Text(text) => self.take(text.len() as u64),
            Value::List(list) => self.of_list(list),
            Value::Object(members) => self.of_members(members),
            Value::Number(_) | Value::Boolean(_) | Value::Timestamp(_) | Value::Null => Ok(()),
        }
    }

    fn of_list(&mut self, list: &[Value]) -> Result<(), TooMuch> {
        list.iter().try_for_each(|element| self.of_own(element))
    }

    fn of_members(&mut self, members: &Members) -> Result<(), TooMuch> {
        members.iter().try_for_each(|(name, member)| {
            self.take(name.len() as u64)?;
            self.of_own(member)
        })
    }
}

/// What a value of ours costs where it is visited in whole, in units of a byte; at most `max`.
///
/// # Errors
/// Says that it costs more.
pub(crate) fn weigh(value: &Value, max: u64) -> Result<u64, TooMuch> {
    let mut budget = Units { left: max, element: ELEMENT_UNITS, opaque: false };
    budget.of_own(value)?;
    Ok(max - budget.left)
}

/// What a filter does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Work {
    /// The function around the value before it; empty for none.
    pub of: &'static str,
    /// The function around its arguments; empty for none.
    pub arguments: &'static str,
    /// The function around what it makes; empty for none.
    pub made: &'static str,
}

/// Filters that visit no more than the elements, which Jinja counts, and make a list of them.
const LISTING: &[&str] =
    &["attr", "batch", "chain", "first", "items", "last", "list", "reverse", "slice", "split", "zip"];

/// Filters that look at a value from outside.
const SHALLOW: &[&str] = &["count", "d", "default", "length", "safe"];

/// Filters that apply a test to each element.
const SELECTING: &[&str] = &["select", "reject", "selectattr", "rejectattr"];

/// Filters that make one text or number of whatever they are given.
const FLAT: &[&str] = &[
    "abs",
    "center",
    "filesizeformat",
    "forceescape",
    "remainder",
    "striptags",
    "truncate",
    "urlize",
    "wordcount",
    "wordwrap",
    "written",
    "xmlattr",
    "bool",
    "capitalize",
    "e",
    "escape",
    "float",
    "format",
    "indent",
    "int",
    "join",
    "lower",
    "pprint",
    "replace",
    "round",
    "string",
    "title",
    "tojson",
    "trim",
    "upper",
    "urlencode",
];

/// What a filter does; one that is not known here is taken to visit everything and to make a list.
pub(crate) fn work(filter: &ast::Filter<'_>) -> Work {
    let name = filter.name;
    if SHALLOW.contains(&name) {
        return Work { of: "", arguments: "", made: "" };
    }
    if LISTING.contains(&name) {
        return Work { of: "", arguments: "", made: BUILT };
    }
    if matches!(name, "plus" | "minus") {
        return Work { of: "", arguments: "", made: if name == "plus" { BUILT } else { "" } };
    }
    if SELECTING.contains(&name) {
        let arguments = if filter.args.iter().any(names_membership) { TOUCHED } else { COMPARED };
        return Work { of: "", arguments, made: BUILT };
    }
    if name == "map" && !matches!(filter.args.first(), Some(CallArg::Pos(_))) {
        return Work { of: "", arguments: "", made: BUILT };
    }
    if matches!(name, "indent" | "tojson") {
        return Work { of: TOUCHED, arguments: WIDTH, made: "" };
    }
    Work { of: TOUCHED, arguments: TOUCHED, made: if FLAT.contains(&name) { "" } else { BUILT } }
}

/// `select("in", list)`: Jinja counts the elements that it looks at.
fn names_membership(argument: &CallArg<'_>) -> bool {
    matches!(argument, CallArg::Pos(Expr::Const(name)) if name.value.as_str() == Some("in"))
}

/// Tests that look at a value from outside.
const SHALLOW_TESTS: &[&str] = &[
    "boolean",
    "callable",
    "defined",
    "divisibleby",
    "escaped",
    "even",
    "false",
    "float",
    "int",
    "integer",
    "iterable",
    "mapping",
    "none",
    "number",
    "odd",
    "safe",
    "sequence",
    "string",
    "true",
    "undefined",
];

/// Whether a test visits all of what it looks at.
pub(crate) fn test_touches(name: &str) -> bool {
    !SHALLOW_TESTS.contains(&name)
}

/// What an operator does with its sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// It makes a list of lists.
    Builds,
    /// It visits the whole of both.
    TouchesBoth,
    /// It visits no more than there is in one of them.
    TouchesOne,
    Neither,
}

pub(crate) fn operation(operator: BinOpKind) -> Operation {
    match operator {
        BinOpKind::Add | BinOpKind::Mul => Operation::Builds,
        BinOpKind::Concat | BinOpKind::In | BinOpKind::Rem => Operation::TouchesBoth,
        BinOpKind::Eq | BinOpKind::Ne | BinOpKind::Lt | BinOpKind::Lte | BinOpKind::Gt | BinOpKind::Gte => {
            Operation::TouchesOne
        }
        BinOpKind::ScAnd
        | BinOpKind::ScOr
        | BinOpKind::Sub
        | BinOpKind::Div
        | BinOpKind::FloorDiv
        | BinOpKind::Pow => Operation::Neither,
    }
}

/// Whether an expression is a number, a text or the like that is written out, which costs what its source does.
pub(crate) fn written_out(expr: &Expr<'_>) -> bool {
    matches!(expr, Expr::Const(_))
}

/// Whether a function around an expression counts nothing.
pub(crate) fn idle(function: &str, expr: &Expr<'_>) -> bool {
    function.is_empty() || written_out(expr) && function != WIDTH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_weighs_what_visiting_all_of_it_costs() {
        let text: Value = Value::text("12345");
        assert_eq!(weigh(&text, 1_000), Ok(ELEMENT_UNITS + 5));
        let twice = Value::List([text.clone(), text].into());
        assert_eq!(weigh(&twice, 1_000), Ok(3 * ELEMENT_UNITS + 10));
        assert_eq!(weigh(&twice, 100), Err(TooMuch::Large));
    }

    #[test]
    fn filters_that_are_not_known_are_taken_to_do_the_most() {
        let parsed = minijinja::machinery::parse_expr("x | strange").unwrap();
        let Expr::Filter(filter) = &parsed else { panic!("a filter") };
        assert_eq!(work(filter), Work { of: TOUCHED, arguments: TOUCHED, made: BUILT });
    }
}

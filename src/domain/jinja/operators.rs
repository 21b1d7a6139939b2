//! Operators that minijinja knows for numbers only, or writes values in its own way: `~`, `%`, `-` and `+`.
//!
//! Where a source uses one of them it is rewritten to a filter of ours, by insertions that keep the order and the
//! lines of what its author wrote: `a - b` becomes `(a)|minus(b)`.

use std::ops::Range;

use minijinja::machinery::ast::{BinOpKind, Expr, Stmt};
use minijinja::value::{Kwargs, Tuple, ValueKind};
use minijinja::{Error, State, Value as Jinja};

use super::arguments::invalid;
use super::moment::{Moment, TimeDelta};
use super::spelling::as_text;
use super::walk::each_expression;

/// The filter that writes one side of `~`.
pub(crate) const WRITTEN: &str = "written";
/// Their names cannot be written in a source: names are checked before it is rewritten.
const MINUS: &str = "minus";
const PLUS: &str = "plus";
const REMAINDER: &str = "remainder";

/// The filter that takes an operator's place, if one does.
pub(crate) fn filter_of(operator: BinOpKind) -> Option<(&'static str, &'static str)> {
    match operator {
        BinOpKind::Sub => Some(("-", MINUS)),
        BinOpKind::Add => Some(("+", PLUS)),
        BinOpKind::Rem => Some(("%", REMAINDER)),
        _ => None,
    }
}

/// Text that comes into a source at a place.
struct Edit {
    at: usize,
    /// How many bytes of the source it replaces.
    replaces: usize,
    text: String,
}

/// Collects the edits of a source.
pub(crate) struct Rewriter<'s> {
    source: &'s str,
    range_of: fn(&Expr<'_>, &str) -> Range<usize>,
    /// The filter that the sides of a comparison go through.
    compared: Option<&'static str>,
    edits: Vec<Edit>,
}

impl<'s> Rewriter<'s> {
    /// `range_of` says which bytes of the source an expression has.
    pub fn new(source: &'s str, range_of: fn(&Expr<'_>, &str) -> Range<usize>) -> Self {
        Rewriter { source, range_of, compared: None, edits: Vec::new() }
    }

    /// Both sides of every comparison go through a filter.
    pub fn comparing_by(mut self, filter: &'static str) -> Self {
        self.compared = Some(filter);
        self
    }

    /// The source with what takes the place of operators.
    pub fn rewritten(mut self, statements: &[Stmt<'_>]) -> String {
        each_expression(statements, &mut |expr| match expr {
            Expr::BinOp(of) => self.operation(of.op, &of.left, &of.right),
            Expr::Compare(of) => {
                [&of.expr]
                    .into_iter()
                    .chain(of.ops.iter().map(|op| &op.expr))
                    .for_each(|side| self.comparison(side));
            }
            _ => {}
        });
        // Stable: of edits at one place, those of the inner expression come first.
        self.edits.sort_by_key(|edit| edit.at);
        let mut text = String::with_capacity(self.source.len() + self.edits.len() * 16);
        let mut copied = 0;
        for edit in &self.edits {
            text.push_str(&self.source[copied..edit.at]);
            text.push_str(&edit.text);
            copied = edit.at + edit.replaces;
        }
        text.push_str(&self.source[copied..]);
        text
    }

    /// Parentheses are no part of the tree, so those around an operand may stand outside of its range; one more next
    /// to them keeps the balance all the same.
    fn operation(&mut self, operator: BinOpKind, left: &Expr<'_>, right: &Expr<'_>) {
        let (first, second) = ((self.range_of)(left, self.source), (self.range_of)(right, self.source));
        match operator {
            BinOpKind::Concat => {
                self.filter(first, WRITTEN);
                return self.filter(second, WRITTEN);
            }
            BinOpKind::Eq
            | BinOpKind::Ne
            | BinOpKind::Lt
            | BinOpKind::Lte
            | BinOpKind::Gt
            | BinOpKind::Gte
            | BinOpKind::In => {
                self.comparison(left);
                return self.comparison(right);
            }
            _ => {}
        }
        let Some((symbol, filter)) = filter_of(operator) else { return };
        let between = self.source.get(first.end..second.start);
        let Some(at) = between.and_then(|between| between.find(symbol)) else { return };
        self.insert(first.start, "(");
        self.insert(first.end, ")");
        self.edits.push(Edit { at: first.end + at, replaces: symbol.len(), text: format!("|{filter}(") });
        self.insert(second.end, ")");
    }

    fn comparison(&mut self, side: &Expr<'_>) {
        if let Some(filter) = self.compared.filter(|_| !matches!(side, Expr::Const(_))) {
            self.filter((self.range_of)(side, self.source), filter);
        }
    }

    fn filter(&mut self, part: Range<usize>, filter: &str) {
        self.insert(part.start, "(");
        self.insert(part.end, &format!(")|{filter}"));
    }

    fn insert(&mut self, at: usize, text: &str) {
        self.edits.push(Edit { at, replaces: 0, text: text.to_owned() });
    }
}

/// One side of `~`.
pub(super) fn written(state: &mut State<'_, '_>, given: &[Jinja]) -> Result<Jinja, Error> {
    match given {
        [value] => as_text(state, value),
        _ => Err(invalid("one value is written".to_owned())),
    }
}

fn two(given: &[Jinja]) -> Result<(&Jinja, &Jinja), Error> {
    match given {
        [left, right] => Ok((left, right)),
        _ => Err(invalid("an operator has two sides".to_owned())),
    }
}

/// `-`: also the time between two moments, and a moment so much earlier.
pub(super) fn minus(_: &mut State<'_, '_>, given: &[Jinja]) -> Result<Jinja, Error> {
    let (left, right) = two(given)?;
    let (moment, length) = (left.downcast_object_ref::<Moment>(), left.downcast_object_ref::<TimeDelta>());
    let (other, by) = (right.downcast_object_ref::<Moment>(), right.downcast_object_ref::<TimeDelta>());
    let out_of_range = || invalid("the time is out of range".to_owned());
    match (moment, length, other, by) {
        (Some(moment), _, Some(other), _) => {
            Ok(Jinja::from_object(TimeDelta(moment.0.duration_since(other.0))))
        }
        (Some(moment), _, _, Some(by)) => {
            let earlier = moment.0.checked_sub(by.0).map_err(|_| out_of_range())?;
            Ok(Jinja::from_object(Moment(earlier)))
        }
        (_, Some(length), _, Some(by)) => {
            let length = length.0.checked_sub(by.0).ok_or_else(out_of_range)?;
            Ok(Jinja::from_object(TimeDelta(length)))
        }
        _ => numbers("-", left, right, i128::checked_sub, |left, right| left - right),
    }
}

/// `+`: also a moment so much later.
pub(super) fn plus(state: &mut State<'_, '_>, given: &[Jinja]) -> Result<Jinja, Error> {
    let (left, right) = two(given)?;
    let (moment, length) = (left.downcast_object_ref::<Moment>(), left.downcast_object_ref::<TimeDelta>());
    let (other, by) = (right.downcast_object_ref::<Moment>(), right.downcast_object_ref::<TimeDelta>());
    let out_of_range = || invalid("the time is out of range".to_owned());
    if let (Some(moment), Some(by)) = (moment.or(other), by.or(length)) {
        let later = moment.0.checked_add(by.0).map_err(|_| out_of_range())?;
        return Ok(Jinja::from_object(Moment(later)));
    }
    if let (Some(length), Some(by)) = (length, by) {
        let length = length.0.checked_add(by.0).ok_or_else(out_of_range)?;
        return Ok(Jinja::from_object(TimeDelta(length)));
    }
    let is_number = |value: &Jinja| matches!(value.kind(), ValueKind::Number | ValueKind::Bool);
    if is_number(left) && is_number(right) {
        return numbers("+", left, right, i128::checked_add, |left, right| left + right);
    }
    if left.kind() == ValueKind::String
        && right.kind() == ValueKind::String
        && left.is_safe() != right.is_safe()
    {
        let side = |state: &mut State<'_, '_>, value: &Jinja| match value.is_safe() {
            true => Ok(value.as_str().unwrap_or_default().to_owned()),
            false => state.format(value.clone()),
        };
        let (left, right) = (side(state, left)?, side(state, right)?);
        return Ok(Jinja::from_safe_string(left + &right));
    }
    if left.kind() != right.kind() {
        return Err(cannot("+", left, right));
    }
    // `sum` adds by minijinja's own operator: texts, lists and tuples.
    let start = Jinja::from([("start", left.clone())].into_iter().collect::<Kwargs>());
    super::call_built_in(state, "sum", &[Jinja::from(vec![right.clone()]), start])
}

/// `%`: also what Python formats so, as `'%.2f' % price`.
pub(super) fn remainder(state: &mut State<'_, '_>, given: &[Jinja]) -> Result<Jinja, Error> {
    let (left, right) = two(given)?;
    if left.kind() == ValueKind::String {
        let mut arguments = vec![left.clone()];
        match right.downcast_object_ref::<Tuple>() {
            Some(_) => arguments.extend(right.try_iter()?),
            None => arguments.push(right.clone()),
        }
        return super::text_filters::format(state, &arguments);
    }
    let whole = |left: i128, right: i128| {
        let remainder = left.checked_rem(right)?;
        Some(if remainder != 0 && (remainder < 0) != (right < 0) { remainder + right } else { remainder })
    };
    let double = |left: f64, right: f64| {
        let remainder = left % right;
        if remainder != 0.0 && (remainder < 0.0) != (right < 0.0) { remainder + right } else { remainder }
    };
    match f64::try_from(right.clone()) {
        Ok(0.0) => Err(invalid("nothing is divided by zero".to_owned())),
        _ => numbers("%", left, right, whole, double),
    }
}

fn numbers(
    symbol: &str,
    left: &Jinja,
    right: &Jinja,
    whole: impl Fn(i128, i128) -> Option<i128>,
    double: impl Fn(f64, f64) -> f64,
) -> Result<Jinja, Error> {
    let integer = |value: &Jinja| match value.kind() {
        ValueKind::Bool => Some(i128::from(value.is_true())),
        ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok(),
        _ => None,
    };
    if let (Some(first), Some(second)) = (integer(left), integer(right)) {
        let result = whole(first, second).ok_or_else(|| invalid(format!("`{symbol}` is out of range")))?;
        return Ok(i64::try_from(result).map_or_else(|_| Jinja::from(result), Jinja::from));
    }
    let any = |value: &Jinja| match value.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        _ => None,
    };
    match (any(left), any(right)) {
        (Some(first), Some(second)) => Ok(Jinja::from(double(first, second))),
        _ => Err(cannot(symbol, left, right)),
    }
}

fn cannot(symbol: &str, left: &Jinja, right: &Jinja) -> Error {
    invalid(format!("`{symbol}` knows no {} and {}", left.kind(), right.kind()))
}

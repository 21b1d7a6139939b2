//! Comparisons that can never be true, as far as the kinds are known when a source is compiled.
//!
//! A parameter's kind is declared, a literal's is seen; an attribute may be of any kind JSON has, so what looks wrong
//! there is a warning.

use std::ops::Range;

use super::super::convert::parse_timestamp;
use super::super::problem::ExpressionProblem;
use super::super::tree::{Aggregate, CallField, Path, PathStep, Root, Term, TermKind};
use super::Compiler;
use crate::domain::selection::Comparison;
use crate::domain::value::{Kind, Number, Value, number_from_text};

/// What is said where texts that look like numbers are ordered.
const TEXT_ORDER: &str = "texts are ordered letter by letter, so that \"9\" comes behind \"18\"";

impl Compiler<'_> {
    /// The kind of a term's values, if they can be of one kind only.
    pub(super) fn kind_of(&self, term: &Term) -> Option<Kind> {
        match &term.kind {
            TermKind::Literal(value) => Some(value.kind()),
            TermKind::Path(path) => self.kind_of_path(path),
            TermKind::Id(_) => Some(Kind::Text),
            TermKind::Consent(_) | TermKind::Truth(_) => Some(Kind::Boolean),
            TermKind::Call(CallField::Id | CallField::Trigger) => Some(Kind::Text),
            TermKind::Call(CallField::ReceivedAt) | TermKind::Now => Some(Kind::Timestamp),
            TermKind::Convert(kind, _) => Some(*kind),
            TermKind::Events(events) => match &events.aggregate {
                Aggregate::First(steps) | Aggregate::Last(steps) if steps.is_empty() => Some(Kind::Object),
                Aggregate::First(_) | Aggregate::Last(_) => None,
                _ => Some(Kind::Number),
            },
            TermKind::List(_) => Some(Kind::List),
            TermKind::Default { of, fallback, .. } => self.one_kind(of, fallback),
            TermKind::If(parts) => match &parts.2 {
                Some(otherwise) => self.one_kind(&parts.1, otherwise),
                None => self.kind_of(&parts.1),
            },
            TermKind::FirstTruthy(pair) | TermKind::FirstFalsy(pair) => self.one_kind(&pair[0], &pair[1]),
            TermKind::Jinja(leaf) => leaf.gives,
        }
    }

    fn one_kind(&self, first: &Term, second: &Term) -> Option<Kind> {
        self.kind_of(first).filter(|kind| self.kind_of(second) == Some(*kind))
    }

    fn kind_of_path(&self, path: &Path) -> Option<Kind> {
        match (path.root, path.steps.as_slice()) {
            (Root::Params, [PathStep::Name(name)]) => self.declared_kind(name),
            (Root::Body | Root::Item, []) => None,
            (_, []) => Some(Kind::Object),
            // What a URL and a header hold are texts, whatever stands in them.
            (Root::Headers | Root::Query, [PathStep::Name(_)]) => Some(Kind::Text),
            _ => None,
        }
    }

    /// The kind that every trigger which is possible here declares.
    pub(super) fn declared_kind(&self, name: &str) -> Option<Kind> {
        let mut kinds = self.guards.triggers.iter().map(|index| {
            let trigger = &self.scope.triggers[*index];
            trigger.parameters.get(name).filter(|_| !trigger.is_missing).map(|declared| declared.kind)
        });
        let first = kinds.find_map(|kind| kind)?;
        kinds.flatten().all(|kind| kind == first).then_some(first)
    }

    /// A comparison of which the kinds never match.
    pub(super) fn check_comparison(&mut self, left: &Term, by: Comparison, right: &Term) {
        let equality = matches!(by, Comparison::Equal | Comparison::NotEqual);
        let span = left.span.start.min(right.span.start)..right.span.end.max(left.span.end);
        match (self.kind_of(left), self.kind_of(right)) {
            (Some(first), Some(second)) if first != second => {
                let message =
                    format!("{} and {}: this is never true", said(left, first), said(right, second));
                let problem =
                    ExpressionProblem::error(span, message).remedy(instead((left, first), (right, second)));
                self.problems.push(problem);
            }
            (Some(kind @ (Kind::List | Kind::Object)), _) | (_, Some(kind @ (Kind::List | Kind::Object)))
                if !equality =>
            {
                let message = format!("a {} has no order: this is never true", kind.word());
                self.problems.push(
                    ExpressionProblem::error(span, message).remedy("write `… in …`, or compare `… | length`"),
                );
            }
            (Some(Kind::Text), Some(Kind::Text)) if !equality => {
                self.warn_of_order(left, by, right, &span);
                self.warn_of_order(right, by.mirrored(), left, &span);
            }
            (None, Some(kind)) => self.warn_of_attribute(left, by, (right, kind), span),
            (Some(kind), None) => self.warn_of_attribute(right, by.mirrored(), (left, kind), span),
            _ => {}
        }
    }

    /// A number in a URL or a header is a text.
    fn warn_of_order(&mut self, of: &Term, by: Comparison, with: &Term, span: &Range<usize>) {
        if let TermKind::Literal(Value::Text(text)) = &with.kind
            && is_text_of_request(of)
            && number_from_text(text).is_some()
        {
            let remedy = format!("write `number({}) {} {}`", of.text, symbol(by), text.trim());
            self.problems.push(ExpressionProblem::warning(span.clone(), TEXT_ORDER).remedy(remedy));
        }
    }

    /// An attribute is what JSON has: no moments, and seldom a whole list.
    fn warn_of_attribute(&mut self, of: &Term, by: Comparison, with: (&Term, Kind), span: Range<usize>) {
        if !is_from_outside(of) {
            return;
        }
        let (other, kind) = with;
        let (name, written) = (&of.text, &other.text);
        let symbol = symbol(by);
        let (message, remedy) = match (kind, &other.kind) {
            (Kind::Timestamp, _) => (
                format!("`{name}` is never a moment by itself, so this is never true"),
                format!("write `timestamp({name}) {symbol} {written}`"),
            ),
            (Kind::List, _) => (
                format!("this holds only where `{name}` is the very same list"),
                format!("write `{name} in {written}`"),
            ),
            (Kind::Object, _) => (
                format!("this holds only where `{name}` is the very same object"),
                "compare a part of it".to_owned(),
            ),
            (Kind::Text, TermKind::Literal(Value::Text(text)))
                if !matches!(by, Comparison::Equal | Comparison::NotEqual)
                    && number_from_text(text).is_some() =>
            {
                (
                    TEXT_ORDER.to_owned(),
                    format!("write `{name} {symbol} {text}`, or `number({name}) {symbol} {text}` for texts"),
                )
            }
            (Kind::Text, TermKind::Literal(Value::Text(text)))
                if matches!(text.as_ref(), "true" | "false") =>
            {
                (
                    format!("this holds only where `{name}` is the text `{text}`"),
                    format!("write `{name} {symbol} {text}`"),
                )
            }
            _ => return,
        };
        self.problems.push(ExpressionProblem::warning(span, message).remedy(remedy));
    }

    /// Membership in what holds nothing, or nothing of that kind.
    pub(super) fn check_within(&mut self, item: &Term, of: &Term) {
        let span = item.span.start.min(of.span.start)..of.span.end.max(item.span.end);
        let (kind, within) = (self.kind_of(item), self.kind_of(of));
        let (message, remedy) = match (kind, within) {
            (_, Some(Kind::List)) => return self.check_elements(item, kind, of, span),
            (Some(kind), Some(Kind::Text)) if kind != Kind::Text => (
                format!("{} and {}: this is never true", said(item, kind), said(of, Kind::Text)),
                format!("write `{} in [{}]`", item.text, of.text),
            ),
            (None, Some(Kind::Text)) if is_from_outside(item) && matches!(of.kind, TermKind::Literal(_)) => {
                let message = format!("this asks whether `{}` is a part of the text {}", item.text, of.text);
                let remedy =
                    format!("to compare, write `{} == {}` or `in [{}]`", item.text, of.text, listed(of));
                return self.problems.push(ExpressionProblem::warning(span, message).remedy(remedy));
            }
            (_, Some(kind @ Kind::Object)) => (
                format!("{} and holds no elements: this is never true", said(of, kind)),
                format!("write `{}.name is defined`", of.text),
            ),
            (_, Some(kind @ (Kind::Number | Kind::Boolean | Kind::Timestamp))) => (
                format!("{} and holds no elements: this is never true", said(of, kind)),
                format!("write `{} == {}` or `in [{}]`", item.text, of.text, of.text),
            ),
            _ => return,
        };
        self.problems.push(ExpressionProblem::error(span, message).remedy(remedy));
    }

    fn check_elements(&mut self, item: &Term, kind: Option<Kind>, of: &Term, span: Range<usize>) {
        let kinds: Vec<Option<Kind>> = match &of.kind {
            TermKind::Literal(Value::List(values)) => values.iter().map(|value| Some(value.kind())).collect(),
            TermKind::List(terms) => terms.iter().map(|term| self.kind_of(term)).collect(),
            _ => return,
        };
        if kinds.is_empty() {
            let problem = ExpressionProblem::error(of.span.clone(), "the list is empty, so nothing is in it");
            return self.problems.push(problem.remedy("write its elements: `in [\"a\", \"b\"]`"));
        }
        if let Some(kind) = kind
            && kinds.iter().all(|element| element.is_some_and(|element| element != kind))
        {
            let other = kinds.iter().flatten().next().map_or("", |kind| kind.word());
            let message =
                format!("{} and the list holds the kind {other}: this is never true", said(item, kind));
            let remedy = match (kind, other) {
                (Kind::Number, "text") => "write the numbers without quotes".to_owned(),
                (Kind::Text, "number") => "write the elements in quotes".to_owned(),
                _ => format!("write elements of the kind {}", kind.word()),
            };
            return self.problems.push(ExpressionProblem::error(span, message).remedy(remedy));
        }
        if kinds.contains(&Some(Kind::List)) && is_from_outside(item) {
            let inner = of.text.trim_start_matches('[').trim_end_matches(']').trim().to_owned();
            let problem = ExpressionProblem::warning(
                span,
                format!("an element of this list is a list itself, and `{}` seldom is", item.text),
            );
            self.problems.push(problem.remedy(format!("write `{} in {inner}`", item.text)));
        }
    }

    /// What is asked of a text.
    pub(super) fn check_text(&mut self, term: &Term) {
        if let Some(kind) = self.kind_of(term).filter(|kind| *kind != Kind::Text) {
            let problem = ExpressionProblem::error(
                term.span.clone(),
                format!("{}, not a text: this is never true", said(term, kind)),
            );
            self.problems.push(problem.remedy(format!("write `text({})`, or compare it", term.text)));
        }
    }

    /// A property that is asked for by equality.
    pub(super) fn check_property(&mut self, name: &str, term: &Term) {
        let (message, remedy) = match self.kind_of(term) {
            Some(Kind::List) => (
                format!("only events whose `{name}` is the very same list are meant by this"),
                format!(
                    "ask for each: `events(…, {name}=\"a\").count() + events(…, {name}=\"b\").count() > 0`"
                ),
            ),
            Some(Kind::Object) => (
                format!("only events whose `{name}` is the very same object are meant by this"),
                "ask for a property of it".to_owned(),
            ),
            Some(Kind::Timestamp) => (
                format!("no event's `{name}` is a moment by itself, so there is none"),
                "windows of time are `.within(\"30d\")`, `.since(…)` and `.before(…)`".to_owned(),
            ),
            _ => return,
        };
        self.problems.push(ExpressionProblem::warning(term.span.clone(), message).remedy(remedy));
    }

    /// A way into a parameter that has no parts, or not such ones.
    pub(super) fn check_way(&mut self, span: Range<usize>, name: &str, rest: &[PathStep]) -> Option<()> {
        let (Some(kind), Some(step)) = (self.declared_kind(name), rest.first()) else {
            return Some(());
        };
        let written = match step {
            PathStep::Name(part) => format!("`.{part}`"),
            PathStep::Index(index) => format!("`[{index}]`"),
        };
        let remedy = match (kind, step) {
            (Kind::List, PathStep::Index(_))
            | (Kind::Object, PathStep::Name(_))
            | (Kind::Text, PathStep::Index(_)) => {
                return Some(());
            }
            (Kind::List | Kind::Text, PathStep::Name(part))
                if matches!(part.as_ref(), "length" | "size" | "count" | "len") =>
            {
                format!("write `params.{name} | length`")
            }
            (Kind::List, PathStep::Name(part)) => {
                format!(
                    "write `params.{name}[0]` for its first element, `\"a\" in params.{name}` for any, `params.{name} | map(attribute=\"{part}\")` for a part of each"
                )
            }
            _ => format!("write `params.{name}`"),
        };
        let problem = ExpressionProblem::error(
            span,
            format!("the parameter `{name}` is a {} and has no {written}", kind.word()),
        );
        self.refuse(problem.remedy(remedy))
    }
}

/// What JSON brought: an attribute, or a part of a request.
fn is_from_outside(term: &Term) -> bool {
    match &term.kind {
        TermKind::Path(path) => {
            matches!(path.root, Root::Customer | Root::Body | Root::Item) && !path.steps.is_empty()
        }
        TermKind::Events(events) => match &events.aggregate {
            // An event's own time is a moment.
            Aggregate::First(steps) | Aggregate::Last(steps) => {
                !steps.is_empty()
                    && !matches!(steps.as_slice(), [PathStep::Name(name)] if name.as_ref() == "timestamp")
            }
            _ => false,
        },
        _ => false,
    }
}

/// A header, or a parameter of the URL.
fn is_text_of_request(term: &Term) -> bool {
    matches!(&term.kind, TermKind::Path(path) if matches!(path.root, Root::Headers | Root::Query))
}

fn said(term: &Term, kind: Kind) -> String {
    let word = kind.word();
    let article = if word.starts_with('o') { "an" } else { "a" };
    format!("`{}` is {article} {word}", term.text)
}

fn symbol(by: Comparison) -> &'static str {
    match by {
        Comparison::Equal => "==",
        Comparison::NotEqual => "!=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

/// `"a, b"` as a list of texts.
fn listed(term: &Term) -> String {
    match &term.kind {
        TermKind::Literal(Value::Text(text)) => {
            let parts: Vec<String> =
                text.split([',', ';', '|']).map(|part| format!("\"{}\"", part.trim())).collect();
            parts.join(", ")
        }
        _ => term.text.to_string(),
    }
}

/// What to write instead of comparing two kinds.
fn instead(left: (&Term, Kind), right: (&Term, Kind)) -> String {
    one_way(left, right)
        .or_else(|| one_way(right, left))
        .unwrap_or_else(|| format!("compare values of one kind, {} or {}", left.1.word(), right.1.word()))
}

fn one_way((term, kind): (&Term, Kind), (other, other_kind): (&Term, Kind)) -> Option<String> {
    let text = match &other.kind {
        TermKind::Literal(Value::Text(text)) => Some(text.as_ref()),
        _ => None,
    };
    Some(match (kind, other_kind) {
        (Kind::Timestamp, Kind::Text) => match text {
            Some(text) if parse_timestamp(text).is_none() => {
                "a moment is written `timestamp(\"2026-01-31T18:00:00Z\")`".to_owned()
            }
            _ => format!("write `timestamp({})`", other.text),
        },
        (Kind::Timestamp, Kind::Number) => format!("write `timestamp({})`", other.text),
        (Kind::List, Kind::Text | Kind::Number | Kind::Boolean) => {
            format!("write `{} in {}`", other.text, term.text)
        }
        (Kind::Object, _) => format!("compare a part of it, as in `{}.name == …`", term.text),
        (Kind::Number, Kind::Text) => match text {
            Some(text) if number_from_text(text).is_some() => format!("write {} without quotes", text.trim()),
            Some(_) => format!("write a number, or declare `{}` as a string", term.text),
            None if is_text_of_request(other) => format!("write `number({})`", other.text),
            None => format!("declare `{}` as a number, or write `number({})`", other.text, other.text),
        },
        (Kind::Boolean, Kind::Text) => match text {
            Some(text @ ("true" | "false")) => format!("write {text} without quotes"),
            None => format!("compare `{}` with a text, such as \"true\"", other.text),
            _ => format!("write `{} == true`", term.text),
        },
        (Kind::Boolean, Kind::Number) => match &other.kind {
            TermKind::Literal(Value::Number(Number::Integer(0))) => "write `false` for 0".to_owned(),
            _ => "write `true` for 1".to_owned(),
        },
        _ => return None,
    })
}

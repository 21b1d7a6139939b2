//! `events("type", property=value)`, its windows and what is asked of it.

use std::sync::Arc;

use minijinja::machinery::ast::{self, CallArg, Expr};

use super::super::convert::{parse_duration, parse_timestamp};
use super::super::problem::{ExpressionProblem, nearest};
use super::super::tree::{Aggregate, EventTerm, PathStep, Term, TermKind, Window};
use super::Compiler;
use super::guards::text;
use crate::domain::value::{Kind, Value};

pub(super) const METHODS: &[&str] =
    &["within", "since", "before", "count", "sum", "min", "max", "avg", "first", "last"];

/// Properties by name, each with what it must be equal to.
type Properties = Vec<(Arc<str>, Term)>;

/// One `.method(…)` of a chain.
pub(super) struct Link<'e, 's> {
    pub name: &'s str,
    pub args: &'e [CallArg<'s>],
    pub expr: &'e Expr<'s>,
}

impl Compiler<'_> {
    /// Reads `events(…).….count()`; `None` if the expression is no such chain.
    pub(super) fn events_term(&mut self, expr: &Expr<'_>) -> Option<Option<TermKind>> {
        self.events_path(expr, Vec::new())
    }

    /// The same, with a path behind it: `events(…).last().seat`.
    pub(super) fn events_path(&mut self, expr: &Expr<'_>, steps: Vec<PathStep>) -> Option<Option<TermKind>> {
        let (base, links) = chain(expr)?;
        if !self.scope.place.functions().contains(&"events") {
            return None;
        }
        Some(self.read_events(expr, base, &links, steps))
    }

    fn read_events(
        &mut self,
        expr: &Expr<'_>,
        base: &[CallArg<'_>],
        links: &[Link<'_, '_>],
        steps: Vec<PathStep>,
    ) -> Option<TermKind> {
        let Some((last, windows)) = links.split_last() else {
            return self.unfinished(expr);
        };
        let (event_type, properties) = self.selection(expr, base)?;
        let windows: Vec<Option<Window>> = windows.iter().map(|link| self.window(link)).collect();
        let aggregate = self.aggregate(last, steps);
        Some(TermKind::Events(Box::new(EventTerm {
            event_type,
            properties,
            windows: windows.into_iter().collect::<Option<_>>()?,
            aggregate: aggregate?,
        })))
    }

    fn unfinished<T>(&mut self, expr: &Expr<'_>) -> Option<T> {
        let problem =
            ExpressionProblem::error(self.span(expr), "this says which events, not what to ask of them");
        self.refuse(problem.remedy("add `.count() > 0`, or `.last().…`"))
    }

    fn selection(&mut self, expr: &Expr<'_>, args: &[CallArg<'_>]) -> Option<(Term, Properties)> {
        let Some((CallArg::Pos(event_type), rest)) = args.split_first() else {
            let problem =
                ExpressionProblem::error(self.span(expr), "`events` takes the type of the events first");
            return self
                .refuse(problem.remedy("write `events(\"ticket_purchased\", match_id=params.match_id)`"));
        };
        let event_type = self.event_type(event_type);
        let mut properties = Vec::with_capacity(rest.len());
        let mut complete = true;
        for argument in rest {
            match argument {
                CallArg::Kwarg(name, value) => match self.term(value) {
                    Some(term) => {
                        self.check_property(name, &term);
                        properties.push(((*name).into(), term));
                    }
                    None => complete = false,
                },
                CallArg::KwargSplat(Expr::Map(map)) => {
                    complete &= self.unpack(map, &mut properties).is_some();
                }
                CallArg::Pos(other) | CallArg::PosSplat(other) | CallArg::KwargSplat(other) => {
                    complete = false;
                    let problem = ExpressionProblem::error(self.span(other), "properties are named")
                        .remedy("write `match_id=…`, or `**{\"match-id\": …}` for a name with a hyphen");
                    self.problems.push(problem);
                }
            }
        }
        complete.then_some((event_type?, properties))
    }

    fn unpack(&mut self, map: &ast::Map<'_>, into: &mut Vec<(Arc<str>, Term)>) -> Option<()> {
        for (key, value) in map.keys.iter().zip(&map.values) {
            let Some(name) = text(key) else {
                let problem = ExpressionProblem::error(self.span(key), "a property's name is a text");
                return self.refuse(problem);
            };
            let term = self.term(value)?;
            self.check_property(name, &term);
            into.push((name.into(), term));
        }
        Some(())
    }

    /// The type decides what is loaded with the customers, so it is known before them.
    pub(super) fn event_type(&mut self, expr: &Expr<'_>) -> Option<Term> {
        let term = self.term(expr)?;
        let message = match &term.kind {
            TermKind::Literal(Value::Text(_)) => return Some(term),
            TermKind::Literal(_) => "the type of events is a text",
            _ if term.needs_customer() => "the type of events cannot depend on the customer",
            _ => return Some(term),
        };
        self.refuse(
            ExpressionProblem::error(term.span, message).remedy("name it, or take it from a parameter"),
        )
    }

    fn window(&mut self, link: &Link<'_, '_>) -> Option<Window> {
        let span = self.span(link.expr);
        match (link.name, link.args) {
            ("within", [CallArg::Pos(length)]) => self.length(length),
            ("since", [CallArg::Pos(moment)]) => Some(Window::Since(self.moment(moment)?)),
            ("before", [CallArg::Pos(moment)]) => Some(Window::Before(self.moment(moment)?)),
            ("within" | "since" | "before", _) => {
                self.refuse(ExpressionProblem::error(span, format!("`.{}` takes one value", link.name)))
            }
            (name, _) if METHODS.contains(&name) => self.refuse(
                ExpressionProblem::error(span, format!("nothing can follow `.{name}()` here"))
                    .remedy("put the windows before it"),
            ),
            (name, _) => self.refuse_event_method(span, name),
        }
    }

    fn length(&mut self, expr: &Expr<'_>) -> Option<Window> {
        let term = self.term(expr)?;
        let TermKind::Literal(value) = &term.kind else {
            return match self.kind_of(&term) {
                None | Some(Kind::Text) => Some(Window::WithinText(term)),
                Some(kind) => {
                    let problem =
                        ExpressionProblem::error(term.span, format!("`{}` is a {}", term.text, kind.word()));
                    self.refuse(problem.remedy("a length of time is a text, such as \"30d\""))
                }
            };
        };
        let length = match value {
            Value::Text(text) => parse_duration(text),
            _ => None,
        };
        match length {
            Some(length) => Some(Window::Within(length)),
            None => self.refuse(
                ExpressionProblem::error(term.span, "this is no length of time")
                    .remedy("write `\"365d\"`, `\"12h\"`, `\"30m\"` or `\"90s\"`"),
            ),
        }
    }

    fn moment(&mut self, expr: &Expr<'_>) -> Option<Term> {
        let mut term = self.term(expr)?;
        let TermKind::Literal(value) = &term.kind else {
            return match self.kind_of(&term) {
                None | Some(Kind::Text | Kind::Number | Kind::Timestamp) => Some(term),
                Some(kind) => {
                    let problem =
                        ExpressionProblem::error(term.span, format!("`{}` is a {}", term.text, kind.word()));
                    self.refuse(
                        problem.remedy("a moment is a timestamp, or a text such as \"2026-11-01T00:00:00Z\""),
                    )
                }
            };
        };
        let moment = match value {
            Value::Text(text) => parse_timestamp(text),
            _ => None,
        };
        match moment {
            Some(moment) => {
                term.kind = TermKind::Literal(Value::Timestamp(moment));
                Some(term)
            }
            None => self.refuse(
                ExpressionProblem::error(term.span, "this is no moment")
                    .remedy("write it as `\"2026-11-01T00:00:00Z\"`"),
            ),
        }
    }

    fn aggregate(&mut self, link: &Link<'_, '_>, steps: Vec<PathStep>) -> Option<Aggregate> {
        let span = self.span(link.expr);
        let property = match link.args {
            [CallArg::Pos(property)] => text(property).map(Arc::<str>::from),
            _ => None,
        };
        let aggregate = match (link.name, property, link.args.is_empty()) {
            ("count", _, true) => Aggregate::Count,
            ("first", _, true) => return Some(Aggregate::First(steps)),
            ("last", _, true) => return Some(Aggregate::Last(steps)),
            ("sum", Some(property), _) => Aggregate::Sum(property),
            ("min", Some(property), _) => Aggregate::Min(property),
            ("max", Some(property), _) => Aggregate::Max(property),
            ("avg", Some(property), _) => Aggregate::Avg(property),
            ("count" | "first" | "last", _, _) => {
                return self
                    .refuse(ExpressionProblem::error(span, format!("`.{}()` takes nothing", link.name)));
            }
            ("sum" | "min" | "max" | "avg", None, _) => {
                let problem =
                    ExpressionProblem::error(span, format!("`.{}` takes a property's name", link.name));
                return self.refuse(problem.remedy(format!("write `.{}(\"price\")`", link.name)));
            }
            ("within" | "since" | "before", _, _) => return self.unfinished(link.expr),
            (name, _, _) => return self.refuse_event_method(span, name),
        };
        if steps.is_empty() {
            return Some(aggregate);
        }
        let problem = ExpressionProblem::error(span, format!("the result of `.{}` has no parts", link.name));
        self.refuse(problem.remedy("only `.first()` and `.last()` have"))
    }

    pub(super) fn refuse_event_method<T>(&mut self, span: std::ops::Range<usize>, name: &str) -> Option<T> {
        let problem = ExpressionProblem::error(span, format!("events have no method `{name}`"));
        self.refuse(match nearest(name, METHODS.iter().copied()) {
            Some(near) => problem.remedy(format!("did you mean `.{near}(…)`?")),
            None => problem.remedy(format!("there are: {}", METHODS.join(", "))),
        })
    }
}

/// Takes `events(…).a(…).b(…)` apart; `None` if it does not begin with `events`.
pub(super) fn chain<'e, 's>(expr: &'e Expr<'s>) -> Option<(&'e [CallArg<'s>], Vec<Link<'e, 's>>)> {
    let mut links = Vec::new();
    let mut at = expr;
    loop {
        let Expr::Call(call) = at else {
            return None;
        };
        match &call.expr {
            Expr::Var(var) if var.id == "events" => {
                links.reverse();
                return Some((&call.args, links));
            }
            Expr::GetAttr(get) => {
                links.push(Link { name: get.name, args: &call.args, expr: at });
                at = &get.expr;
            }
            _ => return None,
        }
    }
}

//! Finding the value of a term.

use std::borrow::Cow;

use super::events::{Ask, aggregate};
use super::{Evaluator, Found};
use crate::domain::expression::convert::{convert, from_jinja, to_jinja};
use crate::domain::expression::leaf::JinjaLeaf;
use crate::domain::expression::tree::{CallField, Node, Path, PathStep, Root, Term, TermKind};
use crate::domain::expression::truth::{Reason, TOO_MANY_STEPS, Truth};
use crate::domain::value::{Members, Value};

impl<'a> Evaluator<'a> {
    pub(super) fn term(&mut self, term: &'a Term) -> Found<'a> {
        match &term.kind {
            TermKind::Literal(value) => Found::Value(Cow::Borrowed(value)),
            TermKind::Path(path) => self.path(term, path),
            TermKind::Consent(category) => self.consent(term, category),
            TermKind::Id(kind) => self.id(term, kind),
            TermKind::Call(field) => self.call_field(term, *field),
            TermKind::Now => Found::owned(Value::Timestamp(self.facts.now)),
            TermKind::Default { of, fallback, replaces_falsy } => self.default(of, fallback, *replaces_falsy),
            TermKind::Convert(to, of) => match self.term(of) {
                Found::Value(value) => match (self.pay_for(&of.text, &value), convert(*to, &value)) {
                    (Err(reason), _) => Found::Unknown(reason),
                    (Ok(()), Some(converted)) => Found::owned(converted),
                    (Ok(()), None) => Found::Missing(Reason::unfit(&of.text, &value, "does not convert")),
                },
                absent => absent,
            },
            TermKind::Events(events) => match Ask::settle(events, self.facts) {
                Ok(ask) => aggregate(&ask, &events.aggregate, self.facts, &term.text),
                Err(reason) => Found::Unknown(reason),
            },
            TermKind::List(terms) => self.list(terms),
            TermKind::If(parts) => self.value_choice(term, parts),
            TermKind::FirstTruthy(pair) => self.choose(pair, true),
            TermKind::FirstFalsy(pair) => self.choose(pair, false),
            TermKind::Truth(node) => match self.node(node) {
                Truth::True => Found::owned(Value::Boolean(true)),
                Truth::False => Found::owned(Value::Boolean(false)),
                Truth::Unknown(reason) => Found::Unknown(reason),
            },
            TermKind::Jinja(leaf) => self.leaf(term, leaf),
        }
    }

    fn path(&self, term: &Term, path: &Path) -> Found<'a> {
        let missing = || Found::Missing(Reason::missing(&term.text));
        let map: &'a Members = match path.root {
            Root::Body | Root::Item => {
                let request = self.facts.request;
                let whole = request.and_then(|request| match path.root {
                    Root::Item => request.item.as_ref(),
                    _ => request.body.as_ref(),
                });
                return whole.and_then(|whole| walk(whole, &path.steps)).map_or_else(missing, Found::Value);
            }
            Root::Consents => return self.consents(term),
            root => match self.map(root) {
                Some(map) if path.steps.is_empty() => return Found::owned(Value::Object(map.clone())),
                Some(map) => map,
                None => return missing(),
            },
        };
        let Some((PathStep::Name(name), rest)) = path.steps.split_first() else {
            return missing();
        };
        map.get(name.as_ref()).and_then(|value| walk(value, rest)).map_or_else(missing, Found::Value)
    }

    fn map(&self, root: Root) -> Option<&'a std::sync::Arc<Members>> {
        match root {
            Root::Customer => self.facts.customer.map(|customer| &customer.attributes),
            Root::Params => self.facts.call.map(|call| &call.params),
            Root::Headers => self.facts.request.map(|request| &request.headers),
            Root::Query => self.facts.request.map(|request| &request.query),
            Root::Body | Root::Item | Root::Consents => None,
        }
    }

    fn consents(&self, term: &Term) -> Found<'a> {
        let Some(customer) = self.facts.customer else {
            return Found::Missing(Reason::missing(&term.text));
        };
        let defaults = self.facts.call.into_iter().flat_map(|call| call.consent_defaults.iter());
        let all = defaults.chain(customer.consents.iter());
        let object = all.map(|(name, given)| (name.clone(), Value::Boolean(*given))).collect();
        Found::owned(Value::Object(std::sync::Arc::new(object)))
    }

    fn consent(&self, term: &Term, category: &str) -> Found<'a> {
        let Some(customer) = self.facts.customer else {
            return Found::Missing(Reason::missing(&term.text));
        };
        let default = || self.facts.call.and_then(|call| call.consent_defaults.get(category).copied());
        let given = customer.consents.get(category).copied().or_else(default);
        Found::owned(Value::Boolean(given.unwrap_or(false)))
    }

    fn id(&self, term: &Term, kind: &str) -> Found<'a> {
        match self.facts.customer.and_then(|customer| customer.ids.get(kind)) {
            Some(id) => Found::owned(Value::text(id.as_str())),
            None => Found::Missing(Reason::missing(&term.text)),
        }
    }

    fn call_field(&self, term: &Term, field: CallField) -> Found<'a> {
        let Some(call) = self.facts.call else {
            return Found::Missing(Reason::missing(&term.text));
        };
        Found::owned(match field {
            CallField::Id => Value::text(call.id.as_str()),
            CallField::Trigger => Value::text(call.trigger.as_str()),
            CallField::ReceivedAt => Value::Timestamp(call.received_at),
        })
    }

    fn default(&mut self, of: &'a Term, fallback: &'a Term, replaces_falsy: bool) -> Found<'a> {
        match self.term(of) {
            Found::Missing(_) => self.term(fallback),
            Found::Value(value) if replaces_falsy && !value.is_truthy() => self.term(fallback),
            found => found,
        }
    }

    /// A list with a missing element is not known: leaving it out would make it another list.
    fn list(&mut self, terms: &'a [Term]) -> Found<'a> {
        let mut values = Vec::with_capacity(terms.len());
        for term in terms {
            match self.term(term).known() {
                Ok(value) => values.push(value.into_owned()),
                Err(reason) => return Found::Unknown(reason),
            }
        }
        Found::owned(Value::List(values.into()))
    }

    fn value_choice(&mut self, term: &Term, parts: &'a (Node, Term, Option<Term>)) -> Found<'a> {
        match (self.node(&parts.0), &parts.2) {
            (Truth::True, _) => self.term(&parts.1),
            (Truth::False, Some(otherwise)) => self.term(otherwise),
            (Truth::False, None) => Found::Missing(Reason::missing(&term.text)),
            (Truth::Unknown(reason), _) => Found::Unknown(reason),
        }
    }

    fn choose(&mut self, [first, second]: &'a [Term; 2], keep: bool) -> Found<'a> {
        match self.term(first) {
            Found::Value(value) if value.is_truthy() == keep => Found::Value(value),
            Found::Missing(reason) if !keep => Found::Missing(reason),
            Found::Unknown(reason) => Found::Unknown(reason),
            Found::Value(_) | Found::Missing(_) => self.term(second),
        }
    }

    fn leaf(&mut self, term: &Term, leaf: &'a JinjaLeaf) -> Found<'a> {
        let mut captured = Vec::with_capacity(leaf.captured.len());
        for part in &leaf.captured {
            match self.term(part) {
                Found::Value(value) => captured.push(to_jinja(&value)),
                Found::Missing(reason) if leaf.passes_absence => return Found::Missing(reason),
                Found::Missing(reason) | Found::Unknown(reason) => return Found::Unknown(reason),
            }
        }
        let (result, units) = leaf.evaluate(captured);
        if let Err(reason) = self.pay(&term.text, units) {
            return Found::Unknown(reason);
        }
        let said = |error: minijinja::Error| match error.kind() {
            minijinja::ErrorKind::OutOfFuel => TOO_MANY_STEPS.to_owned(),
            _ => error.to_string(),
        };
        match result.map_err(said).and_then(|value| from_jinja(&value)) {
            Ok(Some(value)) => Found::owned(value),
            Ok(None) => Found::Missing(Reason::missing(&term.text)),
            Err(error) => Found::Unknown(Reason::failed(&term.text, error)),
        }
    }
}

/// Follows a path; through anything that has no such part it is missing. A text has characters, as in Jinja.
pub(super) fn walk<'v>(value: &'v Value, steps: &[PathStep]) -> Option<Cow<'v, Value>> {
    let Some((step, rest)) = steps.split_first() else {
        // An element that is null is missing.
        return (*value != Value::Null).then_some(Cow::Borrowed(value));
    };
    match (value, step) {
        (Value::Object(object), PathStep::Name(name)) => walk(object.get(name.as_ref())?, rest),
        (Value::List(list), PathStep::Index(index)) => walk(list.get(position(*index, list.len())?)?, rest),
        (Value::Text(text), PathStep::Index(index)) => {
            let character = text.chars().nth(position(*index, text.chars().count())?)?;
            let character = Value::text(character.to_string());
            walk(&character, rest).map(|part| Cow::Owned(part.into_owned()))
        }
        _ => None,
    }
}

fn position(index: i64, length: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

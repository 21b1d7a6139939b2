//! Names that stand for nothing here, each with what was probably meant.

use minijinja::machinery::ast::{self, Expr};

use super::super::problem::{ExpressionProblem, nearest};
use super::super::scope::Place;
use super::names::{FilterClass, classify_filter};
use super::node::is_none_word;
use super::{Compiler, words};

impl Compiler<'_> {
    pub(super) fn refuse_method<T>(&mut self, expr: &Expr<'_>, call: &ast::Call<'_>) -> Option<T> {
        let span = self.span(expr);
        let Expr::GetAttr(get) = &call.expr else {
            return self.refuse(ExpressionProblem::error(span, "this cannot be called"));
        };
        if let Some((begin, name)) = called_first(&get.expr)
            && !self.scope.place.functions().contains(&name)
        {
            return self.refuse_function(begin, name);
        }
        let problem = ExpressionProblem::error(span, format!("values have no method `{}`", get.name));
        if let Some(remedy) = words::remedy_for_function(get.name) {
            return self.refuse(problem.remedy(remedy));
        }
        self.refuse(match classify_filter(get.name) {
            FilterClass::Plain => problem.remedy(format!("write it as a filter: `… | {}`", get.name)),
            _ => problem.remedy("only `events(…)` has methods"),
        })
    }

    pub(super) fn refuse_function<T>(&mut self, expr: &Expr<'_>, name: &str) -> Option<T> {
        let span = self.span(expr);
        if name == "abort" {
            let problem = ExpressionProblem::error(span, "`abort` stands in contents only");
            return self.refuse(problem.remedy("to pass a customer over, make this condition false"));
        }
        if name == "events" {
            let problem =
                ExpressionProblem::error(span, "a trigger's `where` sees no customer, and so no events");
            return self.refuse(problem.remedy("move it into the audience"));
        }
        let functions = self.scope.place.functions();
        let problem = ExpressionProblem::error(span, format!("there is no function `{name}` here"));
        if let Some(remedy) = words::remedy_for_function(name) {
            return self.refuse(problem.remedy(remedy));
        }
        let lower = name.to_ascii_lowercase();
        if let FilterClass::Plain = classify_filter(&lower) {
            return self.refuse(problem.remedy(format!("write it as a filter: `… | {lower}`")));
        }
        self.refuse(match nearest(name, functions.iter().copied()) {
            Some("events") => {
                let call = self.text(&self.span(expr));
                problem
                    .remedy(format!("did you mean `events{}`?", call.strip_prefix(name).unwrap_or_default()))
            }
            Some(near) => problem.remedy(format!("did you mean `{near}`?")),
            None => problem.remedy(format!("there are: {}", functions.join(", "))),
        })
    }

    pub(super) fn refuse_root<T>(&mut self, expr: &Expr<'_>, name: &str) -> Option<T> {
        let span = self.span(expr);
        let problem = ExpressionProblem::error(span.clone(), format!("there is no `{name}` here"));
        if let Some(problem) = self.hyphenated(&span) {
            return self.refuse(problem);
        }
        let roots = self.scope.place.roots();
        if is_none_word(name) {
            return self.refuse(
                problem.remedy("what is not there is missing: write `… is defined` or `… is undefined`"),
            );
        }
        if self.scope.place == Place::Trigger && Place::Customer.roots().contains(&name) {
            return self
                .refuse(problem.remedy("a trigger's `where` sees no customer; move this into the audience"));
        }
        if self.scope.parameter_names().any(|known| known == name) {
            return self.refuse(problem.remedy(format!("did you mean `params.{name}`?")));
        }
        if let Some(remedy) = words::remedy_for_root(name) {
            let remedy = match self.scope.place {
                Place::Request | Place::Element => remedy.replace("`params`", "`body`"),
                _ => remedy,
            };
            return self.refuse(problem.remedy(remedy));
        }
        self.refuse(match nearest(name, roots.iter().copied()) {
            Some(near) => problem.remedy(format!("did you mean `{near}`? a text is written in quotes")),
            None => problem.remedy(format!("there are: {}; a text is written in quotes", roots.join(", "))),
        })
    }
}

impl Compiler<'_> {
    /// `tier` of `customer.loyalty-tier`, which is a subtraction: what a name with a hyphen is written like.
    fn hyphenated(&self, of: &std::ops::Range<usize>) -> Option<ExpressionProblem> {
        let before = self.source.get(..of.start)?.strip_suffix('-')?;
        let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let begin = before.len() - before.chars().rev().take_while(|c| in_name(*c)).count();
        let behind = self.source.get(of.end..)?;
        let end = of.end + behind.find(|c: char| !in_name(c) || c == '.').unwrap_or(behind.len());
        let whole = self.source.get(begin..end)?;
        let (object, name) =
            whole.split_at_checked(whole.find('-').and_then(|at| whole[..at].rfind('.'))?)?;
        let name = name.trim_start_matches('.');
        let problem = ExpressionProblem::error(
            begin..end,
            format!("`{whole}` is a subtraction here, as `-` is a minus"),
        );
        Some(match object {
            "params" => problem.remedy(format!("declare the parameter `{name}`, or correct its name")),
            _ => problem.remedy(format!("write `{object}[\"{name}\"]`")),
        })
    }
}

/// The function that `f(…).a(…).b` begins with.
fn called_first<'e, 's>(expr: &'e Expr<'s>) -> Option<(&'e Expr<'s>, &'s str)> {
    match expr {
        Expr::GetAttr(get) => called_first(&get.expr),
        Expr::Call(call) => match &call.expr {
            Expr::Var(var) => Some((expr, var.id)),
            inner => called_first(inner),
        },
        _ => None,
    }
}

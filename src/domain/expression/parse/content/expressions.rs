//! Checking the names in a template's expressions.

use minijinja::machinery::ast::{self, BinOpKind, CallArg, Expr};

use super::super::super::problem::{ExpressionProblem, nearest};
use super::super::events::{METHODS, chain};
use super::super::names::{CONTENT_FILTERS, CONTENT_TESTS, filter_names, method_names};
use super::super::term::{Absence, unwind};
use super::super::{Compiler, guards, words};

/// Functions that a content may call beside those of conditions.
const FUNCTIONS: &[&str] = &[
    "abort",
    "cycler",
    "dict",
    "events",
    "joiner",
    "namespace",
    "number",
    "range",
    "text",
    "timedelta",
    "timestamp",
];

impl Compiler<'_> {
    /// Checks the names in an expression.
    pub(super) fn check(&mut self, expr: &Expr<'_>) {
        self.check_with(expr, Absence::Uncaught);
    }

    fn check_with(&mut self, expr: &Expr<'_>, absence: Absence) {
        match expr {
            Expr::Const(_) => {}
            Expr::Var(_) | Expr::GetAttr(_) | Expr::GetItem(_) => self.check_path(expr, absence),
            Expr::Call(call) => self.check_call(call, Some(expr)),
            Expr::Filter(filter) => self.check_content_filter(expr, filter),
            Expr::Test(test) => self.check_content_test(expr, test),
            Expr::BinOp(op) if matches!(op.op, BinOpKind::ScAnd) => {
                self.check(&op.left);
                let outside = self.guards.clone();
                self.guards = outside.where_holds(&op.left, self.scope);
                self.check(&op.right);
                self.guards = outside;
            }
            Expr::BinOp(op) => [&op.left, &op.right].into_iter().for_each(|side| self.check(side)),
            Expr::Compare(chain) => {
                self.check(&chain.expr);
                chain.ops.iter().for_each(|op| self.check(&op.expr));
            }
            Expr::UnaryOp(op) => self.check(&op.expr),
            Expr::IfExpr(choice) => self.check_choice(choice),
            Expr::Slice(slice) => {
                self.check(&slice.expr);
                [&slice.start, &slice.stop, &slice.step]
                    .into_iter()
                    .flatten()
                    .for_each(|bound| self.check(bound));
            }
            Expr::List(list) => list.items.iter().for_each(|item| self.check(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.check(item)),
            Expr::Map(map) => map.keys.iter().chain(&map.values).for_each(|part| self.check(part)),
        }
    }

    fn check_choice(&mut self, choice: &ast::IfExpr<'_>) {
        self.check_test(&choice.test_expr);
        self.check(&choice.test_expr);
        let outside = self.guards.clone();
        self.guards = outside.where_holds(&choice.test_expr, self.scope);
        self.check(&choice.true_expr);
        self.guards = outside.where_fails(&choice.test_expr, self.scope);
        choice.false_expr.iter().for_each(|otherwise| self.check(otherwise));
        self.guards = outside;
    }

    fn check_path(&mut self, expr: &Expr<'_>, absence: Absence) {
        let Some((base, steps)) = unwind(expr) else {
            return self.check_dynamic(expr);
        };
        let Expr::Var(var) = base else {
            return self.check(base);
        };
        if self.is_local(var.id) {
            return;
        }
        match var.id {
            "params" => {
                let _ = self.check_param(expr, &steps, absence);
            }
            "ids" if !steps.is_empty() => {
                let _ = self.id(expr, &steps);
            }
            "customer" => self.warn_of_id(expr, &steps),
            "call" if !steps.is_empty() => {
                let _ = self.call_field(expr, &steps);
            }
            name if self.scope.place.roots().contains(&name) => {}
            name => {
                let _: Option<()> = self.refuse_root(base, name);
            }
        }
    }

    /// `a[b]` with a `b` that is not known before the run.
    fn check_dynamic(&mut self, expr: &Expr<'_>) {
        match expr {
            Expr::GetAttr(get) => self.check(&get.expr),
            Expr::GetItem(get) => {
                self.check(&get.expr);
                self.check(&get.subscript_expr);
            }
            other => self.check(other),
        }
    }

    pub(super) fn check_call(&mut self, call: &ast::Call<'_>, expr: Option<&Expr<'_>>) {
        if let Some((base, links)) = expr.and_then(chain) {
            self.check_events(base);
            for link in &links {
                if !METHODS.contains(&link.name) {
                    let span = self.span(link.expr);
                    let _: Option<()> = self.refuse_event_method(span, link.name);
                }
                self.check_arguments(link.args);
            }
            return;
        }
        self.check_arguments(&call.args);
        match &call.expr {
            Expr::Var(var) if self.is_local(var.id) || FUNCTIONS.contains(&var.id) => {}
            Expr::Var(var) => {
                let problem = ExpressionProblem::error(
                    self.span(&call.expr),
                    format!("there is no function `{}`", var.id),
                );
                if let Some(remedy) = words::remedy_for_function(var.id) {
                    return self.complain(problem.remedy(remedy));
                }
                self.complain(match nearest(var.id, FUNCTIONS.iter().copied()) {
                    Some(near) => problem.remedy(format!("did you mean `{near}`?")),
                    None => problem.remedy(format!("there are: {}", FUNCTIONS.join(", "))),
                });
            }
            Expr::GetAttr(get) => {
                self.check(&get.expr);
                self.check_method(&call.expr, get);
            }
            other => self.check(other),
        }
    }

    /// Whether anything has a method of that name; which value has it only rendering can tell.
    fn check_method(&mut self, expr: &Expr<'_>, get: &ast::GetAttr<'_>) {
        let is_block = matches!(&get.expr, Expr::Var(var) if var.id == "self");
        // A name that the template gave may hold events.
        let may_be_events = METHODS.contains(&get.name) && self.begins_locally(&get.expr);
        if is_block || may_be_events || method_names().any(|known| known == get.name) {
            return;
        }
        let problem =
            ExpressionProblem::error(self.span(expr), format!("there is no method `.{}(…)`", get.name));
        self.complain(match nearest(get.name, method_names()) {
            Some(near) => problem.remedy(format!("did you mean `.{near}(…)`?")),
            None => problem,
        });
    }

    /// Whether a chain of members, elements and calls begins at a name that the template gave.
    fn begins_locally(&self, expr: &Expr<'_>) -> bool {
        match expr {
            Expr::Var(var) => self.is_local(var.id),
            Expr::GetAttr(get) => self.begins_locally(&get.expr),
            Expr::GetItem(get) => self.begins_locally(&get.expr),
            Expr::Call(call) => self.begins_locally(&call.expr),
            _ => false,
        }
    }

    fn check_events(&mut self, args: &[CallArg<'_>]) {
        let Some((CallArg::Pos(event_type), rest)) = args.split_first() else {
            return;
        };
        self.check_arguments(rest);
        // A name that the template gave is not known before the customers are read; `event_type` refuses it.
        if let Some(term) = self.event_type(event_type) {
            self.walk.event_types.push(term);
        }
    }

    fn check_arguments(&mut self, arguments: &[CallArg<'_>]) {
        for argument in arguments {
            match argument {
                CallArg::Pos(expr)
                | CallArg::Kwarg(_, expr)
                | CallArg::PosSplat(expr)
                | CallArg::KwargSplat(expr) => self.check(expr),
            }
        }
    }

    fn check_content_filter(&mut self, expr: &Expr<'_>, filter: &ast::Filter<'_>) {
        self.check_arguments(&filter.args);
        let catches = matches!(filter.name, "default" | "d");
        let absence = if catches { Absence::Caught } else { Absence::Uncaught };
        filter.expr.iter().for_each(|of| self.check_with(of, absence));
        if !CONTENT_FILTERS.iter().any(|names| names.contains(&filter.name)) {
            self.complain_of_filter(expr, filter.name);
        }
        if let ("map", Some(CallArg::Pos(name))) = (filter.name, filter.args.first())
            && let Some(name) = guards::text(name)
            && !CONTENT_FILTERS.iter().any(|names| names.contains(&name))
        {
            self.complain_of_filter(expr, name);
        }
    }

    fn complain_of_filter(&mut self, expr: &Expr<'_>, name: &str) {
        let problem = ExpressionProblem::error(self.span(expr), format!("there is no filter `{name}`"));
        if let Some(remedy) = words::remedy_for_filter(name) {
            return self.complain(problem.remedy(remedy));
        }
        self.complain(match nearest(name, filter_names()) {
            Some(near) => problem.remedy(format!("did you mean `{near}`?")),
            None => problem,
        });
    }

    fn check_content_test(&mut self, expr: &Expr<'_>, test: &ast::Test<'_>) {
        self.check_arguments(&test.args);
        let catches = matches!(test.name, "defined" | "undefined");
        self.check_with(&test.expr, if catches { Absence::Caught } else { Absence::Uncaught });
        if !CONTENT_TESTS.contains(&test.name) {
            let problem =
                ExpressionProblem::error(self.span(expr), format!("there is no test `{}`", test.name));
            if let Some(remedy) = words::remedy_for_test(test.name) {
                return self.complain(problem.remedy(remedy));
            }
            self.complain(match nearest(test.name, CONTENT_TESTS.iter().copied()) {
                Some(near) => problem.remedy(format!("did you mean `is {near}`?")),
                None => problem,
            });
        }
    }
}

//! Walking a template's statements, with the names that each gives to what is inside it.

use std::collections::BTreeMap;

use minijinja::machinery::ast::{self, Expr, Stmt};

use super::super::super::problem::{ExpressionProblem, nearest};
use super::super::Compiler;

type Texts = BTreeMap<String, String>;

impl Compiler<'_> {
    pub(super) fn statements(&mut self, statements: &[Stmt<'_>], texts: &Texts) {
        for statement in statements {
            self.statement(statement, texts);
        }
    }

    fn statement(&mut self, statement: &Stmt<'_>, texts: &Texts) {
        match statement {
            Stmt::Template(template) => self.statements(&template.children, texts),
            Stmt::EmitExpr(emit) => self.check(&emit.expr),
            Stmt::EmitRaw(of) => self.check_raw(of),
            Stmt::ForLoop(of) => self.for_loop(of, texts),
            Stmt::IfCond(of) => self.if_cond(of, texts),
            Stmt::WithBlock(of) => {
                of.assignments.iter().for_each(|(_, value)| self.check(value));
                let names: Vec<&str> =
                    of.assignments.iter().flat_map(|(target, _)| targets(target)).collect();
                self.in_frame(&names, |inside| inside.statements(&of.body, texts));
            }
            Stmt::Set(of) => {
                self.check(&of.expr);
                targets(&of.target).into_iter().for_each(|name| self.give(name));
            }
            Stmt::SetBlock(of) => {
                self.in_frame(&[], |inside| inside.statements(&of.body, texts));
                of.filter.iter().for_each(|filter| self.check(filter));
                targets(&of.target).into_iter().for_each(|name| self.give(name));
            }
            Stmt::AutoEscape(of) => {
                self.check(&of.enabled);
                self.statements(&of.body, texts);
            }
            Stmt::FilterBlock(of) => {
                self.check(&of.filter);
                self.statements(&of.body, texts);
            }
            Stmt::Block(of) => self.in_frame(&[], |inside| inside.statements(&of.body, texts)),
            Stmt::Macro(of) => self.declare_macro(of, texts),
            Stmt::CallBlock(of) => {
                self.check_call(&of.call, None);
                self.macro_body(&of.macro_decl, texts);
            }
            Stmt::Do(of) => self.check_call(&of.call, None),
            Stmt::Include(of) => self.include(&of.name, texts),
            Stmt::Import(of) => self.refuse_import(&of.expr),
            Stmt::FromImport(of) => self.refuse_import(&of.expr),
            Stmt::Extends(of) => self.refuse_import(&of.name),
        }
    }

    fn for_loop(&mut self, of: &ast::ForLoop<'_>, texts: &Texts) {
        self.check(&of.iter);
        let mut names = targets(&of.target);
        names.push("loop");
        self.in_frame(&names, |inside| {
            of.filter_expr.iter().for_each(|filter| {
                inside.check_test(filter);
                inside.check(filter);
            });
            inside.statements(&of.body, texts);
        });
        self.statements(&of.else_body, texts);
    }

    fn if_cond(&mut self, of: &ast::IfCond<'_>, texts: &Texts) {
        self.check_test(&of.expr);
        self.check(&of.expr);
        let outside = self.guards.clone();
        self.guards = outside.where_holds(&of.expr, self.scope);
        self.statements(&of.true_body, texts);
        self.guards = outside.where_fails(&of.expr, self.scope);
        self.statements(&of.false_body, texts);
        self.guards = outside;
    }

    fn declare_macro(&mut self, of: &ast::Macro<'_>, texts: &Texts) {
        self.give(of.name);
        self.macro_body(of, texts);
    }

    fn macro_body(&mut self, of: &ast::Macro<'_>, texts: &Texts) {
        of.defaults.iter().for_each(|default| self.check(default));
        let mut names: Vec<&str> = of.args.iter().flat_map(targets).collect();
        names.push("caller");
        self.in_frame(&names, |inside| inside.statements(&of.body, texts));
    }

    fn include(&mut self, name: &Expr<'_>, texts: &Texts) {
        let span = self.span(name);
        let Some(text) = super::super::guards::text(name) else {
            let problem = ExpressionProblem::error(
                span,
                "what is included is named by a text, so that it can be checked",
            );
            return self.complain(problem);
        };
        if texts.contains_key(text) {
            self.walk.includes.push(text.to_owned());
            return;
        }
        let problem = ExpressionProblem::error(span, format!("there is no text `{text}` to include"));
        self.complain(match nearest(text, texts.keys().map(String::as_str)) {
            Some(near) => problem.remedy(format!("did you mean `{near}`?")),
            None if texts.is_empty() => problem.remedy("only texts of a ConfigMap can include others of it"),
            None => problem.remedy("add the key to the ConfigMap"),
        });
    }

    fn refuse_import(&mut self, name: &Expr<'_>) {
        let problem = ExpressionProblem::error(self.span(name), "contents know no `import` and no `extends`");
        self.complain(problem.remedy("use `{% include %}`"));
    }
}

/// The names that an assignment gives.
fn targets<'e>(target: &'e Expr<'_>) -> Vec<&'e str> {
    match target {
        Expr::Var(var) => vec![var.id],
        Expr::List(list) => list.items.iter().flat_map(targets).collect(),
        Expr::Tuple(tuple) => tuple.items.iter().flat_map(targets).collect(),
        _ => Vec::new(),
    }
}

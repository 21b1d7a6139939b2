//! What calls and customers may hold: the values that a template is tried with.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use minijinja::machinery::ast::{Expr, Stmt};

use super::metered::unmetered;
use super::template::Template;
use crate::domain::expression::{from_jinja, parse_whole_template};
use crate::domain::jinja::each_expression;
use crate::domain::value::{Kind, Members, Value};

/// How many values that the template compares with are tried.
const CONSTANTS_MAX: usize = 12;

/// What calls and customers may hold.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// The triggers that may start it: name and parameters.
    pub triggers: Vec<(String, BTreeMap<String, SampleParameter>)>,
    /// What the store has seen of customers' attributes, by path; nothing is known of one that is not here.
    pub attributes: Arc<AttributesSeen>,
}

/// What the store has seen of customers' attributes, by path: `city`, `address.zip`.
pub type AttributesSeen = BTreeMap<String, AttributeSeen>;

/// A declared parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleParameter {
    /// The kind of its values.
    pub kind: Kind,
    /// Whether a call may come without it.
    pub may_be_missing: bool,
}

/// What customers have as one attribute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttributeSeen {
    /// The kinds of its values.
    pub kinds: BTreeSet<Kind>,
    /// Whether some customers lack it, or have none of it.
    pub missing: bool,
}

/// What a template reads, and what it compares with.
#[derive(Default)]
pub(super) struct Reads {
    paths: BTreeSet<Vec<String>>,
    constants: Vec<Value>,
}

impl Reads {
    pub fn of(template: &Template) -> Self {
        let mut reads = Reads::default();
        for (_, part) in template.environment.templates() {
            let source = unmetered(part.source(), 0).0;
            let Ok(Stmt::Template(parsed)) = parse_whole_template(&source) else {
                continue;
            };
            each_expression(&parsed.children, &mut |expr| reads.note(expr));
        }
        reads
    }

    fn note(&mut self, expr: &Expr<'_>) {
        if let Some(path) = path_of(expr) {
            self.paths.insert(path);
        }
        let Expr::Const(constant) = expr else { return };
        if let Ok(Some(value @ (Value::Text(_) | Value::Number(_)))) = from_jinja(&constant.value)
            && self.constants.len() < CONSTANTS_MAX
            && !self.constants.contains(&value)
        {
            self.constants.push(value);
        }
    }

    /// Whether nothing of a call or a customer is read: the text is the same for all.
    pub fn is_constant(&self) -> bool {
        let varies = |root: &str| {
            matches!(root, "customer" | "params" | "call" | "consents" | "ids" | "now" | "events")
        };
        !self.paths.iter().any(|path| varies(&path[0]))
    }

    /// The values to make up: what is read and is no object around another.
    pub fn leaves(&self, parameters: &BTreeMap<String, SampleParameter>, seen: &AttributesSeen) -> Vec<Leaf> {
        // In their order a path that goes on comes next to the one that it begins with.
        let is_leaf = |path: &Vec<String>| {
            let next = self.paths.range::<Vec<String>, _>((Bound::Excluded(path), Bound::Unbounded)).next();
            path.len() > 1 && !next.is_some_and(|next| next.starts_with(path))
        };
        let mut leaves: Vec<Leaf> = self
            .paths
            .iter()
            .filter(|path| is_leaf(path))
            .filter_map(|path| match path[0].as_str() {
                "customer" => Some(self.of_customer(path, seen)),
                "params" => self.of_call(path, parameters),
                _ => None,
            })
            .collect();
        // What the template does not read is there as well, as in a call.
        for (name, parameter) in parameters {
            if !leaves.iter().any(|leaf| leaf.path[0] == "params" && leaf.path[1] == *name) {
                let path = vec!["params".to_owned(), name.clone()];
                leaves.push(Leaf { path, candidates: of_kind(parameter.kind), ..Leaf::default() });
            }
        }
        leaves
    }

    fn of_customer(&self, path: &[String], seen: &AttributesSeen) -> Leaf {
        let name = path[1..].join(".");
        let mut candidates = of_any_kind();
        candidates.extend(self.constants.iter().cloned());
        let seen = seen.get(&name).cloned().unwrap_or_default();
        Leaf { path: path.to_vec(), candidates, seen, ..Leaf::default() }
    }

    fn of_call(&self, path: &[String], parameters: &BTreeMap<String, SampleParameter>) -> Option<Leaf> {
        let parameter = parameters.get(path.get(1)?)?;
        let mut candidates = match path.len() {
            2 => of_kind(parameter.kind),
            _ => of_any_kind(),
        };
        if path.len() > 2 || matches!(parameter.kind, Kind::Text | Kind::Number) {
            let fits = |value: &&Value| path.len() > 2 || value.kind() == parameter.kind;
            candidates.extend(self.constants.iter().filter(fits).cloned());
        }
        let seen = AttributeSeen {
            missing: parameter.may_be_missing && path.len() == 2,
            ..AttributeSeen::default()
        };
        Some(Leaf { path: path.to_vec(), candidates, seen, ..Leaf::default() })
    }
}

/// `customer.a.b` of an expression; `None` if a step is not known before it is rendered.
pub(super) fn path_of(expr: &Expr<'_>) -> Option<Vec<String>> {
    match expr {
        Expr::Var(var) => Some(vec![var.id.to_owned()]),
        Expr::GetAttr(get) => {
            let mut path = path_of(&get.expr)?;
            path.push(get.name.to_owned());
            Some(path)
        }
        Expr::GetItem(get) => {
            let Expr::Const(step) = &get.subscript_expr else { return None };
            let mut path = path_of(&get.expr)?;
            path.push(step.value.as_str()?.to_owned());
            Some(path)
        }
        _ => None,
    }
}

fn of_kind(kind: Kind) -> Vec<Value> {
    match kind {
        Kind::Text => ["Ann", "42", "2026-11-01T12:00:00Z"].map(Value::text).to_vec(),
        Kind::Number => vec![Value::integer(5), Value::integer(0)],
        Kind::Boolean => vec![Value::Boolean(true), Value::Boolean(false)],
        Kind::Timestamp => vec![Value::Timestamp(NOW)],
        Kind::List => {
            let list = |items: Vec<Value>| Value::List(items.into());
            vec![
                list(["a", "b"].map(Value::text).to_vec()),
                list(Vec::new()),
                list(vec![Value::integer(1), Value::integer(2)]),
            ]
        }
        Kind::Object => {
            let object = |members: Members| Value::Object(Arc::new(members));
            vec![
                object([("name".to_owned(), Value::text("Ann"))].into_iter().collect()),
                object(Members::default()),
            ]
        }
        // No attribute and no parameter is null.
        Kind::Null => Vec::new(),
    }
}

fn of_any_kind() -> Vec<Value> {
    [Kind::Text, Kind::Number, Kind::Boolean, Kind::Timestamp, Kind::List, Kind::Object]
        .into_iter()
        .flat_map(of_kind)
        .collect()
}

/// 2026-11-01T12:00:00Z: a moment for the samples, since a clock is not read here.
pub(super) const NOW: Timestamp = Timestamp::constant(1_793_534_400, 0);

/// One value that is made up.
#[derive(Default, Clone)]
pub(super) struct Leaf {
    pub path: Vec<String>,
    pub candidates: Vec<Value>,
    pub chosen: usize,
    /// Left out of the sample.
    pub absent: bool,
    /// What else it may be, as the store has seen or the trigger declares.
    pub seen: AttributeSeen,
}

//! Proving a template when it is loaded: it is rendered for customers and calls that are made up.
//!
//! A value whose kind is not declared is tried as each kind until the text can be written; a template that stops at
//! the same place with every one of them cannot be written for anybody. Bounded: so many renderings at most, each with
//! little fuel; what is not decided by then is let pass, and decided for each customer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minijinja::machinery::ast::Expr;
use minijinja::{Environment, ErrorKind};

use super::context::Subject;
use super::metered::unmetered;
use super::samples::{Leaf, NOW, Reads, Samples, path_of};
use super::template::{Failure, MAIN, Template, TemplateFinding, innermost};
use crate::domain::customer::{Customer, CustomerKey};
use crate::domain::expression::{CallFacts, ExpressionProblem, expression_around, parse_whole_expression};
use crate::domain::jinja::each_part;
use crate::domain::name::{CallId, TriggerName};
use crate::domain::time_budget::TimeBudget;
use crate::domain::value::{Kind, Members, Value};

/// How often one template is rendered at most.
const RENDERINGS_MAX: usize = 160;

/// What one of these renderings may cost. A mail of two pages uses a tenth; what needs more is not tried.
const FUEL: u64 = 4_000;

/// How many of these renderings one counts as that may cost as much as for a customer.
const RENDERINGS_OF_A_FULL_ONE: usize = 25;

/// How many values a template may read; one that reads more is not tried.
const LEAVES_MAX: usize = 300;

/// How many triggers of a scenario are tried.
const TRIGGERS_MAX: usize = 4;

impl Template {
    /// What sample values show. An error cannot be written for anybody; a warning names the value without which, or
    /// with which, it cannot. `texts` are those that it may include; `left` is what may still be spent.
    pub fn prove(
        &self,
        samples: &Samples,
        texts: &BTreeMap<String, String>,
        left: &mut RenderingsLeft,
    ) -> Vec<TemplateFinding> {
        let mut findings: Vec<TemplateFinding> = Vec::new();
        let reads = Reads::of(self);
        let none = (String::new(), BTreeMap::new());
        let calls = if samples.triggers.is_empty() { std::slice::from_ref(&none) } else { &samples.triggers };
        let mut proof = Proof::new(self, texts, reads.is_constant(), *left);
        for (trigger, parameters) in calls.iter().take(TRIGGERS_MAX) {
            let leaves = reads.leaves(parameters, &samples.attributes);
            if leaves.len() > LEAVES_MAX {
                break;
            }
            proof.of_call(trigger, leaves, &mut findings);
        }
        left.declared = left.declared.saturating_sub(proof.renderings);
        left.seen = left.seen.saturating_sub(proof.renderings_seen);
        findings
    }
}

/// How many renderings may still be spent on proofs: what one scenario's texts share.
#[derive(Debug, Clone, Copy)]
pub struct RenderingsLeft {
    /// On what is declared. By these a text is found to be wrong, the same for every process.
    pub declared: usize,
    /// On what the store has seen. These only warn, and take nothing from the others.
    pub seen: usize,
}

/// What the search for values with which the text can be written came to.
enum Verdict {
    Works,
    /// It stops at the same place with all of them.
    Never(Failure),
    Undecided,
}

struct Proof<'t> {
    template: &'t Template,
    texts: &'t BTreeMap<String, String>,
    environment: Environment<'static>,
    /// Whether the template reads nothing of a call or a customer.
    is_constant: bool,
    renderings: usize,
    renderings_max: usize,
    /// Those with what the store has seen.
    renderings_seen: usize,
    renderings_seen_max: usize,
    trigger: String,
    /// Warnings met on the way.
    noticed: Vec<TemplateFinding>,
}

impl<'t> Proof<'t> {
    fn new(
        template: &'t Template,
        texts: &'t BTreeMap<String, String>,
        is_constant: bool,
        left: RenderingsLeft,
    ) -> Self {
        let mut environment = (*template.environment).clone();
        environment.set_fuel(Some(FUEL));
        Proof {
            template,
            texts,
            environment,
            is_constant,
            renderings: 0,
            renderings_max: RENDERINGS_MAX.min(left.declared),
            renderings_seen: 0,
            renderings_seen_max: RENDERINGS_MAX.min(left.seen),
            trigger: String::new(),
            noticed: Vec::new(),
        }
    }

    fn of_call(&mut self, trigger: &str, mut leaves: Vec<Leaf>, findings: &mut Vec<TemplateFinding>) {
        trigger.clone_into(&mut self.trigger);
        match self.search(&mut leaves) {
            Verdict::Works => {
                std::mem::take(&mut self.noticed).into_iter().for_each(|warning| note(findings, warning));
                self.warn(&mut leaves, findings);
            }
            Verdict::Never(failure) => {
                let reason = self.template.reason(&failure, &self.subject(&leaves));
                let message = format!("this cannot be written for any customer: {reason}");
                let finding = self.finding(&failure, |span| ExpressionProblem::error(span, message));
                note(findings, finding);
            }
            Verdict::Undecided => {}
        }
    }

    fn attempt(&mut self, leaves: &[Leaf]) -> Result<(), Failure> {
        self.renderings += 1;
        self.render(leaves)
    }

    /// With a value of this leaf that is otherwise for some; `None` if nothing is left for it.
    fn attempt_seen(&mut self, leaves: &[Leaf], index: usize) -> Option<Result<(), Failure>> {
        if leaves[index].path[0] != "customer" {
            return (!self.is_spent()).then(|| self.attempt(leaves));
        }
        if self.renderings_seen >= self.renderings_seen_max {
            return None;
        }
        self.renderings_seen += 1;
        Some(self.render(leaves))
    }

    fn render(&self, leaves: &[Leaf]) -> Result<(), Failure> {
        match self.template.attempt(&self.environment, &self.subject(leaves)) {
            Ok(_) | Err(Failure::Aborted(_)) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    fn is_spent(&self) -> bool {
        self.renderings >= self.renderings_max
    }

    /// Looks for values with which it can be written, from failure to failure.
    fn search(&mut self, leaves: &mut [Leaf]) -> Verdict {
        if self.is_spent() {
            return Verdict::Undecided;
        }
        let Err(mut failure) = self.attempt(leaves) else { return Verdict::Works };
        let mut places = BTreeSet::new();
        while places.insert(place(&failure)) {
            if is_limit(&failure) {
                return self.at_limit(&failure, leaves);
            }
            let read = self.read_at(&failure);
            let culprits: Vec<usize> = (0..leaves.len())
                .filter(|index| read.as_ref().is_none_or(|read| read.paths.contains(&leaves[*index].path)))
                .collect();
            let before = leaves.to_vec();
            let outcome = self.vary(leaves, &culprits, &failure);
            if outcome.is_some() {
                self.warn_of_value(&failure, &before, leaves);
            }
            match outcome {
                Some(Ok(())) => return Verdict::Works,
                Some(Err(later)) => failure = later,
                None if self.is_spent() => return Verdict::Undecided,
                None => return self.verdict(failure, read.as_ref(), leaves),
            }
        }
        Verdict::Undecided
    }

    /// What costs too much here may be done for a customer, with more fuel; what costs too much there as well, whatever
    /// is read, is done for nobody.
    fn at_limit(&mut self, failure: &Failure, leaves: &[Leaf]) -> Verdict {
        let reads_nothing = |failure: &Failure| {
            self.is_constant
                || self.read_at(failure).is_some_and(|read| read.paths.is_empty() && !read.has_unknown)
        };
        if !reads_nothing(failure) || self.renderings + RENDERINGS_OF_A_FULL_ONE > self.renderings_max {
            return Verdict::Undecided;
        }
        let verdict = match self.template.attempt(&self.template.environment, &self.subject(leaves)) {
            Err(again) if is_limit(&again) && reads_nothing(&again) => Verdict::Never(again),
            _ => Verdict::Undecided,
        };
        self.renderings += RENDERINGS_OF_A_FULL_ONE;
        verdict
    }

    /// That it stops with a number or a boolean that the call may hold.
    fn warn_of_value(&mut self, failure: &Failure, before: &[Leaf], after: &[Leaf]) {
        let mut changed = before.iter().zip(after).filter(|(before, after)| before.chosen != after.chosen);
        let (Some((leaf, after)), None) = (changed.next(), changed.next()) else { return };
        let Some(value @ (Value::Number(_) | Value::Boolean(_))) = leaf.candidates.get(leaf.chosen) else {
            return;
        };
        if leaf.path[0] != "params"
            || leaf.path.len() != 2
            || after.candidates[after.chosen].kind() != value.kind()
        {
            return;
        }
        let reason = self.template.reason(failure, &self.subject(before));
        let name = leaf.path.join(".");
        let message = format!("with `{name}` = {} this cannot be written: {reason}", value.to_json());
        let warning = self.finding(failure, |span| ExpressionProblem::warning(span, message));
        note(&mut self.noticed, warning);
    }

    /// Whether that it stops with all values says that it always does.
    fn verdict(&self, failure: Failure, read: Option<&ReadAt>, leaves: &[Leaf]) -> Verdict {
        let is_missing =
            matches!(&failure, Failure::Jinja(error) if innermost(error).kind() == ErrorKind::UndefinedError);
        let decided = match (&failure, read) {
            (Failure::NotJson(_), _) => !self.chooses() && leaves.len() <= self.renderings_max,
            (Failure::Jinja(_), Some(read)) => {
                // Three values of unknown kinds are not tried in all ways.
                let varied = leaves.iter().filter(|leaf| read.paths.contains(&leaf.path)).count();
                !is_missing && !read.has_unknown && varied <= 2
            }
            _ => false,
        };
        if decided { Verdict::Never(failure) } else { Verdict::Undecided }
    }

    /// Whether a part of the template is left out for some customers, so that no sample shows all of it.
    fn chooses(&self) -> bool {
        let is_choice = |source: &str| source.contains("{%") || source.contains(" if ");
        self.template.environment.templates().any(|(_, part)| is_choice(&unmetered(part.source(), 0).0))
    }

    /// Tries other values for those that are read where it stopped: one at a time, then two.
    fn vary(
        &mut self,
        leaves: &mut [Leaf],
        culprits: &[usize],
        failure: &Failure,
    ) -> Option<Result<(), Failure>> {
        let at = place(failure);
        for &index in culprits {
            let before = leaves[index].chosen;
            for candidate in 0..leaves[index].candidates.len() {
                if candidate == before || self.is_spent() {
                    continue;
                }
                leaves[index].chosen = candidate;
                match self.attempt(leaves) {
                    Ok(()) => return Some(Ok(())),
                    Err(other) if place(&other) != at => return Some(Err(other)),
                    Err(_) => {}
                }
            }
            leaves[index].chosen = before;
        }
        let before: Vec<usize> = culprits.iter().map(|index| leaves[*index].chosen).collect();
        for kind in [Kind::Number, Kind::Timestamp, Kind::List] {
            for index in culprits {
                let of_kind = leaves[*index].candidates.iter().position(|value| value.kind() == kind);
                leaves[*index].chosen = of_kind.unwrap_or(leaves[*index].chosen);
            }
            match self.attempt(leaves) {
                Ok(()) => return Some(Ok(())),
                Err(other) if place(&other) != at => return Some(Err(other)),
                Err(_) => {}
            }
        }
        culprits.iter().zip(before).for_each(|(index, chosen)| leaves[*index].chosen = chosen);
        let [first, second] = culprits else { return None };
        let before = (leaves[*first].chosen, leaves[*second].chosen);
        for one in 0..leaves[*first].candidates.len() {
            for two in 0..leaves[*second].candidates.len() {
                if self.is_spent() {
                    return None;
                }
                (leaves[*first].chosen, leaves[*second].chosen) = (one, two);
                match self.attempt(leaves) {
                    Ok(()) => return Some(Ok(())),
                    Err(other) if place(&other) != at => return Some(Err(other)),
                    Err(_) => {}
                }
            }
        }
        (leaves[*first].chosen, leaves[*second].chosen) = before;
        None
    }

    /// What may be otherwise for some, one after the other: missing, or of another kind.
    fn warn(&mut self, leaves: &mut [Leaf], findings: &mut Vec<TemplateFinding>) {
        for index in 0..leaves.len() {
            let name = leaves[index].path.join(".");
            if leaves[index].seen.missing {
                leaves[index].absent = true;
                if let Some(Err(failure)) = self.attempt_seen(leaves, index) {
                    let remedy = format!("write `{{% if {name} is defined %}}` or `{name} | default(…)`");
                    self.warn_of(&failure, leaves, &format!("without `{name}`"), &remedy, findings);
                }
                leaves[index].absent = false;
            }
            let chosen = leaves[index].chosen;
            for kind in leaves[index].seen.kinds.clone() {
                let of_kind = leaves[index].candidates.iter().position(|value| value.kind() == kind);
                let Some(candidate) = of_kind else { continue };
                if leaves[index].candidates[chosen].kind() == kind {
                    continue;
                }
                leaves[index].chosen = candidate;
                if let Some(Err(failure)) = self.attempt_seen(leaves, index) {
                    let whom = format!("for customers whose `{name}` is a {}", kind.word());
                    let remedy = format!("write `{{% if {name} is … %}}`, or convert it");
                    self.warn_of(&failure, leaves, &whom, &remedy, findings);
                }
            }
            leaves[index].chosen = chosen;
        }
    }

    fn warn_of(
        &self,
        failure: &Failure,
        leaves: &[Leaf],
        whom: &str,
        remedy: &str,
        findings: &mut Vec<TemplateFinding>,
    ) {
        if is_limit(failure) {
            return;
        }
        let reason = self.template.reason(failure, &self.subject(leaves));
        let message = format!("{whom} this cannot be written: {reason}");
        note(
            findings,
            self.finding(failure, |span| ExpressionProblem::warning(span, message).remedy(remedy)),
        );
    }

    /// A finding at the line where it stopped.
    fn finding(
        &self,
        failure: &Failure,
        problem: impl FnOnce(std::ops::Range<usize>) -> ExpressionProblem,
    ) -> TemplateFinding {
        let (name, line) = match failure {
            Failure::Jinja(error) => {
                let error = innermost(error);
                (error.name().unwrap_or(MAIN).to_owned(), error.line())
            }
            _ => (MAIN.to_owned(), None),
        };
        let source = if name == MAIN {
            Some(self.template.source())
        } else {
            self.texts.get(&name).map(String::as_str)
        };
        let span = source.map_or(0..0, |source| match line {
            Some(line) => line_of(source, line),
            None => 0..source.len(),
        });
        TemplateFinding { included: (name != MAIN).then_some(name), problem: problem(span) }
    }

    /// What the tag reads where it stopped; `None` if that is not known.
    fn read_at(&self, failure: &Failure) -> Option<ReadAt> {
        let Failure::Jinja(error) = failure else { return None };
        let error = innermost(error);
        let part = self.template.environment.get_template(error.name().unwrap_or(MAIN)).ok()?;
        let (source, at) = unmetered(part.source(), error.range()?.start);
        let expr = parse_whole_expression(expression_around(&source, at)?).ok()?;
        let mut read = ReadAt::default();
        each_part(&expr, &mut |expr| match path_of(expr) {
            Some(path) if is_plain_function(&path) => {}
            Some(path) => {
                read.has_unknown |=
                    !matches!(path[0].as_str(), "customer" | "params" | "now" | "call" | "consents");
                read.paths.insert(path);
            }
            None => read.has_unknown |= matches!(expr, Expr::GetItem(_)),
        });
        Some(read)
    }

    fn subject(&self, leaves: &[Leaf]) -> Subject {
        let (mut params, mut attributes) = (Members::default(), Members::default());
        for leaf in leaves.iter().filter(|leaf| !leaf.absent) {
            let Some(value) = leaf.candidates.get(leaf.chosen) else { continue };
            let into = if leaf.path[0] == "params" { &mut params } else { &mut attributes };
            put(into, &leaf.path[1..], value.clone());
        }
        Subject {
            call: Arc::new(CallFacts {
                id: CallId::new("0193a000-0000-7000-8000-000000000000"),
                trigger: TriggerName::new(self.trigger.as_str()),
                received_at: NOW,
                params: Arc::new(params),
                consent_defaults: Arc::default(),
            }),
            customer: Arc::new(Customer {
                key: CustomerKey(1),
                ids: Arc::new([("registered".to_owned(), "C-1".to_owned())].into()),
                attributes: Arc::new(attributes),
                consents: Arc::default(),
                events: Arc::from([]),
            }),
            now: NOW,
            time: TimeBudget::default(),
        }
    }
}

/// What a tag reads.
#[derive(Default)]
struct ReadAt {
    paths: BTreeSet<Vec<String>>,
    /// It also reads what the template gave itself, or events: their values are not varied.
    has_unknown: bool,
}

/// Whether this names a function that gives no more than its arguments say; macros and `events` do.
fn is_plain_function(path: &[String]) -> bool {
    let [function] = path else { return false };
    matches!(function.as_str(), "dict" | "number" | "range" | "text" | "timedelta" | "timestamp")
}

/// Where it stopped: the text, the byte and what it was about.
fn place(failure: &Failure) -> (String, usize, String) {
    match failure {
        Failure::Jinja(error) => {
            let error = innermost(error);
            let begin = error.range().map_or(0, |range| range.start);
            (error.name().unwrap_or(MAIN).to_owned(), begin, format!("{:?}", error.kind()))
        }
        Failure::NotJson(_) => (MAIN.to_owned(), usize::MAX, "json".to_owned()),
        Failure::TooLong | Failure::Aborted(_) => (MAIN.to_owned(), usize::MAX, String::new()),
    }
}

/// Whether a bound was met: the samples say nothing then.
fn is_limit(failure: &Failure) -> bool {
    match failure {
        Failure::Jinja(error) => innermost(error).kind() == ErrorKind::OutOfFuel,
        Failure::TooLong => true,
        _ => false,
    }
}

fn put(members: &mut Members, path: &[String], value: Value) {
    match path {
        [] => {}
        [name] => {
            members.insert(name.clone(), value);
        }
        [name, rest @ ..] => {
            let mut inner = match members.shift_remove(name) {
                Some(Value::Object(object)) => Arc::unwrap_or_clone(object),
                _ => Members::default(),
            };
            put(&mut inner, rest, value);
            members.insert(name.clone(), Value::Object(Arc::new(inner)));
        }
    }
}

/// The bytes of a line, the white space around it left out.
fn line_of(source: &str, line: usize) -> std::ops::Range<usize> {
    let start: usize = source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let text = source.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
    let begin = start + text.len() - text.trim_start().len();
    begin..begin + text.trim().len()
}

/// Notes a finding once, whichever trigger showed it.
fn note(findings: &mut Vec<TemplateFinding>, finding: TemplateFinding) {
    if !findings.contains(&finding) {
        findings.push(finding);
    }
}

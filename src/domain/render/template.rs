//! A template: its names checked, compiled once with the texts it includes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, LazyLock};

use minijinja::machinery::ast;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};

use super::context::Subject;
use super::events::is_events;
use super::format::{HTML, print};
use super::functions::{self, Abort};
use super::json_body;
use super::metered::{metered, unmetered};
use crate::domain::expression::meter;
use crate::domain::expression::{
    CompileError, EventTypes, ExpressionProblem, Scope, add_whole_template, check_content,
    compile_whole_expression, lacking, parse_whole_template, range_of,
};
use crate::domain::jinja::{LOCAL, Rewriter, local_value};
use crate::domain::local_defaults::LocalDefaults;

/// What rendering one text may cost: an instruction costs 1, as do 64 bytes. A mail of 100 KB with a loop over a
/// hundred events uses about 10,000; what runs away ends within a few milliseconds.
const FUEL_MAX: u64 = 100_000;

/// The longest text: more than any mail client shows, and a bound on what one chunk of customers holds in memory.
const OUTPUT_BYTES_MAX: usize = 512 * 1024;

/// How deep macros and includes may nest (an include counts 10, a macro 4).
const RECURSION_MAX: usize = 120;

/// How many texts one template may include, over all.
const INCLUDES_MAX: usize = 50;

/// The name of the template itself; a ConfigMap's key is never empty.
pub(super) const MAIN: &str = "";

/// How values are escaped when they are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Escaping {
    /// As they are: text messages, plain mails, addresses.
    #[default]
    None,
    /// For HTML bodies.
    Html,
    /// For a body that is JSON: inside of its strings as JSON needs it, outside of them as JSON.
    Json,
}

/// What came of rendering for one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rendered {
    /// The text.
    Text(String),
    /// The template called `abort("reason")`: the customer is skipped.
    Aborted(String),
    /// It could not be rendered, with the place: the customer is skipped.
    Failed(String),
}

/// A finding in a template or in a text it includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFinding {
    /// The included text's name; `None` for the template itself.
    pub included: Option<String>,
    /// What was found, with its bytes in that text.
    pub problem: ExpressionProblem,
}

/// A template that cannot be used, with everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .findings.iter().map(|finding| finding.problem.to_string()).collect::<Vec<_>>().join("\n"))]
pub struct TemplateError {
    /// What was found; at least one is an error.
    pub findings: Vec<TemplateFinding>,
}

/// A compiled template. Cheap to clone; shared between threads.
#[derive(Clone)]
pub struct Template {
    pub(super) environment: Arc<Environment<'static>>,
    pub(super) escaping: Escaping,
    source: Arc<str>,
    events: Arc<EventTypes>,
    warnings: Arc<[TemplateFinding]>,
}

impl Template {
    /// Compiles a template. `texts` are those it may include, by the name it includes them by.
    ///
    /// # Errors
    /// Names every unknown name, in the template and in what it includes, with its bytes.
    pub fn compile(
        source: &str,
        escaping: Escaping,
        scope: &Scope,
        texts: &BTreeMap<String, String>,
    ) -> Result<Self, TemplateError> {
        let environment = environment(escaping, &scope.local);
        let mut draft = Draft { environment, escaping, ..Draft::default() };
        draft.add(MAIN, source, scope, texts);
        if draft.failed {
            return Err(TemplateError { findings: draft.findings });
        }
        Ok(Template {
            environment: Arc::new(draft.environment),
            escaping,
            source: source.into(),
            events: Arc::new(draft.events),
            warnings: draft.findings.into(),
        })
    }

    /// The source, as its author wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text that every customer gets, whatever comes of its tags; what stands in a block may be left out.
    pub fn literal_text(&self) -> String {
        let parsed = parse_whole_template(&self.source);
        let Ok(ast::Stmt::Template(template)) = &parsed else { return String::new() };
        let texts = template.children.iter().filter_map(|statement| match statement {
            ast::Stmt::EmitRaw(raw) => Some(raw.raw),
            _ => None,
        });
        texts.collect()
    }

    /// What can be used but is probably not meant.
    pub fn warnings(&self) -> &[TemplateFinding] {
        &self.warnings
    }

    /// The types of events it asks for, with those of what it includes.
    pub fn event_types(&self) -> &EventTypes {
        &self.events
    }

    /// Renders it for one customer.
    pub fn render(&self, subject: &Subject) -> Rendered {
        match self.attempt(&self.environment, subject) {
            Ok(text) => Rendered::Text(text),
            Err(Failure::Aborted(reason)) => Rendered::Aborted(reason),
            Err(failure) => Rendered::Failed(self.reason(&failure, subject)),
        }
    }

    /// Renders it in an environment that differs in its limits.
    pub(super) fn attempt(
        &self,
        environment: &Environment<'static>,
        subject: &Subject,
    ) -> Result<String, Failure> {
        let rendered = environment.get_template(MAIN).and_then(|template| template.render(subject.root()));
        let text = rendered.map_err(Failure::of)?;
        let text = match self.escaping {
            Escaping::Json if text.len() <= OUTPUT_BYTES_MAX => {
                json_body::finish(&text).map_err(Failure::NotJson)?
            }
            _ => text,
        };
        if text.len() > OUTPUT_BYTES_MAX {
            return Err(Failure::TooLong);
        }
        Ok(text)
    }

    /// Why it could not be rendered, for a person.
    pub(super) fn reason(&self, failure: &Failure, subject: &Subject) -> String {
        match failure {
            Failure::Aborted(reason) => format!("aborted: {reason}"),
            Failure::NotJson(reason) => reason.clone(),
            Failure::TooLong => format!("the text is longer than {OUTPUT_BYTES_MAX} bytes"),
            Failure::Jinja(error) => self.reason_of(innermost(error), subject),
        }
    }

    /// The error with the line and the part of the text that it is about.
    fn reason_of(&self, error: &Error, subject: &Subject) -> String {
        let name = error.name().unwrap_or(MAIN);
        let template = self.environment.get_template(name).ok();
        let part = template.as_ref().and_then(|template| template.source().get(error.range()?));
        let part = part.map(|part| unmetered(part, 0).0);
        let missing = || {
            let (source, at) = unmetered(template.as_ref()?.source(), error.range()?.start);
            lacking(&source, at, &|expression| self.is_there(expression, subject))
        };
        let what = match (error.kind(), error.detail(), part.as_deref()) {
            (ErrorKind::OutOfFuel, ..) => "this takes more steps than one text may".to_owned(),
            (ErrorKind::UndefinedError, None, Some(part)) => {
                match missing() {
                    Some(name) => format!("`{name}` is missing"),
                    // What took the place of an operator is not what the author wrote.
                    None if part.contains('|') => "a value is missing".to_owned(),
                    None => format!("`{part}` is missing"),
                }
            }
            (_, Some(detail), _) => detail.to_owned(),
            (kind, None, Some(part)) => format!("{kind} in `{part}`"),
            (kind, None, None) => kind.to_string(),
        };
        let line = error.line().unwrap_or(1);
        match name {
            MAIN => format!("{what} (line {line})"),
            included => format!("{what} (line {line} of {included})"),
        }
    }
}

impl Template {
    /// Whether an expression has a value for this customer; one that fails is none that is missing.
    fn is_there(&self, expression: &str, subject: &Subject) -> bool {
        let source = format!("({expression}) is defined");
        let compiled = compile_whole_expression(&self.environment, source);
        compiled.ok().and_then(|compiled| compiled.eval(subject.root()).ok()).is_none_or(|it| it.is_true())
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Template").field("source", &self.source).finish_non_exhaustive()
    }
}

/// Why there is no text.
#[derive(Debug)]
pub(super) enum Failure {
    /// The template called `abort`.
    Aborted(String),
    /// What came out is not the JSON that the body of a webhook is.
    NotJson(String),
    /// What came out is longer than any message.
    TooLong,
    /// Jinja stopped.
    Jinja(Error),
}

impl Failure {
    fn of(error: Error) -> Self {
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            if let Some(Abort(reason)) = cause.downcast_ref::<Abort>() {
                return Failure::Aborted(reason.clone());
            }
            source = cause.source();
        }
        Failure::Jinja(error)
    }
}

/// The error that the others are about: of an include, that in the included text.
pub(super) fn innermost(error: &Error) -> &Error {
    let mut innermost = error;
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        innermost = cause.downcast_ref::<Error>().unwrap_or(innermost);
        source = cause.source();
    }
    innermost
}

/// The environment of a way of escaping. Made once: its tables of filters are shared by all templates. What the Runtime
/// says of zone, language and region comes on top, where also macros and included texts find it.
fn environment(escaping: Escaping, local: &Arc<LocalDefaults>) -> Environment<'static> {
    let mut environment = shared(escaping);
    if **local != LocalDefaults::default() {
        environment.add_global(LOCAL, local_value(local));
    }
    environment
}

fn shared(escaping: Escaping) -> Environment<'static> {
    static PLAIN: LazyLock<Environment<'static>> = LazyLock::new(|| made(Escaping::None));
    static HTML_BODIES: LazyLock<Environment<'static>> = LazyLock::new(|| made(Escaping::Html));
    static JSON_BODIES: LazyLock<Environment<'static>> = LazyLock::new(|| made(Escaping::Json));
    match escaping {
        Escaping::None => PLAIN.clone(),
        Escaping::Html => HTML_BODIES.clone(),
        Escaping::Json => JSON_BODIES.clone(),
    }
}

fn made(escaping: Escaping) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL_MAX));
    environment.set_recursion_limit(RECURSION_MAX);
    environment.set_debug(false);
    environment.set_auto_escape_callback(move |_| match escaping {
        Escaping::None => AutoEscape::None,
        Escaping::Html => AutoEscape::Custom(HTML.into()),
        Escaping::Json => AutoEscape::Custom(json_body::NAME.into()),
    });
    match escaping {
        Escaping::Json => environment.set_formatter(json_body::print),
        Escaping::None | Escaping::Html => environment.set_formatter(print),
    }
    functions::add(&mut environment, escaping);
    meter::add(&mut environment, is_events);
    environment
}

/// The text with filters in the place of operators that mean more here than to minijinja. It was parsed before.
fn with_operators(text: String, escaping: Escaping) -> String {
    let rewriter = Rewriter::new(&text, range_of);
    let rewriter = match escaping {
        Escaping::Json => rewriter.comparing_by(functions::PLAIN),
        Escaping::None | Escaping::Html => rewriter,
    };
    match parse_whole_template(&text) {
        Ok(ast::Stmt::Template(template)) => rewriter.rewritten(&template.children),
        _ => text,
    }
}

/// A template while it is compiled with what it includes.
#[derive(Default)]
struct Draft {
    environment: Environment<'static>,
    escaping: Escaping,
    added: BTreeSet<String>,
    events: EventTypes,
    findings: Vec<TemplateFinding>,
    failed: bool,
}

impl Draft {
    fn add(&mut self, name: &str, source: &str, scope: &Scope, texts: &BTreeMap<String, String>) {
        let mut waiting = vec![(name.to_owned(), source, Vec::new())];
        while let Some((name, source, given)) = waiting.pop() {
            if !self.added.insert(name.clone()) {
                continue;
            }
            if self.added.len() > INCLUDES_MAX {
                let message = format!("more than {INCLUDES_MAX} texts are included");
                return self.refuse(&name, vec![ExpressionProblem::error(0..source.len(), message)]);
            }
            if self.escaping == Escaping::Json && json_body::holds_marks(source) {
                let message = "a JSON body cannot hold the characters U+FDD0 to U+FDD3";
                return self.refuse(&name, vec![ExpressionProblem::error(0..source.len(), message)]);
            }
            match check_content(source, scope, texts, &given) {
                Ok(content) => {
                    self.note(&name, content.warnings);
                    self.events.extend(&content.events);
                    for include in content.includes {
                        if let Some(text) = texts.get(&include) {
                            waiting.push((include, text, content.given.clone()));
                        }
                    }
                    self.compile(&name, content.text);
                }
                Err(CompileError { problems }) => self.refuse(&name, problems),
            }
        }
    }

    /// Jinja compiles what was already parsed; what it still refuses is about the whole text.
    fn compile(&mut self, name: &str, text: String) {
        let text = match metered(&with_operators(text, self.escaping)) {
            Ok(text) => text,
            Err(problem) => return self.refuse(name, vec![problem]),
        };
        if let Err(error) = add_whole_template(&mut self.environment, name, text) {
            self.refuse(name, vec![ExpressionProblem::error(error.range, error.message)]);
        }
    }

    fn refuse(&mut self, name: &str, problems: Vec<ExpressionProblem>) {
        self.failed = true;
        self.note(name, problems);
    }

    fn note(&mut self, name: &str, problems: Vec<ExpressionProblem>) {
        let included = (name != MAIN).then(|| name.to_owned());
        let findings =
            problems.into_iter().map(|problem| TemplateFinding { included: included.clone(), problem });
        self.findings.extend(findings);
    }
}

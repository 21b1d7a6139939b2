//! Parameter names with hyphens: `params.valid-until` is read as `params["valid-until"]` where it is declared.
//!
//! In Jinja a hyphen is a minus, yet users write such names. The longest declared name wins; with none declared
//! it stays a subtraction, which deserves a warning. Offsets of the rewritten text lead back to the author's.

use std::ops::Range;

use minijinja::machinery::{Span, Token, tokenize};

use super::problem::ExpressionProblem;
use super::scope::Scope;

/// Whether a text is one expression or a template with expressions in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One expression.
    Expression,
    /// A template.
    Template,
}

/// A text with hyphenated names rewritten, and the way back to the author's text.
#[derive(Debug, Clone)]
pub(crate) struct Rewritten {
    /// What is parsed.
    pub text: String,
    /// Subtractions that look like names.
    pub warnings: Vec<ExpressionProblem>,
    /// In the order of the text.
    edits: Vec<Edit>,
    /// Bytes of the author's text in front of the one that was rewritten.
    offset: usize,
}

/// Which runs with hyphens are names.
struct Hyphenated<'n> {
    declared: &'n [&'n str],
    /// Any may be one: a trigger is missing, and a subtraction is rarer than a name.
    any: bool,
}

/// The rewritten bytes that stand for the original ones.
#[derive(Debug, Clone)]
struct Edit {
    rewritten: Range<usize>,
    original: Range<usize>,
}

impl Rewritten {
    /// Rewrites the declared names in a text that begins `offset` bytes into what its author wrote.
    pub fn new(source: &str, offset: usize, form: Form, scope: &Scope) -> Self {
        let hyphenated: Vec<&str> = scope.parameter_names().filter(|name| name.contains('-')).collect();
        let hyphenated = Hyphenated { declared: &hyphenated, any: scope.lacks_a_trigger() };
        let mut rewritten =
            Rewritten { text: source.to_owned(), warnings: Vec::new(), edits: Vec::new(), offset };
        let mut from = 0;
        while let Some(found) = next_access(&rewritten.text, form, from) {
            from = rewritten.settle(&found, &hyphenated);
        }
        rewritten
    }

    /// Settles one `params.some-name`; answers where to look on.
    fn settle(&mut self, found: &Access, hyphenated: &Hyphenated<'_>) -> usize {
        let run = &self.text[found.name.clone()];
        let longest = hyphenated
            .declared
            .iter()
            .copied()
            .filter(|name| run.strip_prefix(*name).is_some_and(at_a_boundary))
            .max_by_key(|name| name.len());
        let name = longest.or_else(|| hyphenated.any.then(|| run.trim_end_matches('-')));
        let Some(name) = name.filter(|name| name.contains('-')) else {
            if run.trim_end_matches('-').contains('-') {
                let span = self.original(found.name.clone());
                self.warnings.push(subtraction(span, run.trim_end_matches('-')));
            }
            return found.name.end;
        };
        let replacement = format!("[\"{name}\"]");
        let old = found.dot..found.name.start + name.len();
        let new = old.start..old.start + replacement.len();
        let original = self.original(old.clone());
        self.text.replace_range(old, &replacement);
        self.edits.push(Edit {
            rewritten: new.clone(),
            original: original.start - self.offset..original.end - self.offset,
        });
        new.end
    }

    /// The author's bytes for a range of the rewritten text.
    pub fn original(&self, range: Range<usize>) -> Range<usize> {
        self.offset + self.back(range.start, |edit| edit.original.start)
            ..self.offset + self.back(range.end, |edit| edit.original.end)
    }

    fn back(&self, at: usize, inside: impl Fn(&Edit) -> usize) -> usize {
        let before = self.edits.iter().rev().find(|edit| edit.rewritten.start < at);
        match before {
            Some(edit) if at < edit.rewritten.end => inside(edit),
            Some(edit) => edit.original.end + (at - edit.rewritten.end),
            None => at,
        }
    }
}

/// What follows a declared name must not go on with the same word.
fn at_a_boundary(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('-')
}

fn subtraction(span: Range<usize>, run: &str) -> ExpressionProblem {
    ExpressionProblem::warning(
        span,
        format!("`params.{run}` is a subtraction, as no parameter `{run}` is declared"),
    )
    .remedy("declare the parameter, or put spaces around the minus")
}

/// A `params.` and the run of letters, digits, underscores and hyphens behind it.
struct Access {
    dot: usize,
    name: Range<usize>,
}

/// The first access with a hyphen at or behind a place. Strings, comments and raw text are no code and are passed.
fn next_access(text: &str, form: Form, from: usize) -> Option<Access> {
    let tokens = tokenize(text, form == Form::Expression, Default::default()).map_while(Result::ok);
    let mut state: (bool, Option<Span>, Option<usize>) = (false, None, None);
    for (token, span) in tokens {
        let start = span.start_offset as usize;
        let (after_dot, params, dot) = state;
        state = match token {
            Token::Ident("params") if !after_dot => (false, Some(span), None),
            Token::Dot if params.is_some() => (true, params, Some(start)),
            Token::Dot => (true, None, None),
            Token::Ident(_) => {
                if let Some(dot) = dot.filter(|_| start >= from) {
                    let name = start..start + run_length(&text[start..]);
                    if text[name.clone()].contains('-') {
                        return Some(Access { dot, name });
                    }
                }
                (false, None, None)
            }
            _ => (false, None, None),
        };
    }
    None
}

fn run_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::super::scope::{Declared, Place, TriggerScope};
    use super::*;
    use crate::domain::value::Kind;

    fn rewritten(source: &str, declared: &[&str]) -> Rewritten {
        Rewritten::new(source, 0, Form::Expression, &scope(declared, false))
    }

    fn scope(declared: &[&str], is_missing: bool) -> Scope {
        let text = Declared { kind: Kind::Text, word: "string" };
        let parameters = declared.iter().map(|name| ((*name).to_owned(), text.clone())).collect();
        Scope {
            place: Place::Trigger,
            triggers: vec![TriggerScope { name: "a".into(), parameters, is_missing }],
            local: Default::default(),
        }
    }

    #[test]
    fn where_a_trigger_is_missing_any_may_be_a_name() {
        let changed = Rewritten::new("params.a-b > params.c", 0, Form::Expression, &scope(&[], true));
        assert_eq!(changed.text, "params[\"a-b\"] > params.c");
        assert!(changed.warnings.is_empty());
    }

    #[test]
    fn the_longest_declared_name_wins() {
        let both = ["valid", "valid-until", "valid-until-then"];
        assert_eq!(rewritten("params.valid-until-then", &both).text, "params[\"valid-until-then\"]");
        assert_eq!(rewritten("params.valid-until-x", &both).text, "params[\"valid-until\"]-x");
        assert_eq!(rewritten("params.opt-in and 1", &["opt-in"]).text, "params[\"opt-in\"] and 1");
        assert_eq!(rewritten("params.top-2nd", &["top-2nd"]).text, "params[\"top-2nd\"]");
    }

    #[test]
    fn an_undeclared_one_stays_a_subtraction_with_a_warning() {
        let subtraction = rewritten("params.a-b > params.a - 1", &["a", "b"]);
        assert_eq!(subtraction.text, "params.a-b > params.a - 1");
        assert_eq!(subtraction.warnings.len(), 1);
        assert_eq!(subtraction.warnings[0].span, 7..10);
    }

    #[test]
    fn texts_and_other_objects_are_left_alone() {
        let source = "'params.a-b' ~ customer.params.a-b";
        assert_eq!(rewritten(source, &["a-b"]).text, source);
    }

    #[test]
    fn offsets_lead_back() {
        let source = "params.a-b + params.a-b + nope";
        let changed = rewritten(source, &["a-b"]);
        assert_eq!(changed.text, "params[\"a-b\"] + params[\"a-b\"] + nope");
        let at = changed.text.find("nope").unwrap();
        assert_eq!(&source[changed.original(at..at + 4)], "nope");
        assert_eq!(&source[changed.original(0..13)], "params.a-b");
        assert_eq!(&source[changed.original(16..29)], "params.a-b");
    }

    #[test]
    fn templates_are_rewritten_only_in_their_code() {
        let source = "params.a-b {{ params.a-b }}{# params.a-b #}{% raw %}{{ params.a-b }}{% endraw %}";
        let changed = Rewritten::new(source, 0, Form::Template, &scope(&["a-b"], false));
        assert_eq!(changed.edits.len(), 1);
        assert!(changed.text.starts_with("params.a-b {{ params[\"a-b\"] }}"));
    }
}

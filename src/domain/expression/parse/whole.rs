//! The one way to Jinja's parser and compiler: every expression and every template is read here, as a whole.
//!
//! Jinja's parser drops the rest of a text where its lexer fails behind a string literal. So the whole text is taken
//! apart into tokens first, and what the parser made of it must end where the last token ends.

use std::ops::Range;

use minijinja::machinery::{Span, Token, ast, parse, parse_expr, tokenize};
use minijinja::{Environment, Expression};

use super::super::hyphen::Form;
use super::explain;
use super::words;
use crate::domain::jinja::{each_expression, each_part};

/// What a text was read as.
pub(crate) enum Parsed<'t> {
    Expression(ast::Expr<'t>),
    Template(ast::Stmt<'t>),
}

/// A token and its bytes.
pub(super) type Placed<'t> = (Token<'t>, Range<usize>);

/// A text that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The bytes that it is about.
    pub range: Range<usize>,
    /// What is wrong, as one clause.
    pub message: String,
    /// What to write instead, as one clause.
    pub remedy: Option<String>,
}

impl Unreadable {
    pub(super) fn new(range: Range<usize>, message: impl Into<String>) -> Self {
        Unreadable { range, message: message.into(), remedy: None }
    }

    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        Unreadable { remedy: Some(remedy.into()), ..self }
    }
}

/// Reads a whole text.
///
/// # Errors
/// Names the first place that cannot be read; there is no text that is left unread.
pub(crate) fn parse_whole(text: &str, form: Form) -> Result<Parsed<'_>, Unreadable> {
    let tokens = tokens(text, form)?;
    if let Some(side_by_side) = explain::side_by_side(&tokens).filter(|_| form == Form::Expression) {
        return Err(side_by_side);
    }
    if let Some(twice) = explain::not_twice(&tokens) {
        return Err(twice);
    }
    let parsed = match form {
        Form::Expression => parse_expr(text).map(Parsed::Expression),
        Form::Template => parse(text, "content", Default::default()).map(Parsed::Template),
    };
    let parsed = parsed.map_err(|error| explain::syntax(&error, text, form, &tokens))?;
    if let Some(range) = unread(&parsed, &tokens) {
        return Err(Unreadable::new(range, "this was not read").remedy("write it otherwise"));
    }
    match keyword_as_name(&parsed) {
        Some(keyword) => Err(keyword),
        None => Ok(parsed),
    }
}

/// Reads a whole expression.
///
/// # Errors
/// As [`parse_whole`].
pub(crate) fn parse_whole_expression(text: &str) -> Result<ast::Expr<'_>, Unreadable> {
    match parse_whole(text, Form::Expression)? {
        Parsed::Expression(expr) => Ok(expr),
        Parsed::Template(_) => Err(Unreadable::new(0..text.len(), "this is no expression")),
    }
}

/// Reads a whole template.
///
/// # Errors
/// As [`parse_whole`].
pub(crate) fn parse_whole_template(text: &str) -> Result<ast::Stmt<'_>, Unreadable> {
    match parse_whole(text, Form::Template)? {
        Parsed::Template(statement) => Ok(statement),
        Parsed::Expression(_) => Err(Unreadable::new(0..text.len(), "this is no template")),
    }
}

/// Compiles an expression for Jinja.
///
/// # Errors
/// As [`parse_whole`], and what Jinja itself refuses.
pub(crate) fn compile_whole_expression<'e>(
    environment: &'e Environment<'static>,
    text: String,
) -> Result<Expression<'e, 'static>, Unreadable> {
    parse_whole(&text, Form::Expression)?;
    let end = text.len();
    environment.compile_expression_owned(text).map_err(|error| refused_by_jinja(&error, end))
}

/// Compiles a template for Jinja, under a name by which others include it.
///
/// # Errors
/// As [`parse_whole`], and what Jinja itself refuses.
pub(crate) fn add_whole_template(
    environment: &mut Environment<'static>,
    name: &str,
    text: String,
) -> Result<(), Unreadable> {
    parse_whole(&text, Form::Template)?;
    let end = text.len();
    let added = environment.add_template_owned(name.to_owned(), text);
    added.map_err(|error| refused_by_jinja(&error, end))
}

fn refused_by_jinja(error: &minijinja::Error, end: usize) -> Unreadable {
    let range = error.range().unwrap_or(0..end);
    let range = range.start.min(end)..range.end.min(end);
    Unreadable::new(range, error.detail().unwrap_or("this cannot be compiled"))
}

/// Every token of a text.
fn tokens(text: &str, form: Form) -> Result<Vec<Placed<'_>>, Unreadable> {
    let mut tokens: Vec<Placed<'_>> = Vec::new();
    for token in tokenize(text, form == Form::Expression, Default::default()) {
        match token {
            Ok((token, span)) => tokens.push((token, bytes(span))),
            Err(error) => {
                let behind = tokens.last().map_or(0, |(_, range)| range.end);
                return Err(explain::no_token(&error, text, form, behind));
            }
        }
    }
    Ok(tokens)
}

fn bytes(span: Span) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}

/// The tokens that the parser left; parentheses around a whole expression are no part of its tree.
fn unread(parsed: &Parsed<'_>, tokens: &[Placed<'_>]) -> Option<Range<usize>> {
    let read_to = match parsed {
        Parsed::Expression(expr) => expr.span().end_offset as usize,
        Parsed::Template(ast::Stmt::Template(template)) => template.span().end_offset as usize,
        Parsed::Template(_) => 0,
    };
    let closes = |token: &Token<'_>| matches!((parsed, token), (Parsed::Expression(_), Token::ParenClose));
    let first = tokens.iter().find(|(token, range)| range.end > read_to && !closes(token))?;
    Some(first.1.start..tokens.last()?.1.end)
}

/// The first of Jinja's own words that its parser took for a name: it reads `x is defined not in y` as a test with the
/// argument `not`.
fn keyword_as_name(parsed: &Parsed<'_>) -> Option<Unreadable> {
    let mut found: Option<(&str, Span, bool)> = None;
    let mut look = |expr: &ast::Expr<'_>| {
        let (name, is_argument) = match expr {
            ast::Expr::Var(var) => (var, false),
            ast::Expr::Test(test) => match test.args.as_slice() {
                [ast::CallArg::Pos(argument)] => match first_operand(argument) {
                    ast::Expr::Var(var) => (var, true),
                    _ => return,
                },
                _ => return,
            },
            _ => return,
        };
        let Some(keyword) = words::KEYWORDS.iter().find(|keyword| **keyword == name.id) else { return };
        let is_first = found.is_none_or(|(_, span, _)| name.span().start_offset <= span.start_offset);
        if is_first {
            found = Some((keyword, name.span(), is_argument));
        }
    };
    match parsed {
        Parsed::Expression(expr) => each_part(expr, &mut look),
        Parsed::Template(statement) => each_expression(std::slice::from_ref(statement), &mut look),
    }
    let (keyword, span, is_argument) = found?;
    let problem = Unreadable::new(bytes(span), format!("`{keyword}` is a word of the language and no name"));
    Some(match (keyword, is_argument) {
        (_, true) => problem.remedy("put the test before it in brackets: `(customer.x is defined) == true`"),
        ("not", false) => problem.remedy("write `not` before what it negates, in brackets: `x == (not y)`"),
        _ => problem.remedy("write an operand in its place"),
    })
}

/// What an expression begins with: `a` of `a.b[0](c)`.
fn first_operand<'e, 't>(expr: &'e ast::Expr<'t>) -> &'e ast::Expr<'t> {
    match expr {
        ast::Expr::GetAttr(of) => first_operand(&of.expr),
        ast::Expr::GetItem(of) => first_operand(&of.expr),
        ast::Expr::Slice(of) => first_operand(&of.expr),
        ast::Expr::Call(of) => first_operand(&of.expr),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str, form: Form) -> (String, String) {
        let Err(error) = parse_whole(text, form) else { panic!("{text:?} was read") };
        let place = text.get(error.range.clone()).unwrap_or_else(|| panic!("{text:?}: {error:?}"));
        (place.to_owned(), format!("{}; {}", error.message, error.remedy.unwrap_or_default()))
    }

    /// What stands behind a literal and is no token.
    const NO_TOKENS: &[(&str, &str)] = &[
        ("&&", "write `and`"),
        ("&", "write `and`"),
        ("\u{a0}", "a no-break space, as text processors write it"),
        ("\u{2003}", "an em space"),
        ("\u{2009}", "a thin space"),
        ("\u{200b}", "a zero width space"),
        ("\u{feff}", "a byte order mark"),
        ("\u{3000}", "an ideographic space"),
        (";", "one expression"),
        ("#", "comment"),
        ("$", "`$`"),
        ("?", " if "),
        ("!", "write `not`"),
        ("\u{201c}", "a typographic quote"),
        ("\u{2019}", "a typographic quote"),
        ("\u{ab}", "a typographic quote"),
        ("`", "quotes"),
        ("\\", "backslash"),
        ("@", "`@`"),
        ("^", "`**`"),
        ("\u{2013}", "`-`"),
        ("\u{2265}", "`>=`"),
        ("\u{2260}", "`!=`"),
        ("\u{e9}", "plain letters"),
        ("\u{7}", "U+0007"),
    ];

    #[test]
    fn nothing_behind_a_literal_is_dropped() {
        for (odd, remedy) in NO_TOKENS {
            for literal in ["\"US\"", "'US'", "5", "customer.x", "[1]", "(1)", "\"a\\n\"", "true"] {
                for rest in ["", " customer.vip == \"yes\"", "and x == 1"] {
                    let text = format!("customer.country == {literal} {odd}{rest}");
                    let (place, words) = refused(&text, Form::Expression);
                    assert!(place.starts_with(odd), "{text:?}: {place:?}");
                    assert!(words.contains(remedy), "{text:?}: {words}");
                    for tag in [format!("a {{{{ {text} }}}} b"), format!("{{% if {text} %}}b{{% endif %}}")] {
                        let (place, words) = refused(&tag, Form::Template);
                        assert!(place.starts_with(odd), "{tag:?}: {place:?}");
                        assert!(words.contains(remedy), "{tag:?}: {words}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_open_text_is_refused_with_its_beginning() {
        for text in ["customer.x == \"US", "customer.x == 'O'Brien'", "x in [\"a\", \"b]"] {
            let (place, words) = refused(text, Form::Expression);
            assert!(place.starts_with(['"', '\'']), "{text}: {place}");
            assert!(words.contains("never closed"), "{text}: {words}");
        }
    }

    #[test]
    fn texts_side_by_side_lack_a_comma() {
        let (place, words) = refused("customer.line in [\"S7\" \"S8\"]", Form::Expression);
        assert_eq!(place, "\"S8\"");
        assert!(words.contains("comma"), "{words}");
    }

    #[test]
    fn a_test_is_negated_once() {
        for form in [Form::Expression, Form::Template] {
            let text = "customer.x is not  not defined";
            let text =
                if form == Form::Template { format!("{{% if {text} %}}a{{% endif %}}") } else { text.into() };
            let (place, words) = refused(&text, form);
            assert_eq!((place.as_str(), words.contains("twice")), ("not", true), "{text}: {words}");
        }
    }

    #[test]
    fn words_of_the_language_are_no_names() {
        let cases = [
            ("customer.x is defined not in y", "not", "brackets"),
            ("customer.x is defined in (y)", "in", "brackets"),
            ("customer.x is divisibleby not", "not", "brackets"),
            ("customer.x is defined if", "if", "brackets"),
            ("customer.x == not", "not", "(not y)"),
            ("customer.x + not[1]", "not", "(not y)"),
            ("[customer.x, -not]", "not", "(not y)"),
            ("a.b == in", "in", "operand"),
            ("f(1, x=2 * is)", "is", "operand"),
        ];
        for (text, keyword, remedy) in cases {
            for form in [Form::Expression, Form::Template] {
                let text = match form {
                    Form::Template => format!("{{% if {text} %}}a{{% endif %}}"),
                    Form::Expression => text.to_owned(),
                };
                let (place, words) = refused(&text, form);
                assert_eq!((place.as_str(), words.contains(remedy)), (keyword, true), "{text}: {words}");
            }
        }
        for text in
            ["customer.not == x.in", "x is defined or y", "a if x is defined else b", "not x", "x not in y"]
        {
            assert!(parse_whole(text, Form::Expression).is_ok(), "{text}");
        }
    }

    #[test]
    fn texts_keep_any_character() {
        for text in
            ["customer.x == \"a\u{a0}b && c; # “”\"", "'$?' ~ customer.x", "(((\"a\")))", "((1, 2))", "(a)"]
        {
            assert!(parse_whole(text, Form::Expression).is_ok(), "{text}");
        }
        for text in [
            "5 € && \u{a0} {{ customer.x }} ;#$?",
            "{# && #}",
            "{% raw %}{{ && }}{% endraw %}",
            "",
            "x{# y #}",
        ] {
            assert!(parse_whole(text, Form::Template).is_ok(), "{text}");
        }
    }

    #[test]
    fn whatever_is_cut_off_is_an_error_or_another_text() {
        let text = "not (a.b[0] == \"x\" and c | default(1, true) > 2) or d in [1, \"y\"] if e is defined else f(g=1)";
        for end in (1..text.len()).filter(|end| !text.as_bytes()[end - 1].is_ascii_whitespace()) {
            if let Ok(Parsed::Expression(expr)) = parse_whole(&text[..end], Form::Expression) {
                assert!(expr.span().end_offset as usize <= end);
            }
        }
    }
}

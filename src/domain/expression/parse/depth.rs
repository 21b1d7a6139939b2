//! Bounds how deep a source can nest, before anything recursive reads it: a stack that overflows ends the process.
//!
//! Jinja's parser bounds parentheses itself, but neither `----x`, `not not x` nor what a long chain makes of the
//! tree.

use std::ops::Range;

use minijinja::machinery::{Token, tokenize};

use super::super::hyphen::Form;

/// Operators, accesses and calls in a row. The longest a person wrote here has about twenty.
const OPERATORS_MAX: usize = 200;
/// Operands of `and` and `or` in one expression.
const OPERANDS_MAX: usize = 1_000;
/// `if` and `elif` in one text.
const CHOICES_MAX: usize = 200;

/// The first place where a text nests too deep.
pub(super) fn too_deep(text: &str, form: Form) -> Option<Range<usize>> {
    deeper_than(OPERATORS_MAX, text, form)
}

/// The same of a text in which every operation stands in brackets.
pub(super) fn bracketed_too_deep(text: &str, form: Form) -> Option<Range<usize>> {
    deeper_than(OPERATORS_MAX * 3, text, form)
}

fn deeper_than(operators_max: usize, text: &str, form: Form) -> Option<Range<usize>> {
    let mut operators = 0;
    let mut operands = 0;
    let mut choices = 0;
    for (token, span) in tokenize(text, form == Form::Expression, Default::default()).map_while(Result::ok) {
        match token {
            Token::VariableStart | Token::BlockStart => (operators, operands) = (0, 0),
            Token::Ident("and" | "or") => (operators, operands) = (0, operands + 1),
            Token::Comma => operators = 0,
            Token::Ident("if" | "elif") => choices += 1,
            Token::Ident("endif") => choices -= usize::from(choices > 0),
            Token::TemplateData(_)
            | Token::Str(_)
            | Token::String(_)
            | Token::Int(_)
            | Token::Int128(_)
            | Token::Float(_)
            | Token::VariableEnd
            | Token::BlockEnd => {}
            Token::Ident(name) if !matches!(name, "not" | "is" | "in" | "else") => {}
            _ => operators += 1,
        }
        if operators > operators_max || operands > OPERANDS_MAX || choices > CHOICES_MAX {
            return Some(span.start_offset as usize..span.end_offset as usize);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_sources_are_refused_and_long_ones_are_not() {
        let deep = |text: String| too_deep(&text, Form::Expression).is_some();
        assert!(deep(format!("{}1", "-".repeat(5_000))));
        assert!(deep(format!("{}1", "not ".repeat(3_000))));
        assert!(deep(format!("1{}", "+1".repeat(5_000))));
        assert!(deep(format!("x{}", "|lower".repeat(2_000))));
        assert!(deep("a if b and c else ".repeat(500) + "d"));
        assert!(!deep(vec!["customer.city == 'x'"; 500].join(" or ")));
        assert!(!deep(format!("customer.city in [{}]", vec!["'60200'"; 1_000].join(", "))));
    }
}

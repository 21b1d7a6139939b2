//! What holds of every text that is read: it is read as a whole.

use fanfare::domain::expression::{Form, print_again, print_parsed};

/// A text that is read prints as a text that is read as the same; and no end of it can be left out unnoticed.
pub fn check(text: &str, form: Form) {
    let Ok(printed) = print_parsed(text, form) else { return };
    match print_again(&printed, form) {
        Ok(again) => assert_eq!(again, printed, "what {text:?} prints is read as something else"),
        // Jinja's parser takes 150 levels, two of them for a bracket; what is printed has one around every operation.
        Err(_) if brackets_deep(&printed) > BRACKETS_MAX => {}
        Err(error) => panic!("{text:?} prints {printed:?}, which cannot be read: {error}"),
    }
    for (at, _) in text.char_indices().rev().take(ENDS_MAX) {
        let (kept, end) = text.split_at(at);
        if says_nothing(end, form) || ends_in_a_number(kept, end) || splits_a_tag(kept, end, form) {
            continue;
        }
        if print_parsed(kept, form).is_ok_and(|shorter| shorter == printed) {
            panic!("{text:?} is read as {kept:?} is: {end:?} was left out");
        }
    }
}

/// How deep the brackets of a print nest that is read again in any case.
const BRACKETS_MAX: usize = 60;

fn brackets_deep(printed: &str) -> usize {
    let mut open = 0_usize;
    let depths = printed.chars().map(|character| {
        match character {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        open
    });
    depths.max().unwrap_or_default()
}

/// How many ends of a text are tried.
const ENDS_MAX: usize = 48;

/// Spaces, a filter's brackets without arguments, and comments and empty parts of a template, mean nothing.
fn says_nothing(end: &str, form: Form) -> bool {
    let is_empty = |text: &str| text.trim().is_empty();
    let brackets = end.trim().strip_prefix('(').and_then(|end| end.strip_suffix(')'));
    is_empty(end)
        || brackets.is_some_and(is_empty)
        || (form == Form::Template
            && (end.contains("#}")
                || end.contains("-%}")
                || print_parsed(end, form).is_ok_and(|end| end.is_empty())))
}

/// `1.50` is `1.5`, `0x0` and `0.e88` are `0`, and a double has no more than seventeen digits.
fn ends_in_a_number(kept: &str, end: &str) -> bool {
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '_');
    let end = end.trim_end();
    let end = if kept.ends_with('0') { end.trim_start_matches(['x', 'X', 'b', 'B', 'o', 'O']) } else { end };
    let (digits, exponent) = end.split_once(['e', 'E']).unwrap_or((end, ""));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    kept.ends_with(is_number) && digits.chars().all(is_number) && exponent.chars().all(is_number)
}

/// `{% raw %}{{% endraw %}` is the text `{`, with which it begins as well.
fn splits_a_tag(kept: &str, end: &str, form: Form) -> bool {
    form == Form::Template && kept.ends_with('{') && end.starts_with(['%', '{', '#'])
}

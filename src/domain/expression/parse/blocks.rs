//! Tags of a template that do not match: which one was opened where, and what closes it.

use std::ops::Range;

use minijinja::machinery::Token;

use super::super::problem::nearest;
use super::whole::{Placed, Unreadable};
use super::words;

/// Tags that are closed, with what closes them.
const CLOSED: &[(&str, &str)] = &[
    ("if", "endif"),
    ("for", "endfor"),
    ("with", "endwith"),
    ("filter", "endfilter"),
    ("macro", "endmacro"),
    ("call", "endcall"),
    ("block", "endblock"),
    ("autoescape", "endautoescape"),
    ("set", "endset"),
];

/// Tags that stand alone or within others.
const OTHER: &[&str] = &["else", "elif", "include", "do", "raw", "endraw", "import", "from", "extends"];

/// What is wrong with the tags around the place where the parser stopped.
pub(super) fn explain(text: &str, tokens: &[Placed<'_>], stopped: &Range<usize>) -> Option<Unreadable> {
    let mut open: Vec<(&str, &str, Range<usize>)> = Vec::new();
    for (index, (token, place)) in tokens.iter().enumerate() {
        let (Token::BlockStart, Some((Token::Ident(tag), tag_place))) = (token, tokens.get(index + 1)) else {
            continue;
        };
        if place.start > stopped.end {
            break;
        }
        if let Some((opened, closing)) = CLOSED.iter().find(|(opened, _)| opened == tag) {
            if *tag != "set" || is_block_set(&tokens[index..]) {
                open.push((opened, closing, place.start..tag_place.end));
            }
        } else if let Some((_, closing)) = CLOSED.iter().find(|(_, closing)| closing == tag) {
            match open.pop() {
                Some((_, expected, _)) if expected == *closing => {}
                Some((opened, expected, at)) => {
                    return Some(mismatched(text, tag, tag_place, opened, expected, &at));
                }
                None => return Some(nothing_open(tag, tag_place)),
            }
        } else if !OTHER.contains(tag) {
            return Some(unknown(tag, tokens.get(index + 2), tag_place));
        } else if *tag == "else" && matches!(tokens.get(index + 2), Some((Token::Ident("if"), _))) {
            let problem = Unreadable::new(tag_place.clone(), "`else if` is no tag here");
            return Some(problem.remedy("write `{% elif … %}`"));
        }
    }
    let ends = tokens.last().is_none_or(|(_, last)| stopped.end >= last.end);
    let (opened, closing, at) = open.pop().filter(|_| ends)?;
    let problem = Unreadable::new(at, format!("`{opened}` is never closed"));
    Some(problem.remedy(format!("close it with `{{% {closing} %}}`")))
}

/// `{% set x %}…{% endset %}`, not `{% set x = 1 %}`.
fn is_block_set(tokens: &[Placed<'_>]) -> bool {
    let inside = tokens.iter().take_while(|(token, _)| !matches!(token, Token::BlockEnd));
    !inside.into_iter().any(|(token, _)| matches!(token, Token::Assign))
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn mismatched(
    text: &str,
    tag: &str,
    place: &Range<usize>,
    opened: &str,
    expected: &str,
    at: &Range<usize>,
) -> Unreadable {
    let line = line_of(text, at.start);
    Unreadable::new(place.clone(), format!("`{tag}` does not close the `{opened}` of line {line}"))
        .remedy(format!("close that with `{{% {expected} %}}` first"))
}

fn nothing_open(tag: &str, place: &Range<usize>) -> Unreadable {
    let opens = CLOSED.iter().find(|(_, closing)| *closing == tag).map_or("", |(opened, _)| opened);
    Unreadable::new(place.clone(), format!("`{tag}` closes nothing, as no `{opens}` is open"))
        .remedy("take it out, or open it before")
}

fn unknown(tag: &str, behind: Option<&Placed<'_>>, place: &Range<usize>) -> Unreadable {
    let problem = Unreadable::new(place.clone(), format!("there is no tag `{tag}`"));
    if let Some(remedy) = words::remedy_for_tag(tag) {
        return problem.remedy(remedy);
    }
    let known =
        || CLOSED.iter().flat_map(|(opened, closing)| [*opened, *closing]).chain(OTHER.iter().copied());
    match nearest(tag, known()) {
        Some(near) => problem.remedy(format!("did you mean `{near}`?")),
        None if matches!(behind, Some((Token::Dot | Token::BlockEnd | Token::Pipe, _))) => {
            problem.remedy(format!("a value is printed by `{{{{ {tag} }}}}`"))
        }
        None => problem.remedy("there are: if, for, set, with, macro, call, filter, include, block, raw"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::hyphen::Form;
    use super::super::whole::parse_whole;

    #[test]
    fn tags_that_do_not_match_name_what_was_opened_and_what_closes_it() {
        let cases = [
            ("a\n{% if x %}b", "{% if", "{% endif %}"),
            ("{% for x in y %}{% if x %}b{% endfor %}", "endfor", "`if` of line 1"),
            ("a{% endif %}", "endif", "no `if` is open"),
            ("{% if x %}a{% elseif y %}b{% endif %}", "elseif", "elif"),
            ("{% if x %}a{% elsif y %}b{% endif %}", "elsif", "elif"),
            ("{% if x %}a{% else if y %}b{% endif %}", "else", "{% elif … %}"),
            ("{% unless x %}a{% endunless %}", "unless", "{% if not … %}"),
            ("{% assign x = 1 %}", "assign", "{% set x = … %}"),
            ("{% customer.name %}", "customer", "{{ customer }}"),
            ("{% iff x %}a{% endif %}", "iff", "did you mean `if`?"),
            ("{% set x %}a", "{% set", "{% endset %}"),
        ];
        for (text, place, words) in cases {
            let Err(error) = parse_whole(text, Form::Template) else { panic!("{text} was read") };
            assert_eq!(&text[error.range.clone()], place, "{text}: {error:?}");
            let said = format!("{}; {}", error.message, error.remedy.unwrap_or_default());
            assert!(said.contains(words), "{text}: {said}");
        }
    }
}

//! Placeholders of other languages in the text outside of tags: nothing would ever replace them.

use minijinja::machinery::ast::{EmitRaw, Spanned};

use super::super::super::problem::ExpressionProblem;
use super::super::Compiler;

/// How other languages open and close a placeholder, the longer ones first.
const PLACEHOLDERS: &[(&str, &str)] =
    &[("${", "}"), ("#{", "}"), ("<%=", "%>"), ("*|", "|*"), ("[[", "]]"), ("{", "}"), ("%", "%")];

/// Longer names are none.
const NAME_BYTES_MAX: usize = 100;

impl Compiler<'_> {
    /// Warns of `{customer.name}`, `${name}`, `%name%` and their like.
    pub(super) fn check_raw(&mut self, raw: &Spanned<EmitRaw<'_>>) {
        let start = raw.span().start_offset as usize;
        let mut at = 0;
        while let Some(skipped) =
            raw.raw.get(at..).and_then(|rest| rest.find(['$', '#', '<', '*', '[', '{', '%']))
        {
            at += skipped;
            let Some((length, name)) = placeholder(&raw.raw[at..]) else {
                at += 1;
                continue;
            };
            let span = self.rewritten.original(start + at..start + at + length);
            let problem = ExpressionProblem::warning(
                span,
                format!("`{}` is sent as it stands", &raw.raw[at..at + length]),
            );
            let known = name.split_once('.').map_or(name, |(root, _)| root);
            let meant = match self.scope.place.roots().contains(&known) || self.is_local(known) {
                true => name.to_owned(),
                false if self.scope.parameter_names().any(|parameter| parameter == name) => {
                    format!("params.{name}")
                }
                false => format!("customer.{}", name.to_ascii_lowercase().replace("fname", "name")),
            };
            self.problems.push(problem.remedy(format!("write `{{{{ {meant} }}}}`")));
            at += length;
        }
    }
}

/// The placeholder at the beginning of a text: its length and the name in it.
fn placeholder(text: &str) -> Option<(usize, &str)> {
    PLACEHOLDERS.iter().find_map(|(open, close)| {
        let inner = text.strip_prefix(open)?;
        let end = inner.find(close).filter(|end| *end <= NAME_BYTES_MAX)?;
        let name = inner[..end].trim();
        // `{ name }` may be a sentence's, `{ customer.name }` is none.
        let may_be_padded =
            matches!(*open, "<%=" | "[[") || (matches!(*open, "{" | "${" | "#{") && name.contains('.'));
        let padded = name.len() != end && !may_be_padded;
        let escaped = *open == "%" && name.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
        (!padded && !escaped && is_name(name)).then_some((open.len() + end + close.len(), name))
    })
}

/// `name`, `customer.name`, `first_name`.
fn is_name(text: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_alphabetic())
            && word.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
    };
    text.split('.').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::placeholder;

    #[test]
    fn only_a_name_alone_is_a_placeholder() {
        for text in [
            "{customer.x}",
            "${name}",
            "%name%",
            "{ customer.x }",
            "${ customer.x }",
            "[[ name ]]",
            "*|FNAME|*",
            "<%= a.b %>",
            "#{x}",
        ] {
            assert_eq!(placeholder(text).map(|(length, _)| length), Some(text.len()), "{text}");
        }
        for text in [
            "{\"a\": 1}",
            "{color: red}",
            "% off%",
            "50%",
            "{}",
            "{ }",
            "[x]",
            "#1",
            "* a *",
            "{1}",
            "{a b}",
            "%C3%A4",
            "%20a%20",
        ] {
            assert_eq!(placeholder(text), None, "{text}");
        }
    }
}

//! What is wrong with a text that cannot be read, and what to write instead.

use std::ops::Range;

use minijinja::machinery::Token;

use super::super::hyphen::Form;
use super::blocks;
use super::whole::{Placed, Unreadable};
use super::words;

/// A place that is no token: `behind` is the end of the token before it.
pub(super) fn no_token(error: &minijinja::Error, text: &str, form: Form, behind: usize) -> Unreadable {
    let at = text[behind..]
        .find(|c: char| !c.is_ascii_whitespace())
        .map_or(text.len(), |skipped| behind + skipped);
    let detail = error.detail().unwrap_or("this cannot be read");
    match detail {
        "unexpected character" => odd_character(text, at),
        "unexpected end of string" => Unreadable::new(at..end_of(text, at), "this text is never closed")
            .remedy(
                "close it with the quote it begins with; a text with an apostrophe stands in double quotes",
            ),
        "unexpected end of comment" => {
            let at = text.rfind("{#").unwrap_or(at);
            Unreadable::new(at..at + 2, "this comment is never closed").remedy("close it with `#}`")
        }
        "unexpected end of raw block" => {
            let at = text.rfind("{%").unwrap_or(at);
            Unreadable::new(at..at + 2, "this `raw` is never closed").remedy("close it with `{% endraw %}`")
        }
        "unexpected input after end of variable block" if form == Form::Expression => {
            Unreadable::new(at..end_of(text, at), "an expression stands alone").remedy(NO_BRACES)
        }
        _ if text[at..].starts_with(['"', '\'']) => {
            Unreadable::new(at..end_of(text, at), "a backslash in this text begins nothing that is known")
                .remedy("write `\\\\` for a backslash")
        }
        _ => Unreadable::new(at..end_of(text, at), detail),
    }
}

const NO_BRACES: &str = "write the expression alone, without braces";

/// The end of the character at a place.
fn end_of(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().map_or(0, char::len_utf8)
}

fn odd_character(text: &str, at: usize) -> Unreadable {
    let rest = &text[at..];
    for (written, message, remedy) in words::SYMBOLS {
        if rest.starts_with(written) {
            return Unreadable::new(at..at + written.len(), *message).remedy(*remedy);
        }
    }
    let range = at..end_of(text, at);
    let Some(character) = rest.chars().next() else {
        return Unreadable::new(range, "the text ends too early");
    };
    let code = format!("U+{:04X}", u32::from(character));
    if let Some((_, name)) = words::SPACES.iter().find(|(space, _)| *space == character) {
        return Unreadable::new(range, format!("this is {name} ({code})")).remedy("write a plain space");
    }
    if words::QUOTES.contains(&character) {
        return Unreadable::new(
            range,
            format!("`{character}` is a typographic quote, as text processors write it"),
        )
        .remedy("write `\"`");
    }
    if let Some((_, plain)) = words::SIGNS.iter().find(|(sign, _)| *sign == character) {
        return Unreadable::new(range, format!("`{character}` is no operator"))
            .remedy(format!("write `{plain}`"));
    }
    if character.is_alphanumeric() {
        return Unreadable::new(
            range,
            format!("`{character}` cannot stand in a name here, which has plain letters"),
        )
        .remedy("write the name as a text in brackets: `customer[\"größe\"]`");
    }
    let shown = if character.is_control() || character.is_whitespace() {
        String::new()
    } else {
        format!("`{character}`, ")
    };
    Unreadable::new(range, format!("the character {shown}{code} has no meaning here"))
        .remedy("take it out, or put the text in quotes")
}

/// Two texts without anything between them: Jinja makes one of them, which is a mistake in a list.
pub(super) fn side_by_side(tokens: &[Placed<'_>]) -> Option<Unreadable> {
    let is_text = |placed: &Placed<'_>| matches!(placed.0, Token::Str(_) | Token::String(_));
    let pair = tokens.windows(2).find(|pair| is_text(&pair[0]) && is_text(&pair[1]))?;
    let problem = Unreadable::new(pair[1].1.clone(), "two texts stand side by side");
    Some(problem.remedy("put a comma between them, or `~` to join them"))
}

/// `x is not not defined`: Jinja takes the second `not` for the name of a test.
pub(super) fn not_twice(tokens: &[Placed<'_>]) -> Option<Unreadable> {
    let is = |placed: &Placed<'_>, word: &str| matches!(placed.0, Token::Ident(name) if name == word);
    let mut triples = tokens.windows(3);
    let twice = triples.find(|three| is(&three[0], "is") && is(&three[1], "not") && is(&three[2], "not"))?;
    let problem = Unreadable::new(twice[2].1.clone(), "`not` stands here twice");
    Some(problem.remedy("write `is defined`, or `is not defined`"))
}

/// A text whose tokens are in no order that can be read.
pub(super) fn syntax(error: &minijinja::Error, text: &str, form: Form, tokens: &[Placed<'_>]) -> Unreadable {
    let detail = error.detail().unwrap_or("this cannot be read");
    let range = error.range().unwrap_or(0..text.len());
    let range = range.start.min(text.len())..range.end.min(text.len());
    if detail.contains("recursion") {
        return Unreadable::new(range, "this nests too deep")
            .remedy("split it, or move a part into a parameter");
    }
    if form == Form::Template
        && let Some(block) = blocks::explain(text, tokens, &range)
    {
        return block;
    }
    let ends = detail.starts_with("unexpected end of input");
    let at = match ends {
        true => tokens.len(),
        false => tokens.iter().position(|(_, place)| place.start >= range.start).unwrap_or(tokens.len()),
    };
    let place = tokens.get(at).map_or(range.clone(), |(_, place)| place.clone());
    let problem = Around { text, tokens, at, form }.explain(&place);
    problem.unwrap_or_else(|| Unreadable::new(range, plainly(detail)))
}

/// The parser's words without its own.
fn plainly(detail: &str) -> String {
    match detail {
        "unexpected input after expression" => "the expression ends before this".to_owned(),
        other => other.replace("end of variable block", "`}}`").replace("end of block", "`%}`"),
    }
}

/// The tokens around the one that stands wrong.
struct Around<'a, 't> {
    text: &'a str,
    tokens: &'a [Placed<'t>],
    at: usize,
    form: Form,
}

impl Around<'_, '_> {
    fn token(&self, offset: isize) -> Option<&Token<'_>> {
        self.at.checked_add_signed(offset).and_then(|at| self.tokens.get(at)).map(|(token, _)| token)
    }

    fn explain(&self, place: &Range<usize>) -> Option<Unreadable> {
        self.braces(place)
            .or_else(|| self.symbols(place))
            .or_else(|| self.words())
            .or_else(|| self.unclosed())
            .or_else(|| self.ended())
            .or_else(|| self.lists(place))
            .or_else(|| self.values(place))
    }

    fn braces(&self, place: &Range<usize>) -> Option<Unreadable> {
        if self.form == Form::Template && self.text.contains("{{{") {
            let three = Unreadable::new(place.clone(), "three braces open nothing");
            return Some(three.remedy("write `{{ customer.name }}`"));
        }
        let written = self.text.contains("{{") || self.text.contains("{%");
        (self.form == Form::Expression && written)
            .then(|| Unreadable::new(place.clone(), "an expression stands alone").remedy(NO_BRACES))
    }

    fn symbols(&self, place: &Range<usize>) -> Option<Unreadable> {
        let say = |message: &str, remedy: &str| Some(Unreadable::new(place.clone(), message).remedy(remedy));
        match (self.token(-1), self.token(0)?, self.token(1)) {
            (Some(Token::VariableStart), Token::VariableEnd, _) => {
                say("these braces hold nothing", "write `{{ customer.name }}`, or take them out")
            }
            (Some(Token::BlockStart), Token::BlockEnd, _) => {
                say("this tag holds nothing", "write `{% if customer.vip %}` or the like, or take it out")
            }
            (Some(Token::Eq), Token::Assign, _) => say("`===` is no operator", "write `==`"),
            (Some(Token::Ne), Token::Assign, _) => say("`!==` is no operator", "write `!=`"),
            (_, Token::Assign, Some(Token::Gt)) => say("`=>` is no operator", "write `>=`"),
            (_, Token::Assign, Some(Token::Lt)) => say("`=<` is no operator", "write `<=`"),
            (Some(Token::Ident(_)), Token::Assign, _) if self.is_hyphenated_argument() => say(
                "a name with a hyphen cannot be given so",
                "write `**{\"match-id\": …}` for a property with a hyphen",
            ),
            (_, Token::Assign, _) => say("`=` does not compare", "to compare, write `==`"),
            (Some(Token::Lt), Token::Gt, _) => say("`<>` is no operator", "write `!=`"),
            (Some(Token::Pipe), Token::Pipe, _) => say("`||` is no operator", "write `or`"),
            (Some(Token::Dot), Token::Dot, _) => say("two dots in a row", "write one"),
            (_, Token::Eq, _) if self.at == 0 => {
                say("something must stand before `==`", "write what is compared")
            }
            (
                Some(Token::Ident("and" | "or" | "not")),
                Token::Gt | Token::Lt | Token::Gte | Token::Lte | Token::Eq | Token::Ne,
                _,
            ) => say(
                "each side of `and` and `or` is a whole comparison",
                "repeat what is compared, or write `18 <= customer.age <= 30`",
            ),
            _ => None,
        }
    }

    /// `match-id=`: a name, a minus and a name before the `=`.
    fn is_hyphenated_argument(&self) -> bool {
        matches!((self.token(-2), self.token(-3)), (Some(Token::Minus), Some(Token::Ident(_))))
    }

    /// Words of other languages: the one that stands wrong, else the one before it, else the very first.
    fn words(&self) -> Option<Unreadable> {
        let places = [Some(self.at), self.at.checked_sub(1), Some(0)];
        let mut found = None;
        for at in places.into_iter().flatten() {
            let is_part = at > 0 && matches!(self.tokens.get(at - 1), Some((Token::Dot, _)));
            if let Some((Token::Ident(word), place)) = self.tokens.get(at).filter(|_| !is_part)
                && let Some(remedy) = words::remedy_for_word(word)
            {
                found = Some(
                    Unreadable::new(place.clone(), format!("`{word}` is no operator here")).remedy(remedy),
                );
                break;
            }
        }
        found
    }

    /// The bracket that is still open where the text ends, or the one that closes nothing.
    fn unclosed(&self) -> Option<Unreadable> {
        let mut open: Vec<(&'static str, &'static str, Range<usize>)> = Vec::new();
        for (token, place) in &self.tokens[..self.at.min(self.tokens.len())] {
            match token {
                Token::ParenOpen => open.push(("(", ")", place.clone())),
                Token::BracketOpen => open.push(("[", "]", place.clone())),
                Token::BraceOpen => open.push(("{", "}", place.clone())),
                Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                    open.pop();
                }
                Token::VariableEnd | Token::BlockEnd => open.clear(),
                _ => {}
            }
        }
        let closes = match self.token(0) {
            Some(Token::ParenClose) => ")",
            Some(Token::BracketClose) => "]",
            Some(Token::BraceClose) => "}",
            Some(Token::VariableEnd | Token::BlockEnd) | None => "",
            Some(_) => return None,
        };
        match (open.last(), closes) {
            (Some((opened, close, place)), "") => Some(
                Unreadable::new(place.clone(), format!("this `{opened}` is never closed"))
                    .remedy(format!("add the `{close}`")),
            ),
            (None, close) if !close.is_empty() => {
                let place = self.tokens[self.at].1.clone();
                Some(Unreadable::new(place, format!("this `{close}` closes nothing")).remedy("take it out"))
            }
            _ => None,
        }
    }

    fn ended(&self) -> Option<Unreadable> {
        let ends =
            matches!(self.token(0), None | Some(Token::VariableEnd | Token::BlockEnd | Token::ParenClose));
        if !ends {
            return None;
        }
        let (token, place) = self.tokens.get(self.at.checked_sub(1)?)?;
        let waits = matches!(
            token,
            Token::Ident("and" | "or" | "not" | "in" | "is" | "if" | "else")
                | Token::Eq
                | Token::Ne
                | Token::Lt
                | Token::Lte
                | Token::Gt
                | Token::Gte
                | Token::Plus
                | Token::Minus
                | Token::Mul
                | Token::Div
                | Token::FloorDiv
                | Token::Mod
                | Token::Pow
                | Token::Tilde
                | Token::Pipe
                | Token::Dot
        );
        let written = self.text.get(place.clone())?;
        waits.then(|| {
            Unreadable::new(place.clone(), format!("nothing follows `{written}`"))
                .remedy("write what follows it, or take it out")
        })
    }

    fn lists(&self, place: &Range<usize>) -> Option<Unreadable> {
        let say = |message: &str, remedy: &str| Some(Unreadable::new(place.clone(), message).remedy(remedy));
        match self.token(0)? {
            Token::Comma => {
                let before = &self.tokens[..self.at];
                let within = before.iter().any(|(token, _)| matches!(token, Token::Ident("in")));
                match within {
                    true => say("a list stands in brackets", "write `in [\"a\", \"b\"]`"),
                    false => {
                        say("a comma separates nothing here", "write `and` or `or`, or a list in brackets")
                    }
                }
            }
            Token::Colon => say("`:` has no meaning here", "a choice is written `b if a else c`"),
            Token::Mod => say("`%` has no meaning here", "write the name alone, as in `customer.name`"),
            Token::BraceOpen => say("`{` has no meaning here", "write the name alone, as in `customer.name`"),
            _ => None,
        }
    }

    fn values(&self, place: &Range<usize>) -> Option<Unreadable> {
        let is_value = |token: &Token<'_>| {
            matches!(
                token,
                Token::Ident(_)
                    | Token::Str(_)
                    | Token::String(_)
                    | Token::Int(_)
                    | Token::Int128(_)
                    | Token::Float(_)
            )
        };
        let (before, token) = (self.token(-1)?, self.token(0)?);
        let closes = matches!(before, Token::ParenClose | Token::BracketClose);
        if !is_value(token) || !(is_value(before) || closes) {
            return None;
        }
        let written = self.text.get(place.clone())?;
        if let (Token::Int(count), Token::Ident(unit)) = (before, token)
            && self.tokens.get(self.at - 1).is_some_and(|(_, number)| number.end == place.start)
        {
            let problem = Unreadable::new(place.clone(), format!("`{count}{unit}` is no number"));
            return Some(problem.remedy(format!("a length of time is a text: write `\"{count}{unit}\"`")));
        }
        let name = match (before, token) {
            (Token::Ident(before), Token::Ident(word)) => {
                format!("; a name with a space stands in brackets: `customer[\"{before} {word}\"]`")
            }
            _ => String::new(),
        };
        Some(
            Unreadable::new(place.clone(), format!("nothing joins `{written}` to what stands before it"))
                .remedy(format!("write an operator between them, such as `==`, `and`, `or`, `in`{name}")),
        )
    }
}

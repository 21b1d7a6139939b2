//! Finds where a character of a scalar's value stands in the text it was written as.
//!
//! The two texts are walked side by side. They differ only in white space (folding, indentation), quotes and escapes;
//! whatever else does not fit means that the value was not read from this text, and the answer is none.

use super::source::Style;

/// The byte offset in `raw` of the byte offset `wanted` in `value`, or none if `value` was not read from `raw`.
pub(super) fn offset_in_source(raw: &str, style: Style, value: &str, wanted: usize) -> Option<usize> {
    if style == Style::Collection {
        return None;
    }
    let mut raw = Raw { text: raw, at: skip_properties(raw, style), style };
    if matches!(style, Style::SingleQuoted | Style::DoubleQuoted) {
        raw.at += 1;
    }
    let mut here = raw.at;
    for (offset, character) in value.char_indices() {
        here = if character.is_whitespace() { raw.take_space(character) } else { raw.take(character)? };
        if offset + character.len_utf8() > wanted {
            return Some(here);
        }
    }
    Some(if value.is_empty() { here } else { raw.at })
}

/// Passes over an anchor and a tag, which stand before the scalar and belong to its span.
fn skip_properties(raw: &str, style: Style) -> usize {
    let mut at = 0;
    while style != Style::Block && raw[at..].starts_with(['&', '!']) {
        let rest = &raw[at..];
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        at += word + rest[word..].len() - rest[word..].trim_start().len();
    }
    at
}

struct Raw<'a> {
    text: &'a str,
    at: usize,
    style: Style,
}

impl Raw<'_> {
    /// The next raw character as it was meant, and its length.
    fn next(&self) -> Option<(char, usize)> {
        let rest = &self.text[self.at..];
        let first = rest.chars().next()?;
        match (self.style, first) {
            (Style::SingleQuoted, '\'') if rest.starts_with("''") => Some(('\'', 2)),
            (Style::DoubleQuoted, '\\') => escape(rest),
            _ => Some((first, first.len_utf8())),
        }
    }

    /// Finds a visible character behind any white space that folding or indentation put there.
    fn take(&mut self, wanted: char) -> Option<usize> {
        loop {
            let (character, length) = self.next()?;
            let here = self.at;
            if character == wanted {
                self.at += length;
                return Some(here);
            }
            if !character.is_whitespace() {
                return None;
            }
            self.at += length;
        }
    }

    /// White space of the value: the raw text has some too, though perhaps another kind of it, or a line break.
    fn take_space(&mut self, wanted: char) -> usize {
        let here = self.at;
        if let Some((character, length)) = self.next()
            && (character == wanted || character.is_whitespace())
        {
            self.at += length;
        }
        here
    }
}

/// An escape sequence in double quotes: what it stands for (a space for a folded line) and its length.
fn escape(rest: &str) -> Option<(char, usize)> {
    let code = rest[1..].chars().next()?;
    let hexadecimal = |digits: usize| {
        let value = u32::from_str_radix(rest.get(2..2 + digits)?, 16).ok()?;
        Some((char::from_u32(value)?, 2 + digits))
    };
    let simple = match code {
        'n' => '\n',
        't' | '\t' => '\t',
        'r' => '\r',
        '0' => '\0',
        'a' => '\u{7}',
        'b' => '\u{8}',
        'e' => '\u{1b}',
        'f' => '\u{c}',
        'v' => '\u{b}',
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        'x' => return hexadecimal(2),
        'u' => return hexadecimal(4),
        'U' => return hexadecimal(8),
        '\n' => ' ',
        other => other,
    };
    Some((simple, 1 + code.len_utf8()))
}

//! What is the same in the reasons of many customers: a reason without the values that come from one of them.
//!
//! A pattern holds no address, no quoted value and no long number, so it may stand where a customer's data may not.

/// More of a reason than this says nothing more.
const CHARS_MAX: usize = 200;
/// At the beginning of a reason, words of digits and dots of at most so many characters are codes: `550 5.7.26 …`.
const CODE_CHARS_MAX: usize = 6;
/// A number behind one of these is a place in a template.
const BEFORE_PLACES: [&str; 2] = ["line", "column"];
/// A word of letters and digits from this length on is an id.
const ID_CHARS_MIN: usize = 4;
/// What names in templates begin with: they stand in quotes like values, and are the same for everybody.
const NAMES: [&str; 6] = ["customer", "params", "ids", "consents", "event", "now"];
/// What stands in place of a value.
pub(super) const VALUE: char = '…';

/// The pattern of a reason.
pub(super) fn pattern(reason: &str) -> String {
    let mut written =
        Written { pattern: String::with_capacity(reason.len().min(CHARS_MAX)), ..Written::default() };
    let mut rest = reason;
    while let Some(start) = rest.find(['`', '"']) {
        let quote = if rest[start..].starts_with('`') { '`' } else { '"' };
        let Some(length) = rest[start + 1..].find(quote) else { break };
        let quoted = &rest[start + 1..start + 1 + length];
        written.add_words(&rest[..start]);
        written.pattern.push(quote);
        match quote == '`' && is_name(quoted) {
            true => written.pattern.push_str(quoted),
            false => written.pattern.push(VALUE),
        }
        written.pattern.push(quote);
        rest = &rest[start + length + 2..];
    }
    written.add_words(rest);
    match written.pattern.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}{VALUE}", &written.pattern[..end]),
        None => written.pattern,
    }
}

/// What a pattern is about at large: all up to its first colon; `None` if it has none.
pub(super) fn class(pattern: &str) -> Option<String> {
    let (class, _) = pattern.split_once(": ")?;
    Some(format!("{class}: {VALUE}"))
}

#[derive(Default)]
struct Written {
    pattern: String,
    is_behind_codes: bool,
    is_place_next: bool,
}

impl Written {
    fn add_words(&mut self, text: &str) {
        for piece in text.split_inclusive(char::is_whitespace) {
            let word = piece.trim_end();
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
            if self.is_value(bare) || word.contains('@') {
                self.pattern.push(VALUE);
                // What ends a clause stays.
                self.pattern.extend(word.chars().last().filter(|last| matches!(last, ':' | ';' | ',' | ')')));
                self.pattern.push_str(&piece[word.len()..]);
            } else {
                self.pattern.push_str(piece);
            }
            if !bare.is_empty() {
                self.is_behind_codes |= !(is_number(bare) && bare.len() <= CODE_CHARS_MAX);
                self.is_place_next = BEFORE_PLACES.contains(&bare);
            }
        }
    }

    fn is_value(&self, word: &str) -> bool {
        let is_code = !self.is_behind_codes && word.len() <= CODE_CHARS_MAX;
        match is_number(word) {
            true => !is_code && !self.is_place_next,
            false => word.bytes().any(|byte| byte.is_ascii_digit()) && word.len() >= ID_CHARS_MIN,
        }
    }
}

/// Whether a word is a number, or several with what stands between those of a date or a version.
fn is_number(word: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_digit() || b".-:+TZ".contains(&byte);
    word.bytes().all(is_part) && word.bytes().any(|byte| byte.is_ascii_digit())
}

fn is_name(quoted: &str) -> bool {
    let root = quoted.split(['.', '[']).next().unwrap_or_default();
    NAMES.contains(&root) && quoted.chars().all(|c| c.is_alphanumeric() || "._[]\"'-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_left_out_and_codes_and_names_stay() {
        for (reason, expected) in [
            ("no consent: sms", "no consent: sms"),
            (
                "body cannot be written: `customer.name` is missing (line 1)",
                "body cannot be written: `customer.name` is missing (line 1)",
            ),
            ("text cannot be written: `Ann` is no number", "text cannot be written: `…` is no number"),
            (
                "550 5.1.1 <ann@example.com>: Recipient address rejected",
                "550 5.1.1 …: Recipient address rejected",
            ),
            ("554 5.7.26 queued as 4XyZ12abcd", "554 5.7.26 queued as …"),
            ("the number +43 6601234567 is blocked", "the number … … is blocked"),
            ("422 {\"id\":\"a7\",\"why\":\"no\"}", "422 {\"…\":\"…\",\"…\":\"…\"}"),
            ("aborted: 17 is below 18", "aborted: … is below …"),
            (
                "text cannot be written: too deep (line 12, column 7)",
                "text cannot be written: too deep (line 12, column 7)",
            ),
            ("an open ` quote", "an open ` quote"),
            ("", ""),
        ] {
            assert_eq!(pattern(reason), expected);
        }
        assert_eq!(pattern(&"ä ".repeat(500)).chars().count(), CHARS_MAX + 1);
        assert_eq!(class("aborted: nothing for Ann").as_deref(), Some("aborted: …"));
        assert_eq!(class("no address"), None);
    }
}

//! Text that came from outside, made safe for a terminal.
//!
//! Attributes, ids, properties and triggers' names are what others wrote. Control characters in them could move the cursor,
//! rename the window or fill the clipboard (ECMA-48, OSC 0 and 52), and characters of the Unicode bidirectional algorithm
//! (UAX #9) could show a text in another order than it is in. Both are shown by their numbers instead.

use std::borrow::Cow;

/// A text of several lines: everything is made visible but the ends of lines, and tabs, by which shells take completions
/// apart.
pub(super) fn lines(text: &str) -> Cow<'_, str> {
    written(
        text,
        |c| !matches!(c, '\n' | '\t') && is_unsafe(c),
        |c, out| out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
    )
}

/// A text that is part of a line: its ends of lines and tabs are made visible, too.
pub(super) fn one_line(text: &str) -> Cow<'_, str> {
    written(text, is_unsafe, |c, out| match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
    })
}

/// Written JSON: what is unsafe stands in its texts only, and is escaped there as JSON has it, so that it is the same value.
pub(super) fn json(text: &str) -> Cow<'_, str> {
    written(
        text,
        |c| c != '\n' && is_unsafe(c),
        |c, out| {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        },
    )
}

fn written(text: &str, is_meant: impl Fn(char) -> bool, write: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(&is_meant) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_meant(c) {
            true => write(c, &mut out),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Whether a terminal may do something else with it than show it.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200e}' | '\u{200f}' // marks of direction
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // embeddings, overrides and isolates
            | '\u{2028}' | '\u{2029}' // ends of lines
            | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}' // of no width
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}') // annotations and tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_upon_is_shown_by_its_number() {
        for (text, shown) in [
            ("Ann", "Ann"),
            ("\u{1b}]0;owned\u{7}", "\\u{1b}]0;owned\\u{7}"),
            ("\u{1b}]52;c;cm0=\u{1b}\\", "\\u{1b}]52;c;cm0=\\u{1b}\\"),
            ("\u{9b}31m\u{7f}\u{0}", "\\u{9b}31m\\u{7f}\\u{0}"),
            ("a\u{202e}b\u{2066}c\u{200f}", "a\\u{202e}b\\u{2066}c\\u{200f}"),
            ("a\rb\u{2028}c\u{e0041}", "a\\u{d}b\\u{2028}c\\u{e0041}"),
            ("two\nlines\tapart", "two\nlines\tapart"),
            ("Zoë 雪 👩\u{200d}🚒", "Zoë 雪 👩\u{200d}🚒"),
        ] {
            assert_eq!(lines(text), shown);
        }
        assert_eq!(one_line("a\nb\tc\rd\u{85}"), "a\\nb\\tc\\rd\\u{85}");
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({"a\u{202e}": ["\u{9b}\u{7f}\n\u{1b}\u{e0041}", "ok"]});
        for text in [value.to_string(), format!("{value:#}")] {
            let shown = json(&text);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
            assert!(!shown.contains(|c: char| c != '\n' && is_unsafe(c)), "{shown}");
        }
        assert!(matches!(json("{\"a\": 1}"), Cow::Borrowed(_)));
    }
}

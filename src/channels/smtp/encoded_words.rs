//! Encoded words (RFC 2047) for texts that would be taken for some.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// How many bytes of text an encoded word holds at most: it may have 75 characters (RFC 2047, 2).
const BYTES_MAX: usize = 45;

/// Whether a reader might decode the text, or a part of it.
pub(super) fn looks_encoded(text: &str) -> bool {
    text.contains("=?")
}

/// The text as encoded words with spaces between, which readers leave out.
pub(super) fn encoded_words(text: &str) -> String {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (word, behind) = rest.split_at(rest.floor_char_boundary(BYTES_MAX));
        words.push(format!("=?utf-8?B?{}?=", STANDARD.encode(word)));
        rest = behind;
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(encoded_words("=?x"), "=?utf-8?B?PT94?=");
        let words = encoded_words(&"\u{20ac}".repeat(40));
        assert_eq!(words.split(' ').count(), 3);
        assert!(words.split(' ').all(|word| word.len() <= 75), "{words}");
    }
}

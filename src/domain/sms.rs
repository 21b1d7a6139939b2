//! How many segments a text message takes: each is sent, carried and paid for by itself.
//!
//! A text of the GSM 7-bit alphabet has 160 septets in one segment and 153 in each of several; any other is sent as
//! UCS-2 with 70 and 67 units (3GPP TS 23.038, 6.2.1; TS 23.040, 9.2.3.24.1).

/// The most segments that a message may take.
pub const SEGMENTS_MAX: usize = 10;

/// The default alphabet: one septet each.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿\
                     abcdefghijklmnopqrstuvwxyzäöñüà";
/// The extension table: two septets each.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// The septets of each ASCII character; 0 for those of neither table.
const ASCII: [u8; 128] = {
    let mut septets = [0; 128];
    let mut at = 0;
    while at < BASIC.len() {
        if BASIC.as_bytes()[at] < 128 {
            septets[BASIC.as_bytes()[at] as usize] = 1;
        }
        at += 1;
    }
    at = 0;
    while at < EXTENSION.len() {
        if EXTENSION.as_bytes()[at] < 128 {
            septets[EXTENSION.as_bytes()[at] as usize] = 2;
        }
        at += 1;
    }
    septets
};

/// How many segments a text takes.
pub fn segments(text: &str) -> usize {
    let (units, alone, several) = match septets(text) {
        Some(septets) => (septets, 160, 153),
        None => (text.encode_utf16().count(), 70, 67),
    };
    if units <= alone { 1 } else { units.div_ceil(several) }
}

/// The text with plain spaces. Amounts and times hold some at which no line breaks; they are of no alphabet that networks
/// have, and one of them would leave 70 characters for a segment.
pub fn with_plain_spaces(text: String) -> String {
    const UNBREAKABLE: [char; 3] = ['\u{a0}', '\u{202f}', '\u{2007}'];
    if text.contains(UNBREAKABLE) { text.replace(UNBREAKABLE, " ") } else { text }
}

/// Why a text cannot be sent as one message, if it is too long.
pub fn too_long(text: &str) -> Option<String> {
    // No text of so many bytes fits, and a long one need not be counted.
    const BYTES_MAX: usize = 8 * 1024;
    if text.len() > BYTES_MAX {
        return Some(format!(
            "a text message takes at most {SEGMENTS_MAX} segments, and this has {} bytes",
            text.len()
        ));
    }
    let segments = segments(text);
    (segments > SEGMENTS_MAX).then(|| {
        format!("a text message takes at most {SEGMENTS_MAX} segments, and this one would take {segments}")
    })
}

/// The septets of a text; `None` if it has a character that is in neither table.
fn septets(text: &str) -> Option<usize> {
    text.chars().try_fold(0, |septets, character| match ASCII.get(character as usize) {
        Some(0) => None,
        Some(more) => Some(septets + usize::from(*more)),
        None if BASIC.contains(character) => Some(septets + 1),
        None if EXTENSION.contains(character) => Some(septets + 2),
        None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_counted_as_networks_count_them() {
        let cases = [
            ("", 1),
            (&"a".repeat(160), 1),
            (&"a".repeat(161), 2),
            (&"a".repeat(306), 2),
            (&"a".repeat(307), 3),
            (&"[".repeat(80), 1),
            (&"[".repeat(81), 2),
            (&format!("{}`", "a".repeat(70)), 2),
            (&"€".repeat(80), 1),
            (&"€".repeat(81), 2),
            (&"ш".repeat(70), 1),
            (&"ш".repeat(71), 2),
            (&"🎉".repeat(35), 1),
            (&"🎉".repeat(36), 2),
            (&format!("{}ш", "a".repeat(160)), 3),
        ];
        for (text, expected) in cases {
            assert_eq!(segments(text), expected, "{text}");
        }
    }

    #[test]
    fn an_amount_leaves_a_text_in_the_alphabet_of_networks() {
        let text = format!("{} 1\u{a0}234,50\u{a0}EUR at 3:00\u{202f}PM", "a".repeat(100));
        assert_eq!((segments(&text), segments(&with_plain_spaces(text.clone()))), (2, 1));
        assert!(with_plain_spaces(text).ends_with("1 234,50 EUR at 3:00 PM"));
    }

    #[test]
    fn a_text_of_more_than_ten_segments_is_too_long() {
        assert_eq!(too_long(&"a".repeat(1_530)), None);
        assert!(too_long(&"a".repeat(1_531)).is_some_and(|said| said.contains("would take 11")));
        assert_eq!(too_long(&"ш".repeat(670)), None);
        assert!(too_long(&"ш".repeat(671)).is_some());
        assert!(too_long(&"a".repeat(500_000)).is_some_and(|said| said.contains("500000 bytes")));
    }
}

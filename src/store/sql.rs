//! How SQL names states: `{run.selecting}` stands for the number of that state, `{run.under_way}` for a list of the numbers
//! of that set, as in `state IN {run.under_way}`.
//!
//! The words and sets are those of [`crate::domain::state`]; they are put in while the program is compiled, and a word that
//! no state has does not compile. A statement holds numbers where it runs, since a partial index serves a statement only
//! if that has the numbers of the index's condition, in their order.

use crate::domain::state::{CallState, ChunkState, DeliveryState, RunState, SideIndexState};

/// The text of a statement, in which `{run.selecting}` and the like are replaced. Takes what `concat!` takes.
macro_rules! sql {
    ($($part:tt)*) => {{
        const TEXT: &str = concat!($($part)*);
        const BYTES: [u8; $crate::store::sql::replaced_length(TEXT)] = $crate::store::sql::replaced(TEXT);
        const STATEMENT: &str = $crate::store::sql::as_text(&BYTES);
        STATEMENT
    }};
}

/// The most states a set has.
const SET_MAX: usize = 8;

/// What a name stands for.
#[derive(Clone, Copy)]
struct Numbers {
    numbers: [u8; SET_MAX],
    count: usize,
    is_set: bool,
}

impl Numbers {
    const NONE: Numbers = Numbers { numbers: [0; SET_MAX], count: 0, is_set: false };

    /// With another number, which has one digit.
    const fn with(mut self, number: i64) -> Self {
        assert!(number >= 0 && number < 10, "the number of a state has one digit");
        self.numbers[self.count] = number as u8;
        self.count += 1;
        self
    }

    /// How long it is written: `3`, or `(0, 1)`.
    const fn length(self) -> usize {
        if self.is_set { 3 * self.count } else { 1 }
    }

    const fn byte(self, at: usize) -> u8 {
        if !self.is_set {
            return b'0' + self.numbers[0];
        }
        match at % 3 {
            0 if at == 0 => b'(',
            0 => b' ',
            1 => b'0' + self.numbers[at / 3],
            _ if at / 3 + 1 == self.count => b')',
            _ => b',',
        }
    }
}

/// Whether the text has the word from there on, and the closing brace behind it.
const fn has_word(text: &[u8], at: usize, word: &str) -> bool {
    let word = word.as_bytes();
    let mut i = 0;
    while i < word.len() {
        if at + i >= text.len() || text[at + i] != word[i] {
            return false;
        }
        i += 1;
    }
    at + i < text.len() && text[at + i] == b'}'
}

/// What the word at that place stands for among the states and sets of one type.
macro_rules! find {
    ($states:ident, $text:expr, $at:expr) => {{
        let (mut found, mut i) = (Numbers::NONE, 0);
        while i < $states::ALL.len() {
            if has_word($text, $at, $states::ALL[i].word()) {
                found = Numbers::NONE.with($states::ALL[i].code());
            }
            i += 1;
        }
        i = 0;
        while i < $states::SETS.len() {
            let (word, set) = $states::SETS[i];
            if has_word($text, $at, word) {
                found = Numbers { is_set: true, ..Numbers::NONE };
                let mut n = 0;
                while n < set.len() {
                    found = found.with(set[n].code());
                    n += 1;
                }
            }
            i += 1;
        }
        found
    }};
}

/// Whether the text goes on with this.
const fn has(text: &[u8], at: usize, what: &[u8]) -> bool {
    let mut i = 0;
    while i < what.len() {
        if at + i >= text.len() || text[at + i] != what[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// What the name stands for that begins with the brace there.
const fn find(text: &[u8], at: usize) -> Numbers {
    let found = if has(text, at, b"{call.") {
        find!(CallState, text, at + b"{call.".len())
    } else if has(text, at, b"{run.") {
        find!(RunState, text, at + b"{run.".len())
    } else if has(text, at, b"{chunk.") {
        find!(ChunkState, text, at + b"{chunk.".len())
    } else if has(text, at, b"{delivery.") {
        find!(DeliveryState, text, at + b"{delivery.".len())
    } else if has(text, at, b"{side_index.") {
        find!(SideIndexState, text, at + b"{side_index.".len())
    } else {
        Numbers::NONE
    };
    assert!(found.count > 0, "a name in braces that no state and no set has");
    found
}

/// Whether a name begins there: `{}` and `{0}` are values of the database.
const fn is_name(text: &[u8], at: usize) -> bool {
    text[at] == b'{' && at + 1 < text.len() && text[at + 1].is_ascii_lowercase()
}

const fn behind(text: &[u8], mut at: usize) -> usize {
    while text[at] != b'}' {
        at += 1;
    }
    at + 1
}

/// How long the text is with every name replaced.
pub(super) const fn replaced_length(text: &str) -> usize {
    let (text, mut at, mut length) = (text.as_bytes(), 0, 0);
    while at < text.len() {
        if is_name(text, at) {
            length += find(text, at).length();
            at = behind(text, at);
        } else {
            length += 1;
            at += 1;
        }
    }
    length
}

/// The text with every name replaced.
pub(super) const fn replaced<const LENGTH: usize>(text: &str) -> [u8; LENGTH] {
    let (text, mut at) = (text.as_bytes(), 0);
    let (mut written, mut end) = ([0; LENGTH], 0);
    while at < text.len() {
        if is_name(text, at) {
            let numbers = find(text, at);
            let mut i = 0;
            while i < numbers.length() {
                written[end] = numbers.byte(i);
                end += 1;
                i += 1;
            }
            at = behind(text, at);
        } else {
            written[end] = text[at];
            end += 1;
            at += 1;
        }
    }
    written
}

/// The bytes as text, which they are still: whole names are replaced by digits, commas, spaces and parentheses.
pub(super) const fn as_text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => unreachable!(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_numbers_and_lists_of_numbers() {
        const STATEMENT: &str = sql!(
            "UPDATE run SET state = {run.waiting} WHERE state IN {run.under_way} ",
            "AND note <> '{}' AND ä = '{0}' AND x = {delivery.held}"
        );
        assert_eq!(
            STATEMENT,
            "UPDATE run SET state = 6 WHERE state IN (0, 1) AND note <> '{}' AND ä = '{0}' AND x = 6"
        );
        assert_eq!(sql!("{delivery.open}{side_index.dropping}{chunk.done}"), "(0, 1, 2)21");
        assert_eq!(sql!(""), "");
    }

    /// What SQL says of every state and set is what the domain says.
    #[test]
    fn every_name_stands_for_its_states() {
        macro_rules! assert_names {
            ($table:literal, $states:ident) => {
                for state in $states::ALL {
                    let found = find(format!("{{{}.{}}}", $table, state.word()).as_bytes(), 0);
                    assert!(!found.is_set && i64::from(found.numbers[0]) == state.code(), "{state:?}");
                }
                for (word, set) in $states::SETS {
                    let found = find(format!("{{{}.{word}}}", $table).as_bytes(), 0);
                    let text: String = (0..found.length()).map(|at| char::from(found.byte(at))).collect();
                    let codes: Vec<String> = set.iter().map(|state| state.code().to_string()).collect();
                    assert_eq!(text, format!("({})", codes.join(", ")), "{word}");
                    assert!($states::from_word(word).is_none(), "{word} is a state's word too");
                }
            };
        }
        assert_names!("call", CallState);
        assert_names!("run", RunState);
        assert_names!("chunk", ChunkState);
        assert_names!("delivery", DeliveryState);
        assert_names!("side_index", SideIndexState);
    }
}

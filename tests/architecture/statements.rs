//! Statements name states: `state = {run.waiting}`, never `state = 6`. `src/store/sql.rs` puts the numbers in.
//!
//! Migrations are no Rust text, and hold the numbers that the schemas were written with.

use std::sync::LazyLock;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use regex::Regex;

use crate::source::Source;

/// What puts the numbers in, and tests which.
const PUTS_NUMBERS_IN: &str = "src/store/sql.rs";

/// States that stand in statements as bare numbers.
pub fn bare_numbers(source: &Source) -> Vec<String> {
    if !source.path.starts_with("src/") || source.path == PUTS_NUMBERS_IN {
        return Vec::new();
    }
    let tokens: TokenStream = source.text.parse().expect("it was parsed before");
    let mut texts = Vec::new();
    collect(tokens, &mut texts);
    let found = texts.iter().flat_map(|(line, text)| {
        let path = &source.path;
        complaints(text).map(move |what| {
            format!("{path}:{line} `{what}`: name the state as store/sql says, like {{run.waiting}} or {{run.under_way}}")
        })
    });
    found.collect()
}

/// Every text between quotes that is no documentation, with its line.
fn collect(tokens: TokenStream, into: &mut Vec<(usize, String)>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let first = group.stream().into_iter().next();
                let is_doc = matches!(first, Some(TokenTree::Ident(name)) if name == "doc");
                if !(group.delimiter() == Delimiter::Bracket && is_doc) {
                    collect(group.stream(), into);
                }
            }
            TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                    into.push((literal.span().start().line, text.value()));
                }
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}

/// `state = 6`, `d.state::bigint NOT IN (0, 1)`, `state BETWEEN 3 AND 5`.
static COMPARED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\b(state|ended)\b(::\w+)?\s*(=|<>|!=|<=|>=|<|>|\b(NOT\s+)?BETWEEN\b|\b(NOT\s+)?IN\b\s*\()\s*\d")
});
/// `6 = state`.
static COMPARED_WITH: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"[^?$\w]\d+\s*(=|<>|!=)\s*(\w+\.)?state\b"));
/// `CASE state WHEN 6 THEN 1 ELSE 2 END`, and what a state is set to by a `CASE`.
static CASES: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(\bstate\b\s*=\s*CASE\b|\bCASE\s+(\w+\.)?state\b).*?\bEND\b"));
static CASE_NUMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(WHEN|THEN|ELSE)\s+\d"));
/// The columns of an `INSERT`, and what is behind them.
static INSERTED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\bINSERT\b[^(]*?\bINTO\s+\w+(\s+AS\s+\w+)?\s*\(([^()]*)\)\s*(VALUES|SELECT)\b(.*)")
});

fn pattern(text: &str) -> Regex {
    Regex::new(&format!("(?s){text}")).expect("the pattern is a constant and was tested")
}

fn complaints(text: &str) -> impl Iterator<Item = String> {
    let compared = [&COMPARED, &COMPARED_WITH].into_iter().flat_map(|it| it.find_iter(text));
    let mut found: Vec<String> = compared.map(|it| it.as_str().to_owned()).collect();
    let cases = CASES.find_iter(text).flat_map(|it| CASE_NUMBER.find_iter(it.as_str()));
    found.extend(cases.map(|it| it.as_str().to_owned()));
    // Each `INSERT` with what is behind it, up to the next.
    let begins: Vec<usize> = text.match_indices("INSERT").map(|(at, _)| at).collect();
    for (place, begin) in begins.iter().enumerate() {
        let end = begins.get(place + 1).copied().unwrap_or(text.len());
        found.extend(inserted_number(&text[*begin..end]));
    }
    found.into_iter()
}

/// A bare number in the place of the column `state`.
fn inserted_number(insert: &str) -> Option<String> {
    let parts = INSERTED.captures(insert)?;
    let place = parts[2].split(',').position(|column| column.trim() == "state")?;
    let rows = if &parts[3] == "VALUES" { rows(&parts[4]) } else { vec![parts[4].to_owned()] };
    let values = rows.iter().filter_map(|row| split(row).get(place).map(|value| value.trim().to_owned()));
    let is_number = |value: &String| value.chars().all(|it| it.is_ascii_digit()) && !value.is_empty();
    values.into_iter().find(is_number).map(|value| format!("INSERT of the state {value}"))
}

/// The insides of the outermost parentheses.
fn rows(values: &str) -> Vec<String> {
    let (mut depth, mut found) = (0_u32, Vec::new());
    for it in values.chars() {
        depth -= u32::from(it == ')' && depth > 0);
        if depth > 0 {
            found.last_mut().map(|row: &mut String| row.push(it)).unwrap_or_default();
        } else if it == '(' {
            found.push(String::new());
        }
        depth += u32::from(it == '(');
    }
    found
}

/// Values that are parted by commas outside parentheses.
fn split(row: &str) -> Vec<String> {
    let (mut depth, mut found) = (0_i32, vec![String::new()]);
    for it in row.chars() {
        depth += i32::from(it == '(') - i32::from(it == ')');
        match found.last_mut() {
            _ if it == ',' && depth == 0 => found.push(String::new()),
            Some(value) => value.push(it),
            None => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(statement: &str) -> usize {
        let text = format!("const A: &str = sql!({statement:?}, other!(), \"x\");");
        bare_numbers(&Source::parse("src/store/x.rs", &text)).len()
    }

    #[test]
    fn planted_numbers_are_caught() {
        for statement in [
            "SELECT 1 FROM run WHERE state = 6",
            "SELECT 1 FROM run r WHERE r.state IN (0, 1)",
            "SELECT 1 FROM run r WHERE r.state::bigint NOT\n IN ( 0)",
            "SELECT 1 FROM run r WHERE r.state<>1",
            "SELECT 1 FROM run r WHERE r.state > 1",
            "SELECT 1 FROM run WHERE state BETWEEN 0 AND 2",
            "SELECT 1 FROM run WHERE (6 = state)",
            "UPDATE run SET stopping = true, state = 1 WHERE id = $1",
            "UPDATE run SET state = CASE r.state WHEN {run.waiting} THEN 1 ELSE r.state END",
            "UPDATE run SET state = CASE WHEN EXISTS (SELECT 1) THEN {run.failed}\n ELSE 2 END",
            "SELECT CASE state WHEN 3 THEN 'a' END",
            "INSERT INTO run (call, scenario, state, at) VALUES (?1, ?2, 0, ?3)",
            "INSERT INTO run (call, state) VALUES (1, {run.done}), (f(1, 2), 3)",
            "INSERT INTO run AS r (call, state, at) SELECT f(a, b), 0, at FROM x",
        ] {
            assert_eq!(found(statement), 1, "{statement}");
        }
    }

    #[test]
    fn names_and_values_are_let_be() {
        for statement in [
            "SELECT 1 FROM run WHERE state IN {run.under_way} AND fence = 0",
            "SELECT 1 FROM run WHERE state = $1 AND ($4::smallint IS NULL OR state = $4)",
            "UPDATE run SET state = ?2, ended = ?5, stopping = 1",
            "SELECT CASE WHEN c.n = 0 THEN 1 ELSE 0 END, state FROM chunk c",
            "INSERT INTO run (call, scenario, state, at) VALUES (?1, 7, {run.done}, 0)",
            "SELECT 1 FROM x WHERE estate = 1",
        ] {
            assert_eq!(found(statement), 0, "{statement}");
        }
        let documented = "/// Where `state = 6` stands.\nconst A: &str = \"x\";";
        assert!(bare_numbers(&Source::parse("src/store/x.rs", documented)).is_empty());
        let plain = "const A: &str = \"SELECT 1 FROM run WHERE state = 6\";";
        assert_eq!(bare_numbers(&Source::parse("src/store/x.rs", plain)).len(), 1);
        assert!(bare_numbers(&Source::parse("tests/store/x.rs", plain)).is_empty());
    }
}

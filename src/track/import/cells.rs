//! What a cell of a CSV file means, by its column's header alone.
//!
//! A cell is text, as it stands: no spelling of a postcode, a phone number or a county's code may make a number of it,
//! and a column must not hold both kinds. Where another kind is meant, the header says so: `age:number`,
//! `vip:boolean`, `tags:json`. Under `consents.` stand true and false. An empty cell says nothing about its attribute;
//! NDJSON can remove one by null. White space around a cell is no part of it.

use serde_json::Value as Json;

use crate::domain::value::{Number, number_from_text};
use crate::track::line::{LineError, trimmed};

/// How much of a cell an error shows.
const SHOWN_CHARS_MAX: usize = 64;
/// What stands for true, in small letters: JSON's word, what PostgreSQL, forms and people write, and what Excel writes where
/// it speaks German, French, Spanish, Italian, Portuguese or Dutch.
const TRUE: [&str; 12] =
    ["true", "yes", "1", "y", "t", "on", "wahr", "vrai", "verdadero", "vero", "verdadeiro", "waar"];
/// What stands for false, likewise.
const FALSE: [&str; 10] = ["false", "no", "0", "n", "f", "off", "falsch", "faux", "falso", "onwaar"];

/// What a column's cells are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellType {
    Text,
    Number,
    Boolean,
    Json,
}

/// Where a column's cells go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    /// An id of this kind, `registered` among them.
    Id(String),
    /// An attribute, by the names from the outermost in.
    Attribute(Vec<String>, CellType),
    /// A consent.
    Consent(String),
    /// Nowhere: the column has no name, so nothing may stand in it.
    Nameless,
}

impl Column {
    /// The names of the attribute it holds, from the outermost in.
    pub(super) fn attribute(&self) -> Option<&[String]> {
        match self {
            Column::Attribute(path, _) => Some(path),
            Column::Id(_) | Column::Consent(_) | Column::Nameless => None,
        }
    }
}

/// Reads one header: `registered`, `ids.cookie`, `consents.sms`, `city`, `age:number`, `address.city`.
pub(super) fn column(header: &str) -> Result<Column, String> {
    if header.is_empty() {
        return Ok(Column::Nameless);
    }
    let (name, said) = header.rsplit_once(':').map_or((header, "text"), |(name, said)| (name, trimmed(said)));
    let cell_type = match said.to_ascii_lowercase().as_str() {
        "text" => CellType::Text,
        "number" => CellType::Number,
        "boolean" => CellType::Boolean,
        "json" => CellType::Json,
        _ => {
            return Err(format!(
                "column `{header}`: `{said}` is no type; there are text, number, boolean, json"
            ));
        }
    };
    let path: Vec<&str> = name.split('.').map(trimmed).collect();
    if path.iter().any(|part| part.is_empty()) {
        return Err(format!("column `{header}` has no name"));
    }
    Ok(match path.as_slice() {
        ["registered"] => Column::Id("registered".into()),
        ["ids", kind] => Column::Id((*kind).into()),
        ["consents", category] => Column::Consent((*category).into()),
        ["ids" | "consents", ..] => return Err(format!("column `{header}` must be one name below")),
        names => Column::Attribute(names.iter().map(ToString::to_string).collect(), cell_type),
    })
}

/// What a file's cells are written like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decimals {
    /// `3.5`.
    Point,
    /// `3.5` or `3,5`: spreadsheets separate cells by `;` where a comma stands in numbers.
    PointOrComma,
}

/// Reads one cell of an attribute's column.
pub(super) fn cell(
    column: &str,
    cell_type: CellType,
    decimals: Decimals,
    cell: &str,
) -> Result<Json, LineError> {
    match cell_type {
        CellType::Text => Ok(cell.into()),
        CellType::Boolean => boolean(column, cell).map(Json::Bool),
        CellType::Json => serde_json::from_str(cell)
            .map_err(|_| wrong(column, cell, "JSON, such as 41, true or [\"home\", \"car\"]")),
        CellType::Number => number(decimals, cell)
            .ok_or_else(|| wrong(column, cell, "a number such as 41, -3 or 0.5, without anything around it")),
    }
}

fn number(decimals: Decimals, cell: &str) -> Option<Json> {
    let with_point = match (decimals, cell.split_once(',')) {
        (Decimals::PointOrComma, Some((whole, fraction))) if !cell.contains('.') => {
            Some(format!("{whole}.{fraction}"))
        }
        _ => None,
    };
    number_from_text(with_point.as_deref().unwrap_or(cell)).map(Number::to_json)
}

/// Reads true or false.
pub(super) fn boolean(column: &str, cell: &str) -> Result<bool, LineError> {
    let said = cell.to_lowercase();
    match (TRUE.contains(&said.as_str()), FALSE.contains(&said.as_str())) {
        (true, _) => Ok(true),
        (_, true) => Ok(false),
        _ => Err(wrong(column, cell, "true or false")),
    }
}

fn wrong(column: &str, cell: &str, expected: &'static str) -> LineError {
    let mut shown: String = cell.chars().take(SHOWN_CHARS_MAX).collect();
    if shown.len() < cell.len() {
        shown.push('…');
    }
    LineError::Cell { column: column.to_owned(), cell: shown, expected }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cell(cell_type: CellType, text: &str) -> Result<Json, LineError> {
        super::cell("c", cell_type, Decimals::Point, text)
    }

    #[test]
    fn a_cell_is_text_unless_its_header_says_otherwise() {
        for text in ["01234", "60200", "1e3", "true", "NO", " x ", "null", "+420603123456"] {
            assert_eq!(cell(CellType::Text, text), Ok(json!(text)));
        }
        assert_eq!(cell(CellType::Number, "41"), Ok(json!(41)));
        assert_eq!(cell(CellType::Number, "0.1"), Ok(json!(0.1)));
        assert_eq!(cell(CellType::Number, "01"), Ok(json!(1)));
        assert_eq!(cell(CellType::Boolean, "false"), Ok(json!(false)));
        assert_eq!(cell(CellType::Json, r#"["a", 1]"#), Ok(json!(["a", 1])));
        for (cell_type, wrong) in [
            (CellType::Number, "1,5"),
            (CellType::Number, "1e999"),
            (CellType::Number, "x"),
            (CellType::Boolean, "perhaps"),
            (CellType::Json, "{"),
        ] {
            assert!(cell(cell_type, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn headers_say_where_cells_go() {
        let attribute = |path: &[&str], cell_type| {
            Ok(Column::Attribute(path.iter().map(ToString::to_string).collect(), cell_type))
        };
        assert_eq!(column("registered"), Ok(Column::Id("registered".into())));
        assert_eq!(column("ids.cookie"), Ok(Column::Id("cookie".into())));
        assert_eq!(column("consents.sms"), Ok(Column::Consent("sms".into())));
        assert_eq!(column("age:number"), attribute(&["age"], CellType::Number));
        assert_eq!(column("address.city"), attribute(&["address", "city"], CellType::Text));
        assert!(column("age:int").unwrap_err().contains("is no type"));
        assert_eq!(column("age : Number"), attribute(&["age"], CellType::Number));
        assert_eq!(column("address . city"), attribute(&["address", "city"], CellType::Text));
        assert_eq!(column(""), Ok(Column::Nameless));
        assert!(column(":number").is_err() && column("a..b").is_err() && column("consents.a.b").is_err());
    }

    #[test]
    fn booleans_are_read_as_programs_and_people_write_them() {
        for text in ["true", "TRUE", "True", "1", "yes", "YES", "y", "t", "on", "WAHR", "VRAI"] {
            assert_eq!(boolean("c", text), Ok(true), "{text}");
        }
        for text in ["false", "FALSE", "False", "0", "no", "n", "f", "off", "FALSCH", "FAUX"] {
            assert_eq!(boolean("c", text), Ok(false), "{text}");
        }
        for text in ["2", "perhaps", "x", "-", "01", "truee"] {
            let error = boolean("consents.sms", text).unwrap_err().to_string();
            assert_eq!(error, format!("consents.sms is `{text}`; expected true or false"));
        }
    }

    #[test]
    fn a_comma_in_a_number_is_read_where_it_cannot_be_a_separator() {
        let comma = |text| super::cell("c", CellType::Number, Decimals::PointOrComma, text);
        assert_eq!(
            (comma("3,5"), comma("-0,25"), comma("3.5")),
            (Ok(json!(3.5)), Ok(json!(-0.25)), Ok(json!(3.5)))
        );
        for wrong in ["1.234,5", "1,2,3", ",5", "5,"] {
            assert!(comma(wrong).is_err(), "{wrong}");
        }
        assert!(cell(CellType::Number, "3,5").is_err());
    }
}

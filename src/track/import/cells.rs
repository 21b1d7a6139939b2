//! What a cell of a CSV file means, by its column's header alone.
//!
//! A cell is text, as it stands: no spelling of a postcode, a phone number or a county's code may make a number of it,
//! and a column must not hold both kinds. Where another kind is meant, the header says so: `age:number`,
//! `vip:boolean`, `tags:json`. Under `consents.` stand true and false. An empty cell says nothing about its attribute;
//! NDJSON can remove one by null.

use serde_json::{Value as Json, json};

use crate::domain::value::{Number, number_from_text};
use crate::track::line::LineError;

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
}

impl Column {
    /// The names of the attribute it holds, from the outermost in.
    pub(super) fn attribute(&self) -> Option<&[String]> {
        match self {
            Column::Attribute(path, _) => Some(path),
            Column::Id(_) | Column::Consent(_) => None,
        }
    }
}

/// Reads one header: `registered`, `ids.cookie`, `consents.sms`, `city`, `age:number`, `address.city`.
pub(super) fn column(header: &str) -> Result<Column, String> {
    let (name, cell_type) = match header.rsplit_once(':') {
        None => (header, CellType::Text),
        Some((name, "text")) => (name, CellType::Text),
        Some((name, "number")) => (name, CellType::Number),
        Some((name, "boolean")) => (name, CellType::Boolean),
        Some((name, "json")) => (name, CellType::Json),
        Some((_, other)) => {
            return Err(format!(
                "column {header:?}: {other:?} is no type; there are text, number, boolean, json"
            ));
        }
    };
    let path: Vec<&str> = name.split('.').collect();
    if path.iter().any(|part| part.is_empty()) {
        return Err(format!("column {header:?} has no name"));
    }
    Ok(match path.as_slice() {
        ["registered"] => Column::Id("registered".into()),
        ["ids", kind] => Column::Id((*kind).into()),
        ["consents", category] => Column::Consent((*category).into()),
        ["ids" | "consents", ..] => return Err(format!("column {header:?} must be one name below")),
        names => Column::Attribute(names.iter().map(ToString::to_string).collect(), cell_type),
    })
}

/// Reads one cell of an attribute's column.
pub(super) fn cell(column: &str, cell_type: CellType, cell: &str) -> Result<Json, LineError> {
    let wrong = |expected| LineError::Cell { column: column.to_owned(), cell: cell.to_owned(), expected };
    match cell_type {
        CellType::Text => Ok(cell.into()),
        CellType::Boolean => boolean(column, cell).map(Json::Bool),
        CellType::Json => serde_json::from_str(cell).map_err(|_| wrong("JSON")),
        CellType::Number => number_from_text(cell).map(Number::to_json).ok_or_else(|| wrong("number")),
    }
}

/// Reads true or false.
pub(super) fn boolean(column: &str, cell: &str) -> Result<bool, LineError> {
    match cell {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(LineError::Cell {
            column: column.to_owned(),
            cell: cell.to_owned(),
            expected: "true or false",
        }),
    }
}

/// Puts a value at a path into an object, making the objects on the way.
pub(super) fn put(object: &mut Json, path: &[String], value: Json) {
    match path {
        [] => *object = value,
        [first, rest @ ..] => {
            if !object.is_object() {
                *object = json!({});
            }
            put(&mut object[first], rest, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_text_unless_its_header_says_otherwise() {
        for text in ["01234", "60200", "1e3", "true", "NO", " x ", "null", "+420603123456"] {
            assert_eq!(cell("c", CellType::Text, text), Ok(json!(text)));
        }
        assert_eq!(cell("c", CellType::Number, "41"), Ok(json!(41)));
        assert_eq!(cell("c", CellType::Number, "0.1"), Ok(json!(0.1)));
        assert_eq!(cell("c", CellType::Number, " 01 "), Ok(json!(1)));
        assert_eq!(cell("c", CellType::Boolean, "false"), Ok(json!(false)));
        assert_eq!(cell("c", CellType::Json, r#"["a", 1]"#), Ok(json!(["a", 1])));
        for (cell_type, wrong) in [
            (CellType::Number, "1,5"),
            (CellType::Number, "1e999"),
            (CellType::Number, "x"),
            (CellType::Boolean, "yes"),
            (CellType::Json, "{"),
        ] {
            assert!(cell("c", cell_type, wrong).is_err(), "{wrong}");
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
        assert!(column("").is_err() && column("a..b").is_err() && column("consents.a.b").is_err());
    }

    #[test]
    fn paths_share_their_objects() {
        let mut object = json!({});
        put(&mut object, &["a".into(), "b".into()], json!(1));
        put(&mut object, &["a".into(), "c".into()], json!(2));
        assert_eq!(object, json!({"a": {"b": 1, "c": 2}}));
    }
}

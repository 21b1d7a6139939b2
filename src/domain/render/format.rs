//! How values are printed in a message that a customer reads.

use minijinja::value::ValueKind;
use minijinja::{Error, Output, State, Value as Jinja, escape_formatter};

/// Prints a value: `true` and `false` as JSON writes them, nothing for `none`, a number without an exponent and a
/// whole one without `.0`; lists and objects as JSON. All else is Jinja's, escaped as the content needs it.
pub(super) fn print(output: &mut Output<'_>, state: &mut State<'_, '_>, value: &Jinja) -> Result<(), Error> {
    match value.kind() {
        ValueKind::None => Ok(()),
        ValueKind::Bool => Ok(output.write_str(if value.is_true() { "true" } else { "false" })?),
        ValueKind::Number if !value.is_integer() => {
            let double = f64::try_from(value.clone())?;
            Ok(output.write_str(&double.to_string())?)
        }
        ValueKind::Seq | ValueKind::Map => {
            let json =
                crate::domain::expression::from_jinja(value).ok().flatten().map(|value| value.to_json());
            match json {
                Some(json) => escape_formatter(output, state, &Jinja::from(json.to_string())),
                None => escape_formatter(output, state, value),
            }
        }
        _ => escape_formatter(output, state, value),
    }
}

//! How values are printed in a message that a customer reads.

use minijinja::{AutoEscape, Error, Output, State, Value as Jinja};

use crate::domain::jinja::{html_escaped, spelled};

/// The name of the way HTML is escaped, to Jinja: `& < > " '`, and no `/`.
pub(super) const HTML: &str = "html";

/// Prints a value as it is spelled everywhere, escaped where the content is HTML.
pub(super) fn print(output: &mut Output<'_>, state: &mut State<'_, '_>, value: &Jinja) -> Result<(), Error> {
    // An `if` without an `else`; a value that is missing never comes here.
    if value.is_undefined() {
        return Ok(());
    }
    let text = spelled(state, value)?;
    let as_it_is = value.is_safe() || matches!(state.auto_escape(), AutoEscape::None);
    Ok(if as_it_is { output.write_str(&text) } else { output.write_str(&html_escaped(&text)) }?)
}

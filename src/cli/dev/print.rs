//! Lines for the person who started `dev`. Whoever closed the pipe does not want them; the server goes on.

use std::io::Write as _;

/// Writes a line to stdout, if somebody still reads it.
pub fn line(text: std::fmt::Arguments<'_>) {
    let _nobody_reads = writeln!(std::io::stdout().lock(), "{text}");
}

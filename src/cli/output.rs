//! What commands print: tables for people, JSON for scripts.
//!
//! Invariant: everything that a client command prints goes through here, so that nothing that came from outside can act upon
//! the terminal; see [`visible`].

use std::io::{IsTerminal, Write};

use comfy_table::{Table, presets};

use super::visible;

/// For whom to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Format {
    /// A table, for people.
    #[default]
    Table,
    /// The server's answer as it is, for scripts.
    Json,
}

/// `-o`.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(super) struct OutputArgs {
    /// What to print: a table for people, or the server's JSON for scripts.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

impl OutputArgs {
    pub(super) fn is_json(self) -> bool {
        self.output == Format::Json
    }
}

/// Prints text, ending its last line.
pub(super) fn print(text: &str) -> std::io::Result<()> {
    write(&visible::lines(text))
}

/// Says something on stderr, beside what the command is asked for. A failure to write it is passed over.
pub(super) fn warn(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", visible::lines(text).trim_end());
}

/// Writes a line to stdout while a command goes on. A closed pipe is passed over: its reader has ended.
pub(super) fn line(text: std::fmt::Arguments<'_>) {
    let _reader_ended = writeln!(std::io::stdout().lock(), "{}", visible::lines(&text.to_string()));
}

/// Prints JSON on one line, for scripts alone.
pub(super) fn print_compact(json: &serde_json::Value) -> std::io::Result<()> {
    write(&visible::json(&json.to_string()))
}

fn write(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.trim_end().as_bytes())?;
    out.write_all(b"\n")
}

/// Prints JSON: on one line for a pipe, indented for a terminal.
pub(super) fn print_value(json: &serde_json::Value) -> std::io::Result<()> {
    write(&visible::json(&match std::io::stdout().is_terminal() {
        true => format!("{json:#}"),
        false => json.to_string(),
    }))
}

/// A table without lines: easy on the eye, and on `grep`, `sort` and `awk`.
pub(super) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.map(str::to_uppercase));
    for row in rows {
        table.add_row(row.map(|cell| visible::one_line(&cell).into_owned()));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// `1 customer`, `2 customers`.
pub(super) fn counted(count: u64, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_line_and_does_nothing_to_a_terminal() {
        let rows = [["a\nb".to_owned(), "\u{1b}]52;c;eA==\u{7}".to_owned()]];
        assert_eq!(table(["x", "y"], rows), "X     Y\na\\nb  \\u{1b}]52;c;eA==\\u{7}");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_value() {
        let rows = [["a".to_owned(), "1".to_owned()], ["longer".to_owned(), "2".to_owned()]];
        assert_eq!(table(["name", "n"], rows), "NAME    N\na       1\nlonger  2");
    }
}

//! What was measured: a table for people and a file in `target/bench` for scripts.

use std::path::Path;

use comfy_table::{CellAlignment, Table};
use serde::Serialize;

/// One measured figure.
#[derive(Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// What it is compared with, in the same unit; measured in the same run.
    pub baseline: Option<f64>,
    /// Value by baseline.
    pub ratio: Option<f64>,
}

/// All figures of a run, in order.
pub struct Report(Vec<Figure>);

impl Report {
    /// Nothing measured yet.
    pub fn new() -> Self {
        Report(Vec::new())
    }

    /// A figure by itself.
    pub fn add(&mut self, name: &str, value: f64, unit: &'static str) {
        self.push(Figure { name: name.into(), value, unit, baseline: None, ratio: None });
    }

    /// A figure and what it is compared with.
    pub fn compare(&mut self, name: &str, value: f64, unit: &'static str, baseline: f64) {
        let ratio = Some(value / baseline);
        self.push(Figure { name: name.into(), value, unit, baseline: Some(baseline), ratio });
    }

    fn push(&mut self, figure: Figure) {
        eprintln!("{}: {} {}{}", figure.name, short(figure.value), figure.unit, beside(&figure));
        self.0.push(figure);
    }

    /// Prints the table and writes the summary to a file of this name in `target/bench`.
    pub fn finish(&self, name: &str) {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_header(["", "value", "unit", "baseline", "ratio"]);
        for figure in &self.0 {
            let optional = |number: Option<f64>| number.map(short).unwrap_or_default();
            let ratio = figure.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
            let cells = [
                figure.name.clone(),
                short(figure.value),
                figure.unit.into(),
                optional(figure.baseline),
                ratio,
            ];
            table.add_row(cells);
        }
        for column in [1, 3, 4] {
            table.column_mut(column).expect("the header has five").set_cell_alignment(CellAlignment::Right);
        }
        println!("{table}");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench").join(name);
        std::fs::create_dir_all(file.parent().expect("it is in a folder")).expect("target can be written");
        let text = serde_json::to_string_pretty(&self.0).expect("figures are plain data");
        std::fs::write(&file, text + "\n").expect("target can be written");
    }
}

fn beside(figure: &Figure) -> String {
    let Some((baseline, ratio)) = figure.baseline.zip(figure.ratio) else { return String::new() };
    format!(" beside {} ({ratio:.2})", short(baseline))
}

/// As many digits as a person reads.
fn short(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// The middle of some measurements.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

//! `fanfare import`: brings a file of customers or events in, through the API and in batches.
//!
//! The whole file is checked before the first line is sent, so that a file with a bad line changes nothing unless the
//! person said so.

mod batches;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::Value;

use super::client::{ClientError, ServerArgs};
use super::client_command;
use super::cluster::Need;
use super::exit::{EXIT_CODES, Exit};
use super::output::{OutputArgs, counted, print, print_value, warn};
use crate::api::Permission;
use crate::track::import::{
    Delimiter, FileEncoding, FileOptions, ImportError, ImportLine, ImportLines, read_customers, read_events,
};
use crate::track::line::{customer_to_json, event_to_json};
use batches::Sender;
use report::Report;

/// Bring customers or events in from a file.
///
/// Customers: CSV with a column `registered`, columns of attributes and of consents (`consents.sms`), or NDJSON. Events:
/// NDJSON. CSV is taken as Excel, Numbers and Sheets save it: with `,`, `;` or tabs, in UTF-8 or UTF-16. A cell is text unless its column says otherwise: `age:number`, `vip:boolean`, `tags:json`. The key needs the
/// permission Track.
#[derive(Debug, clap::Args)]
#[command(after_help = exit_help())]
pub struct ImportCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Create or change customers; what a line does not name stays as it is.
    #[command(mut_arg("file", |it| it.help("A .csv, .tsv, .txt, .ndjson or .jsonl file")))]
    #[command(after_help = "Example:\n  fanfare import customers examples/weather-alert/data/customers.csv")]
    Customers(FileArgs),
    /// Add events; importing a file twice adds them twice.
    #[command(mut_arg("file", |it| it.help("An .ndjson or .jsonl file; events are not in CSV")))]
    #[command(after_help = "Example:\n  fanfare import events examples/weather-alert/data/events.ndjson")]
    Events(FileArgs),
}

#[derive(Debug, clap::Args)]
struct FileArgs {
    /// The file; its name's ending says what it is.
    file: PathBuf,

    /// Leave out lines that are wrong instead of importing nothing; they are reported all the same.
    #[arg(long)]
    skip_invalid: bool,

    /// What the file is written in, such as windows-1252 or macintosh; UTF-8 and UTF-16 are told without.
    #[arg(long, value_name = "NAME")]
    encoding: Option<FileEncoding>,

    /// What separates the cells of a CSV file, or `tab`; its first line tells if left out.
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<Delimiter>,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    output: OutputArgs,
}

fn exit_help() -> String {
    format!(
        "Examples:\n  fanfare import customers customers.csv\n  fanfare import events events.ndjson --skip-invalid\n\n\
         {EXIT_CODES}\nA file with wrong lines is refused: 1. With --skip-invalid they are named and left out: 0."
    )
}

impl ImportCommand {
    pub(super) fn run(self) -> ExitCode {
        // An event without a timestamp happened now, the same now in the check and when it is sent.
        let now = Timestamp::now();
        match self.what {
            What::Customers(args) => client_command::run(args.import("customers", customer_lines)),
            What::Events(args) => client_command::run(
                args.import("events", move |path, options| event_lines(path, options, now)),
            ),
        }
    }
}

/// A file's lines as the API takes them.
fn customer_lines(path: &Path, options: FileOptions) -> Result<ImportLines<Value>, ImportError> {
    let lines = read_customers(path, options)?;
    Ok(Box::new(lines.map(|line| line.map(|line| as_json(line, customer_to_json)))))
}

fn event_lines(path: &Path, options: FileOptions, now: Timestamp) -> Result<ImportLines<Value>, ImportError> {
    let lines = read_events(path, options, now)?;
    Ok(Box::new(lines.map(|line| line.map(|line| as_json(line, event_to_json)))))
}

fn as_json<T>(line: ImportLine<T>, to_json: fn(&T) -> Value) -> ImportLine<Value> {
    ImportLine {
        number: line.number,
        bytes_read: line.bytes_read,
        write: line.write.map(|write| to_json(&write)),
    }
}

impl FileArgs {
    async fn import(
        self,
        what: &'static str,
        lines: impl Fn(&Path, FileOptions) -> Result<ImportLines<Value>, ImportError>,
    ) -> Result<Exit, ClientError> {
        let options = FileOptions { encoding: self.encoding, delimiter: self.delimiter };
        let client = self.server.client(Need::May(Permission::Track)).await?;
        let mut report = Report::new(&self.file);
        if !self.skip_invalid {
            for line in lines(&self.file, options)? {
                report.check(&line?);
            }
            if report.invalid() > 0 {
                return self.refused(what, &report);
            }
        }
        let mut sender = Sender::new(client, what, &self.file, self.skip_invalid)?;
        for line in lines(&self.file, options)? {
            sender.take(line?, &mut report).await?;
        }
        sender.finish(&mut report).await?;
        self.done(what, &report)
    }

    fn refused(&self, what: &str, report: &Report) -> Result<Exit, ClientError> {
        report.print_bad_lines();
        if self.output.is_json() {
            print_value(&report.to_json(what))?;
        } else {
            let (invalid, lines) = (report.invalid(), counted(report.lines(), "line"));
            let are = if invalid == 1 { "is" } else { "are" };
            warn(&format!(
                "error: {invalid} of {lines} {are} wrong, no {what} were imported\n  correct them, or leave them out with \
                 --skip-invalid"
            ));
        }
        Ok(Exit::Failed)
    }

    fn done(&self, what: &str, report: &Report) -> Result<Exit, ClientError> {
        report.print_bad_lines();
        match self.output.is_json() {
            true => print_value(&report.to_json(what))?,
            false => print(&report.summary(what))?,
        }
        Ok(if report.invalid() > 0 && !self.skip_invalid { Exit::Failed } else { Exit::Done })
    }
}

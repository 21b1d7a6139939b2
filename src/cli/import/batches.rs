//! Lines on their way to the server, so many at a time.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Deserialize;
use serde_json::Value;

use super::Report;
use crate::cli::client::{Client, ClientError, Problem};
use crate::cli::visible::one_line;
use crate::domain::backoff::ExponentialBackoff;
use crate::track::batch::{BODY_BYTES_MAX, LINES_MAX};
use crate::track::import::ImportLine;

/// The wait before a batch is offered again to a server that is too busy for it.
const BACKOFF: ExponentialBackoff =
    ExponentialBackoff::new(Duration::from_millis(500), Duration::from_secs(8));
/// After so many times it is given up.
const REPEATED_MAX: u32 = 5;

/// Collects lines into batches and sends them.
pub(super) struct Sender {
    client: Client,
    what: &'static str,
    skip_invalid: bool,
    bar: ProgressBar,
    /// `[line,line,…` without its end.
    body: Vec<u8>,
    /// The file's number of each line in `body`, and whom it is about.
    numbers: Vec<(u64, u64)>,
}

/// What became of a batch: the server's `BatchAnswer`.
#[derive(Deserialize)]
struct BatchAnswer {
    results: Vec<LineAnswer>,
}

#[derive(Deserialize)]
struct LineAnswer {
    /// Its place in the batch, from 1.
    line: usize,
    #[serde(default)]
    error: Option<String>,
}

impl Sender {
    pub(super) fn new(
        client: Client,
        what: &'static str,
        file: &Path,
        skip_invalid: bool,
    ) -> Result<Self, ClientError> {
        let size = std::fs::metadata(file)
            .map_err(|source| ClientError::File { path: file.to_owned(), source })?
            .len();
        let bar = ProgressBar::with_draw_target(Some(size), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}, {eta} left  {msg}");
        bar.set_style(style.expect("the template is a constant that was tried"));
        Ok(Sender { client, what, skip_invalid, bar, body: Vec::new(), numbers: Vec::new() })
    }

    /// Takes one more line; sends when that fills a batch.
    pub(super) async fn take(
        &mut self,
        line: ImportLine<Value>,
        report: &mut Report,
    ) -> Result<(), ClientError> {
        match line.write {
            Err(error) => report.bad(line.number, error.to_string()),
            Ok(json) => {
                let text = json.to_string();
                if self.numbers.len() == LINES_MAX || self.body.len() + text.len() + 2 > BODY_BYTES_MAX {
                    self.send(report).await?;
                }
                self.body.push(if self.numbers.is_empty() { b'[' } else { b',' });
                self.body.extend_from_slice(text.as_bytes());
                self.numbers.push((line.number, report.hash_of(&json)));
            }
        }
        self.bar.set_position(line.bytes_read);
        Ok(())
    }

    /// Sends what is left.
    pub(super) async fn finish(mut self, report: &mut Report) -> Result<(), ClientError> {
        self.send(report).await?;
        self.bar.finish_and_clear();
        Ok(())
    }

    async fn send(&mut self, report: &mut Report) -> Result<(), ClientError> {
        if self.numbers.is_empty() {
            return Ok(());
        }
        self.body.push(b']');
        let (body, numbers) =
            (Bytes::from(std::mem::take(&mut self.body)), std::mem::take(&mut self.numbers));
        let stopped = |source: ClientError, report: &Report| ClientError::ImportStopped {
            kept: report.kept_so_far(),
            doubtful: source.is_in_doubt().then(|| numbers.last().map_or(0, |(number, _)| *number)),
            before: numbers.first().map_or(0, |(number, _)| *number),
            source: Box::new(source),
        };
        let answer = self.offer(body).await.map_err(|error| stopped(error, report))?;
        let before = report.invalid();
        for line in answer.results {
            match (line.error, numbers.get(line.line.wrapping_sub(1))) {
                (Some(error), Some((number, _))) => report.bad(*number, error),
                (None, Some((_, customer))) => report.kept(*customer),
                (_, None) => {}
            }
        }
        self.bar.set_message(format!("{} lines of {}", report.kept_so_far(), self.what));
        if report.invalid() > before && !self.skip_invalid {
            report.print_bad_lines();
            return Err(ClientError::LinesRefused { kept: report.kept_so_far() });
        }
        Ok(())
    }

    /// Offers a batch until the server is not too busy for it, and again when the connection to a Pod was lost.
    async fn offer(&self, body: Bytes) -> Result<BatchAnswer, ClientError> {
        let mut backoff = BACKOFF;
        while backoff.failures() < REPEATED_MAX {
            match self.offer_once(body.clone()).await {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                Err(error) if error.may_repeat(self.is_repeatable()) => {
                    self.bar.set_message(one_line(&error.to_string()).into_owned());
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(backoff.failed(0.0)).await;
        }
        let busy = || ClientError::Refused(Problem::read(StatusCode::SERVICE_UNAVAILABLE, &[]));
        self.offer_once(body).await?.ok_or_else(busy)
    }

    /// Customers may be offered twice, since what a line says is then there already. Events may not: they have no id.
    fn is_repeatable(&self) -> bool {
        self.what == "customers"
    }

    /// `None` for 503, which says that nothing of the batch was kept. Any other failure ends the import: offered again,
    /// events might be there twice.
    async fn offer_once(&self, body: Bytes) -> Result<Option<BatchAnswer>, ClientError> {
        let (status, answer) =
            self.client.post_any(&["api", "v1", self.what], HeaderMap::new(), body).await?;
        match status {
            StatusCode::SERVICE_UNAVAILABLE => Ok(None),
            StatusCode::OK => serde_json::from_slice(&answer)
                .map(Some)
                .map_err(|error| ClientError::NotUnderstood { reason: error.to_string() }),
            // None of its lines was kept: each has its reason, unless the body as a whole was refused.
            StatusCode::UNPROCESSABLE_ENTITY if let Ok(answer) = serde_json::from_slice(&answer) => {
                Ok(Some(answer))
            }
            status => Err(self.client.refusal(status, &answer)),
        }
    }
}

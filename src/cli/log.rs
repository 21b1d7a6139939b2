//! `fanfare log`: the calls there were, or one of them with what came of it.

use std::process::ExitCode;

use super::client::{Answer, ClientError, ServerArgs};
use super::client_command;
use super::cluster::Need;
use super::exit::{EXIT_CODES, Exit};
use super::output::{OutputArgs, print, print_value, table};
use super::view::{Call, Counted, Page, Run};
use super::visible::one_line;
use crate::api::Permission;
use crate::domain::expression::parse_duration;

/// Show the calls there were, newest first, or one call with what came of it.
///
/// Every call is in the log, refused ones too. The key needs the permission ReadLog.
#[derive(Debug, clap::Args)]
#[command(after_help = exit_help())]
pub struct LogCommand {
    /// A call's id: show its params, its runs and the scenarios that did not fire.
    call: Option<String>,

    /// Only calls to this trigger.
    #[arg(long, value_name = "NAME", conflicts_with = "call")]
    trigger: Option<String>,

    /// Only calls in this state: accepted, running, done, failed, cancelled, expired, refused, partly.
    ///
    /// failed, cancelled and expired also find calls of which only a run came to that.
    #[arg(long, value_name = "STATUS", conflicts_with = "call")]
    status: Option<String>,

    /// Only calls received since: RFC 3339, or so long ago (`90s`, `2h`, `7d`).
    #[arg(long, value_name = "TIME", conflicts_with = "call", value_parser = since)]
    since: Option<jiff::Timestamp>,

    /// Exit with 5 if the call is at its end and not all of it was done, and with 1 if it was refused.
    #[arg(long, requires = "call")]
    check: bool,

    /// How many at most.
    #[arg(long, default_value_t = 20, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    output: OutputArgs,
}

fn exit_help() -> String {
    format!(
        "Examples:\n  fanfare log --trigger weather-alert --since 1h\n  fanfare log 019b2f6c-3c1e-7d40-a3f5-8f1d2c4b5a69\n  \
         fanfare log --status refused -o json | jq '.items[].reason'\n  \
         fanfare log 019b2f6c-3c1e-7d40-a3f5-8f1d2c4b5a69 --check >/dev/null || echo 'not all of it was done'\n\n\
         {EXIT_CODES}; with --check: 5 accepted, and not all of it was done (failed, cancelled, expired, partly)"
    )
}

impl LogCommand {
    pub(super) fn run(self) -> ExitCode {
        client_command::run(self.read())
    }

    async fn read(self) -> Result<Exit, ClientError> {
        let client = self.server.client(Need::May(Permission::ReadLog)).await?;
        if let Some(call) = &self.call {
            let answer = client.get(&["api", "v1", "calls", call], &[]).await?;
            let call = show(&answer, self.output)?;
            return Ok(if self.check { call.exit() } else { Exit::Done });
        }
        let (since, limit) = (self.since.map(|since| since.to_string()), self.limit.to_string());
        let query = [
            ("trigger", self.trigger.as_deref()),
            ("status", self.status.as_deref()),
            ("since", since.as_deref()),
            ("limit", Some(limit.as_str())),
        ];
        let answer = client.get(&["api", "v1", "calls"], &query).await?;
        match self.output.is_json() {
            true => print_value(&answer.json()?)?,
            false => print(&list(&answer.json()?))?,
        }
        Ok(Exit::Done)
    }
}

/// Prints one call and gives it back.
pub(super) fn show(answer: &Answer, output: OutputArgs) -> Result<Call, ClientError> {
    let call: Call = answer.json()?;
    match output.is_json() {
        true => print_value(&answer.json()?)?,
        false => print(&detail(&call))?,
    }
    Ok(call)
}

fn list(page: &Page<Call>) -> String {
    let counted: String = page.counted.iter().map(|count| {
        let Counted { trigger, http_status, reason, refusals } = count;
        format!("\n{refusals} more requests to {trigger} were refused and only counted: {http_status} {reason}")
    }).collect();
    if page.items.is_empty() {
        return format!("no calls{counted}");
    }
    let rows = page.items.iter().map(|call| {
        let id = call.id.clone().unwrap_or_else(|| "-".to_owned());
        [call.received_at.clone(), id, call.trigger.clone(), call.status.clone(), outcome(call)]
    });
    let more = page.next.as_ref().map_or("", |_| "\n(more: raise --limit, or narrow by --since)");
    format!("{}{counted}{more}", table(["received", "call", "trigger", "status", "outcome"], rows))
}

fn outcome(call: &Call) -> String {
    if let Some(reason) = &call.reason {
        return reason.clone();
    }
    if call.runs.is_empty() && call.is_at_its_end() {
        return "nothing fired".to_owned();
    }
    call.runs.iter().map(run_outcome).collect::<Vec<String>>().join("; ")
}

fn run_outcome(run: &Run) -> String {
    let mut outcome = format!("{}: {}", run.scenario, run.summary());
    let not_sent = run.not_sent();
    if !not_sent.is_empty() {
        outcome.push_str(&format!(" (journeys: {not_sent})"));
    }
    if let Some(first) = run.waits_for.first() {
        outcome.push_str(&format!(" ({first})"));
    }
    if let Some(first) = run.left_out.first() {
        outcome.push_str(&format!(" ({})", first.in_words));
    }
    outcome
}

fn detail(call: &Call) -> String {
    let mut text = format!(
        "call      {}\ntrigger   {}\nreceived  {}\nstatus    {}\n",
        one_line(call.id.as_deref().unwrap_or("-")),
        one_line(&call.trigger),
        one_line(&call.received_at),
        one_line(&call.status)
    );
    if let Some(reason) = &call.reason {
        text.push_str(&format!("reason    {}\n", one_line(reason)));
    }
    if !call.params.is_empty() {
        let rows = call.params.iter().map(|(name, value)| [name.clone(), shortened(&value.to_string())]);
        text.push_str(&format!("\n{}\n", table(["param", "value"], rows)));
    }
    if !call.runs.is_empty() {
        let rows = call.runs.iter().map(|run| {
            let audience = run.audience.to_string();
            [run.scenario.clone(), run.state.clone(), audience, run.journeys_in_words(), run.summary()]
        });
        let head = ["scenario", "state", "audience", "journeys", "deliveries"];
        text.push_str(&format!("\n{}\n", table(head, rows)));
    }
    let waits = call
        .runs
        .iter()
        .flat_map(|run| run.waits_for.iter().map(|what| [run.scenario.clone(), what.clone()]));
    let waits: Vec<[String; 2]> = waits.collect();
    if !waits.is_empty() {
        text.push_str(&format!("\n{}\n", table(["waits", "because"], waits)));
    }
    let left_out = call.runs.iter().flat_map(|run| {
        run.left_out.iter().map(|left_out| [run.scenario.clone(), left_out.in_words.clone()])
    });
    let left_out: Vec<[String; 2]> = left_out.collect();
    if !left_out.is_empty() {
        text.push_str(&format!("\n{}\n", table(["left out", "because"], left_out)));
    }
    if !call.not_fired.is_empty() {
        let rows = call.not_fired.iter().map(|other| [other.scenarios(), other.reason.clone()]);
        text.push_str(&format!("\n{}\n", table(["not fired", "because"], rows)));
    }
    text
}

/// A value must not push the others off the screen; `-o json` has all of it.
const VALUE_CHARS_MAX: usize = 100;

fn shortened(value: &str) -> String {
    match value.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

/// A point in time, or how long ago.
fn since(text: &str) -> Result<jiff::Timestamp, String> {
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return Ok(timestamp);
    }
    let remedy = "write a time such as 2026-01-16T14:00:00Z, or how long ago: 90s, 15m, 2h, 7d";
    let ago = parse_duration(text).ok_or(remedy)?;
    jiff::Timestamp::now().checked_sub(ago).map_err(|_| "that is too long ago".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(text: &str) -> Call {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_call_says_what_fired_and_what_did_not() {
        let shown = detail(&call(
            r#"{"id": "019b", "trigger": "weather-alert", "receivedAt": "2026-01-16T19:51:02Z", "status": "done",
                "params": {"event": "Winter Storm Warning"},
                "runs": [{"scenario": "warning", "state": "done", "audience": 71, "journeys": {"messaged": 68, "skipped": 3},
                    "deliveries": {"sent": 68, "skipped": 3}}],
                "notFired": [{"scenario": "heat", "reason": "params.event is \"Winter Storm Warning\""},
                    {"scenario": "hail", "more": 311, "reason": "params.kind is \"snow\""}]}"#,
        ));
        assert!(
            shown.contains("warning   done   71        messaged 68, skipped 3  sent 68, skipped 3"),
            "{shown}"
        );
        assert!(shown.contains("heat               params.event is"), "{shown}");
        assert!(shown.contains("hail and 311 more  params.kind is"), "{shown}");
    }

    #[test]
    fn what_a_run_waits_for_is_said() {
        let call = call(
            r#"{"id": "019b", "trigger": "weather-alert", "receivedAt": "2026-01-16T19:51:02Z", "status": "running",
                "runs": [{"scenario": "warning", "state": "running", "audience": 7, "waiting": 7,
                    "waitsFor": ["waits for channel sms: down since 2026-01-16T19:50:00Z: refused"]}]}"#,
        );
        let said = "waits for channel sms: down since 2026-01-16T19:50:00Z: refused";
        assert!(detail(&call).contains(&format!("warning  {said}")), "{}", detail(&call));
        assert_eq!(outcome(&call), format!("warning: 7 without a delivery yet ({said})"));
    }

    #[test]
    fn whom_a_run_left_out_is_said() {
        let call = call(
            r#"{"id": "019b", "trigger": "weather-alert", "receivedAt": "2026-01-16T19:51:02Z", "status": "done",
                "runs": [{"scenario": "warning", "state": "done", "audience": 2, "deliveries": {"skipped": 2},
                    "leftOut": [{"state": "skipped", "customers": 2, "of": 2, "reason": "no address",
                        "inWords": "all 2 customers were skipped: no address"}]}]}"#,
        );
        assert!(
            detail(&call).contains("warning   all 2 customers were skipped: no address"),
            "{}",
            detail(&call)
        );
        assert_eq!(outcome(&call), "warning: skipped 2 (all 2 customers were skipped: no address)");
    }

    #[test]
    fn what_was_cancelled_without_a_delivery_is_counted() {
        let cancelled = call(
            r#"{"id": "019b", "trigger": "weather-alert", "receivedAt": "2026-01-16T19:51:02Z", "status": "done",
                "runs": [{"scenario": "warning", "state": "cancelled", "audience": 71, "deliveries": {"sent": 8},
                    "journeys": {"messaged": 8, "withoutMessage": 3, "skipped": 0, "cancelled": 60}}]}"#,
        );
        let shown = detail(&cancelled);
        assert!(shown.contains("cancelled 60, messaged 8, without message 3  sent 8"), "{shown}");
        assert_eq!(outcome(&cancelled), "warning: sent 8 (journeys: cancelled 60)");
    }

    #[test]
    fn since_takes_both_forms() {
        assert_eq!(since("2026-01-16T14:00:00Z").unwrap().to_string(), "2026-01-16T14:00:00Z");
        assert!(since("2h").unwrap() < jiff::Timestamp::now());
        assert!(since("2 hours").is_err() && since("").is_err() && since("é").is_err());
    }
}

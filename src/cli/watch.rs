//! Looks at a call until nothing more will come of it, with a progress bar where somebody is looking.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::client::{Answer, Client, ClientError};
use super::view::{Call, Run};
use super::visible::one_line;

/// Often enough to look alive, seldom enough to cost nothing.
const PAUSE: Duration = Duration::from_millis(200);

/// The call's last state, once it is at its end. The bar is drawn on stderr and only on a terminal.
pub(super) async fn until_done(client: &Client, call: &str) -> Result<Answer, ClientError> {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(style("{spinner} {msg}"));
    loop {
        let answer = client.get(&["api", "v1", "calls", call], &[]).await?;
        let seen: Call = answer.json()?;
        if seen.is_at_its_end() {
            bar.finish_and_clear();
            return Ok(answer);
        }
        show(&bar, &seen);
        tokio::time::sleep(PAUSE).await;
    }
}

fn show(bar: &ProgressBar, call: &Call) {
    let audience: u64 = call.runs.iter().map(|run| run.audience).sum();
    if audience > 0 && bar.length() != Some(audience) {
        bar.set_style(style("{bar:30} {pos}/{len} customers, {elapsed} {msg}"));
        bar.set_length(audience);
    }
    bar.set_position(call.runs.iter().map(Run::finished).sum::<u64>().min(audience));
    let runs = call.runs.iter().map(|run| format!("{}: {}", run.scenario, run.summary()));
    bar.set_message(one_line(&runs.collect::<Vec<String>>().join("; ")).into_owned());
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is a constant that was tried")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_any_call() {
        let bar = ProgressBar::hidden();
        for call in [
            r#"{"id": "a", "trigger": "t", "receivedAt": "", "status": "accepted"}"#,
            r#"{"id": "a", "trigger": "t", "receivedAt": "", "status": "running",
                "runs": [{"scenario": "s", "state": "running", "audience": 2, "deliveries": {"sent": 5}}]}"#,
        ] {
            show(&bar, &serde_json::from_str(call).unwrap());
        }
        assert_eq!((bar.position(), bar.length()), (2, Some(2)));
    }
}

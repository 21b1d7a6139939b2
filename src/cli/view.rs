//! The server's answers as the commands read them: only what a table shows, tolerant of members a newer server adds.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::exit::Exit;

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// Where the next page begins; none at the end.
    #[serde(default)]
    pub(super) next: Option<String>,
    /// Of calls, what was refused and only counted.
    #[serde(default)]
    pub(super) counted: Vec<Counted>,
}

/// Refusals of one kind that were only counted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counted {
    pub(super) trigger: String,
    pub(super) http_status: u16,
    pub(super) reason: String,
    pub(super) refusals: u64,
}

/// The answer to a call: one call, or with `forEach` the request and its calls.
#[derive(Debug, Deserialize)]
pub(super) struct Accepted {
    pub(super) id: String,
    pub(super) calls: Option<Vec<Element>>,
}

/// One element of a request with `forEach`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Element {
    pub(super) id: Option<String>,
    pub(super) duplicate_of: Option<String>,
}

impl Accepted {
    /// What it made, for people: the calls' ids, or the request's where every element was a duplicate.
    pub(super) fn ids(&self) -> String {
        let calls = self.calls();
        if calls.is_empty() { self.id.clone() } else { calls.join(", ") }
    }

    /// The calls it made: itself, or those of its elements that are no duplicates.
    pub(super) fn calls(&self) -> Vec<&str> {
        match &self.calls {
            None => vec![&self.id],
            Some(elements) => elements.iter().filter_map(|element| element.id.as_deref()).collect(),
        }
    }
}

/// A call as the log shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Call {
    /// None for refusals that were only counted.
    #[serde(default)]
    pub(super) id: Option<String>,
    pub(super) trigger: String,
    pub(super) received_at: String,
    pub(super) status: String,
    /// Why it was refused, failed or expired.
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) params: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    pub(super) runs: Vec<Run>,
    #[serde(default)]
    pub(super) not_fired: Vec<NotFired>,
}

/// One scenario that fired.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    pub(super) scenario: String,
    pub(super) state: String,
    #[serde(default)]
    pub(super) audience: u64,
    /// How many of them have no delivery yet.
    #[serde(default)]
    pub(super) waiting: u64,
    /// How many of them wait at a node.
    #[serde(default)]
    pub(super) at_waits: u64,
    /// When the first of these goes on.
    #[serde(default)]
    pub(super) next_wake_at: Option<String>,
    /// What it waits for.
    #[serde(default)]
    pub(super) waits_for: Vec<String>,
    /// How many deliveries are in which state.
    #[serde(default)]
    pub(super) deliveries: BTreeMap<String, u64>,
    /// How many journeys came to which end; some end without a delivery.
    #[serde(default)]
    pub(super) journeys: BTreeMap<String, u64>,
    /// Whom it left out, by reason.
    #[serde(default)]
    pub(super) left_out: Vec<LeftOut>,
}

/// Customers who were left out for one reason.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LeftOut {
    pub(super) in_words: String,
}

/// One scenario that listens to the trigger and did not fire.
#[derive(Debug, Deserialize)]
pub(super) struct NotFired {
    pub(super) scenario: String,
    pub(super) reason: String,
    /// So many more require something else of the same param.
    #[serde(default)]
    pub(super) more: u64,
}

impl NotFired {
    /// The scenario, and how many more.
    pub(super) fn scenarios(&self) -> String {
        match self.more {
            0 => self.scenario.clone(),
            more => format!("{} and {more} more", self.scenario),
        }
    }
}

impl Call {
    /// Whether nothing more will come of it.
    pub(super) fn is_at_its_end(&self) -> bool {
        !matches!(self.status.as_str(), "accepted" | "running")
    }

    /// What the shell gets to see of what became of it.
    pub(super) fn exit(&self) -> Exit {
        match self.status.as_str() {
            "accepted" | "running" | "done" => Exit::Done,
            "refused" => Exit::Failed,
            // Of those that a newer server may know besides, too.
            _ => Exit::AcceptedNotDone,
        }
    }
}

/// States from which a delivery moves on by itself.
const OPEN: [&str; 3] = ["queued", "sending", "retrying"];

impl Run {
    /// Deliveries that are at their end.
    pub(super) fn finished(&self) -> u64 {
        self.deliveries.iter().filter(|(state, _)| !OPEN.contains(&state.as_str())).map(|(_, n)| n).sum()
    }

    /// `sent 44, skipped 3, 12 without a delivery yet`: what there is any of.
    pub(super) fn summary(&self) -> String {
        let mut parts: Vec<String> = counted(&self.deliveries).collect();
        if self.waiting > 0 {
            parts.push(format!("{} without a delivery yet", self.waiting));
        }
        if self.at_waits > 0 {
            let until = self.next_wake_at.as_ref().map(|at| format!(", the first until {at}"));
            parts.push(format!("{} at a wait{}", self.at_waits, until.unwrap_or_default()));
        }
        match parts.is_empty() {
            true => "no deliveries".to_owned(),
            false => parts.join(", "),
        }
    }

    /// `messaged 44, cancelled 12`: of the journeys that are at their end.
    pub(super) fn journeys_in_words(&self) -> String {
        counted(&self.journeys).collect::<Vec<String>>().join(", ")
    }

    /// How many customers were not written to because it was stopped, or too late; most of them have no delivery.
    pub(super) fn not_sent(&self) -> String {
        let stopped = |end: &String| matches!(end.as_str(), "cancelled" | "expired");
        let stopped = self.journeys.iter().filter(|(end, _)| stopped(end));
        let stopped: BTreeMap<String, u64> = stopped.map(|(end, count)| (end.clone(), *count)).collect();
        counted(&stopped).collect::<Vec<String>>().join(", ")
    }
}

/// `withoutMessage` in words, and the others as they are.
fn counted(counts: &BTreeMap<String, u64>) -> impl Iterator<Item = String> {
    let there = counts.iter().filter(|(_, count)| **count > 0);
    there.map(|(word, count)| match word.as_str() {
        "withoutMessage" => format!("without message {count}"),
        word => format!("{word} {count}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_counted() {
        let text = r#"{"scenario": "s", "state": "running", "audience": 7, "waiting": 6,
            "deliveries": {"retrying": 1}, "waitsFor": ["waits for channel sms: down since now"]}"#;
        let run: Run = serde_json::from_str(text).unwrap();
        assert_eq!(run.summary(), "retrying 1, 6 without a delivery yet");
        assert_eq!((run.finished(), run.waits_for.len()), (0, 1));
    }

    #[test]
    fn a_request_with_elements_leads_to_their_calls() {
        let text = r#"{"id": "r", "calls": [{"id": "a"}, {"duplicateOf": "z"}, {"id": "b"}]}"#;
        assert_eq!(serde_json::from_str::<Accepted>(text).unwrap().calls(), ["a", "b"]);
        assert_eq!(serde_json::from_str::<Accepted>(r#"{"id": "c"}"#).unwrap().calls(), ["c"]);
    }

    #[test]
    fn only_a_call_of_which_all_was_done_is_done() {
        use crate::domain::state::CallState::{self, Accepted, Done, Refused, Running};
        for state in CallState::ALL {
            let text = format!(r#"{{"trigger": "t", "receivedAt": "", "status": "{}"}}"#, state.word());
            let exit = match state {
                Accepted | Running | Done => Exit::Done,
                Refused => Exit::Failed,
                _ => Exit::AcceptedNotDone,
            };
            assert_eq!(serde_json::from_str::<Call>(&text).unwrap().exit(), exit, "{state:?}");
        }
    }

    #[test]
    fn a_run_is_summed_up_by_what_there_is() {
        let text = r#"{"scenario": "s", "state": "running", "audience": 9,
            "deliveries": {"sent": 4, "failed": 0, "queued": 2, "skipped": 1}}"#;
        let run: Run = serde_json::from_str(text).unwrap();
        assert_eq!((run.finished(), run.summary().as_str()), (5, "queued 2, sent 4, skipped 1"));
    }
}

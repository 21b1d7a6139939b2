//! The desk: where a message of any protocol is counted, judged by the faults, kept, and only then answered.
//!
//! Invariant: nothing is told its message was taken before the record holds it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::fault::{FaultAnswer, FaultStep, Faults, Rule};
use super::inbox::{Filter, Inbox, Page};
use super::message::{Protocol, ReceivedContent, ReceivedMessage};
use super::recorder::Recorder;
use super::stats::{Counters, Stats};

/// What the protocol has to tell the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Taken.
    Ok,
    /// Come back later.
    Throttle {
        /// The status or reply code.
        code: u16,
        /// Seconds in `Retry-After`.
        retry_after: u32,
        /// In which words.
        said: Said,
    },
    /// Refused, or said to be.
    Fail {
        /// The status or reply code.
        code: u16,
        /// In which words.
        said: Said,
    },
    /// The record could not be written: not taken, and its sender may try again.
    Broken,
    /// Nothing, and the connection stays open.
    Hang,
    /// Nothing, and the connection is closed.
    Close,
    /// Nothing, and the connection is reset.
    Reset,
}

/// How a refusal is worded, where a fault says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The words.
    pub text: Option<String>,
    /// The code of a Twilio error.
    pub code: Option<u32>,
}

/// Where all protocols bring what they receive.
#[derive(Debug)]
pub(super) struct SandboxState {
    pub(super) counters: Counters,
    recorder: Option<Recorder>,
    inbox: Arc<Inbox>,
    faults: Mutex<Faults>,
    /// Spares the lock while there is nothing to decide, which is every message of a bench.
    has_faults: AtomicBool,
}

impl SandboxState {
    /// Without a recorder only counters are kept.
    pub(super) fn new(recorder: Option<Recorder>, inbox: Arc<Inbox>, faults: Faults) -> Self {
        let has_faults = AtomicBool::new(!faults.is_empty());
        Self { counters: Counters::default(), recorder, inbox, faults: Mutex::new(faults), has_faults }
    }

    /// Takes or refuses a message, keeps it, and returns what its sender is told once any delay is over.
    /// `to` is what a fault's `to` is compared with; `describe` is only called when messages are kept.
    pub(super) async fn receive(
        &self,
        protocol: Protocol,
        to: &[String],
        describe: impl FnOnce() -> ReceivedContent + Send,
    ) -> Reply {
        let received_at = jiff::Timestamp::now();
        self.counters.received(protocol, received_at);
        let fault = self.fault(protocol, FaultStep::End, to);
        let reply = fault.as_ref().map_or(Reply::Ok, reply_to);
        let taken = reply == Reply::Ok || fault.as_ref().is_some_and(|rule| rule.keep);
        if let Some(recorder) = &self.recorder {
            let (answered, content) = (reply.name(), describe());
            let message = ReceivedMessage { seq: 0, received_at, protocol, taken, answered, content };
            if recorder.commit(message).await.is_err() {
                return Reply::Broken;
            }
        }
        if taken {
            self.counters.taken(protocol);
        }
        let delay = fault.map_or(Duration::ZERO, |rule| rule.delay());
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        reply
    }

    /// What is answered at a step of a dialogue before there is a message, if a fault says so.
    pub(super) fn at_step(&self, protocol: Protocol, step: FaultStep, to: &[String]) -> Option<Reply> {
        self.fault(protocol, step, to).as_ref().map(reply_to)
    }

    fn fault(&self, protocol: Protocol, step: FaultStep, to: &[String]) -> Option<Rule> {
        if !self.has_faults.load(Relaxed) {
            return None;
        }
        let rule = self.faults.lock().unwrap_or_else(PoisonError::into_inner).decide(protocol, step, to);
        if rule.is_some() {
            self.counters.faults.fetch_add(1, Relaxed);
        }
        rule
    }

    pub(super) fn set_faults(&self, rules: Vec<Rule>) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.replace(rules);
        self.has_faults.store(!faults.is_empty(), Relaxed);
    }

    /// The rules in force, each with the number of messages it applied to.
    pub(super) fn faults(&self) -> Vec<(Rule, u32)> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.list().map(|(rule, applied)| (rule.clone(), applied)).collect()
    }

    pub(super) fn messages(&self, filter: &Filter) -> Page {
        self.inbox.page(filter)
    }

    pub(super) fn stats(&self) -> Stats {
        self.counters.read()
    }

    /// Empties the list in memory and sets the counters back; the record file keeps everything.
    pub(super) fn forget(&self) {
        self.inbox.clear();
        self.counters.reset();
    }
}

fn reply_to(rule: &Rule) -> Reply {
    let said = Said { text: rule.text.clone(), code: rule.code };
    match rule.answer {
        FaultAnswer::Ok => Reply::Ok,
        FaultAnswer::Throttle => {
            Reply::Throttle { code: rule.status(), retry_after: rule.retry_after.unwrap_or(1), said }
        }
        FaultAnswer::Fail => Reply::Fail { code: rule.status(), said },
        FaultAnswer::Hang => Reply::Hang,
        FaultAnswer::Close => Reply::Close,
        FaultAnswer::Reset => Reply::Reset,
    }
}

impl Reply {
    /// The record's word for it.
    fn name(&self) -> String {
        match self {
            Self::Ok => "ok".to_owned(),
            Self::Throttle { code, .. } | Self::Fail { code, .. } => code.to_string(),
            Self::Broken => "broken".to_owned(),
            Self::Hang => "none".to_owned(),
            Self::Close => "closed".to_owned(),
            Self::Reset => "reset".to_owned(),
        }
    }
}

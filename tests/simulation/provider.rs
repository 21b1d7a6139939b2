//! Simulated providers: each answers as its manner is drawn, late or not at all, and keeps what it took.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::channels::{Attempt, Channel, Outgoing, Reach};
use fanfare::domain::content::Content;
use fanfare::sandbox::Protocol;

use crate::checker::{Mark, Record, Taken};
use crate::crash::CrashSwitch;
use crate::harness::Random;
use crate::mutants::Planted;
use crate::plan::ProviderManner;
use crate::rights::Rights;
use crate::trace::ReplicaTrace;
use crate::world::WINDOW;

/// How long a channel waits for an answer before it gives up.
const TIME_OUT: Duration = Duration::from_secs(10);

/// What all providers have seen.
#[derive(Default)]
pub struct Taking(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    taken: Vec<Taken>,
    unmarked: Vec<u64>,
    unconfirmed: BTreeMap<Protocol, u64>,
    forbidden: Vec<String>,
    attempts: u64,
}

impl Taking {
    /// The record for the checker.
    pub fn record(&self) -> Record {
        let seen = self.0.lock().unwrap();
        Record {
            taken: seen.taken.clone(),
            unmarked: seen.unmarked.clone(),
            unconfirmed: seen.unconfirmed.clone(),
        }
    }

    /// Attempts that were not allowed, in words.
    pub fn forbidden(&self) -> Vec<String> {
        self.0.lock().unwrap().forbidden.clone()
    }

    /// An attempt: whether the message is taken, whether that is answered, and whether nobody can know it by the answer.
    fn see(
        &self,
        protocol: Protocol,
        message: &Outgoing,
        (is_taken, answered_ok): (bool, bool),
        is_unknown: bool,
    ) {
        let mut seen = self.0.lock().unwrap();
        seen.attempts += 1;
        let seq = seen.attempts;
        if is_unknown {
            *seen.unconfirmed.entry(protocol).or_default() += 1;
        }
        if !is_taken {
            return;
        }
        let said = text(&message.content);
        let Some(mark) = Mark::find(&said) else {
            seen.unmarked.push(seq);
            return;
        };
        let said = format!("{} {said}", message.address);
        let message_id = Some(message.key.to_string());
        seen.taken.push(Taken { seq, protocol, mark, message_id, said, answered_ok });
    }
}

fn text(content: &Content) -> String {
    format!("{content:?}")
}

/// The way of one incarnation of a replica to a provider.
pub struct SimulatedProvider {
    /// The channel's.
    pub name: &'static str,
    pub protocol: Protocol,
    pub manner: ProviderManner,
    pub random: Mutex<Random>,
    pub taking: Arc<Taking>,
    pub crash: Arc<CrashSwitch>,
    pub rights: Arc<Rights>,
    /// How many attempts are under way.
    pub under_way: AtomicUsize,
    pub trace: ReplicaTrace,
    pub planted: Planted,
}

/// Counts an attempt for as long as it is under way.
struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        UnderWay(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a message is taken, and what is answered; nothing if the answer does not come.
struct Answer {
    is_taken: bool,
    says: Option<Attempt>,
    after: Duration,
}

#[async_trait::async_trait]
impl Channel for SimulatedProvider {
    async fn attempt(&self, message: &Outgoing) -> Attempt {
        if self.planted.sends_twice() {
            self.attempt_once(message).await;
        }
        self.attempt_once(message).await
    }

    async fn close(&self) {}
}

impl SimulatedProvider {
    async fn attempt_once(&self, message: &Outgoing) -> Attempt {
        self.crash.wait_if_crashed().await;
        let _under_way = UnderWay::begin(&self.under_way);
        let now = tokio::time::Instant::now().into_std();
        let is_too_many = self.under_way.load(Ordering::Relaxed) > WINDOW as usize;
        let too_many = is_too_many.then_some("beside more than the window allows");
        if let Some(why) = self.rights.forbid(self.name, now).or(too_many) {
            let attempt =
                format!("replica {} sends {} by {} {why}", self.trace.replica, message.key, self.name);
            self.taking.0.lock().unwrap().forbidden.push(attempt);
        }
        let answer = self.draw();
        tokio::time::sleep(answer.after / 2).await;
        self.crash.wait_if_crashed().await;
        let is_ok = matches!(answer.says, Some(Attempt::Sent { .. }));
        let says = answer.says;
        let is_unknown = says.as_ref().is_none_or(|says| matches!(says, Attempt::Unknown { .. }));
        self.taking.see(self.protocol, message, (answer.is_taken, is_ok), is_unknown);
        self.trace.note(format_args!(
            "{:?} {} taken {} answers {says:?}",
            self.protocol, message.key, answer.is_taken
        ));
        tokio::time::sleep(if says.is_some() { answer.after / 2 } else { TIME_OUT }).await;
        self.crash.wait_if_crashed().await;
        says.unwrap_or_else(|| Attempt::Unknown { reason: "simulated: no answer".into() })
    }

    fn draw(&self) -> Answer {
        let mut random = self.random.lock().unwrap();
        let manner = self.manner.at(self.trace.clock.now());
        let mut after = Duration::from_millis(u64::from(
            manner.answers_after_ms / 2 + random.below(manner.answers_after_ms),
        ));
        if random.below(100) < manner.late_percent {
            after += Duration::from_millis(u64::from(random.below(8_000)));
        }
        let is_down = manner.is_down(self.trace.clock.now());
        let (drawn, retry_after) = (random.below(1_000), random.below(2) == 0);
        drop(random);
        let retry_after = retry_after.then_some(Duration::from_secs(1));
        let sent = || Attempt::Sent { provider_id: None };
        let (is_taken, says) = match drawn {
            _ if is_down => {
                let reason = "simulated: no connection".to_owned();
                (false, Some(Attempt::NotTaken { reason, retry_after: None, provider_down: true }))
            }
            drawn if drawn < manner.throttles => {
                (false, Some(Attempt::Throttled { reason: "simulated: 429".into(), retry_after }))
            }
            drawn if drawn < manner.throttles + manner.busy => {
                let reason = "simulated: busy".to_owned();
                (false, Some(Attempt::NotTaken { reason, retry_after: None, provider_down: false }))
            }
            drawn if drawn < manner.throttles + manner.busy + manner.refuses => {
                let reason = "simulated: no such recipient".to_owned();
                (false, Some(Attempt::Refused { reason, reach: Reach::This }))
            }
            drawn if drawn < manner.throttles + manner.busy + manner.refuses + manner.lies => {
                let reason = "simulated: reset".to_owned();
                (drawn % 2 == 0, Some(Attempt::Unknown { reason }))
            }
            drawn if drawn < manner.throttles + manner.busy + manner.refuses + manner.lies + manner.hangs => {
                (drawn % 2 == 0, None)
            }
            _ => (true, Some(sent())),
        };
        Answer { is_taken, says, after }
    }
}
